"""The page of output schemas, from the published files in `grammar/schemas/`."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from tables import NOTICE, table

SCHEMAS = Path(__file__).parent.parent / "grammar" / "schemas"
DOCUMENT = "steerlang."  # how the definitions of whole documents are called
# Files of which each definition is a document of its own; the others have one form.
FILES: Mapping[str, str] = {
    "outputs.v1.json": "`--format json`",
    "lock.v1.json": "Lock files",
}


def schemas_page() -> str:
    """One section a file; of outputs one a document, with a table of its keys."""
    lines = [
        "# Output schemas",
        "",
        NOTICE,
        "",
        "Everything that steerlang prints for other programs has a published JSON Schema (2020-12). `steerlang schema",
        "NAME` prints it, and every output is validated against it in the tests. Keys may be added within a version,",
        "so ignore those you do not know; a key that is removed or changes its meaning is a new version.",
        "",
        *table(("file", "of", "printed by"), (_file(name) for name in FILES)),
        "",
        "Programs themselves, in their [YAML and JSON form](yaml.md), have",
        "[steerlang.schema.json](../grammar/steerlang.schema.json) (`steerlang schema program`).",
    ]
    for name, title in FILES.items():
        lines += ["", f"## {title}", "", *_section(_read(name))]
    return "\n".join(lines) + "\n"


def _read(name: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((SCHEMAS / name).read_text(encoding="utf-8"))
    return found


def _file(name: str) -> tuple[str, ...]:
    return (f"[{name}](../grammar/schemas/{name})", _read(name)["title"], f"`steerlang schema {name.split('.')[0]}`")


def _section(schema: Mapping[str, Any]) -> Iterator[str]:
    parts: Mapping[str, Any] = schema.get("$defs", {})
    if "description" in schema:
        yield from (schema["description"], "")
    if "properties" in schema:
        yield from _keys(schema)
    for name, part in parts.items():
        if name == "envelope":
            yield from ("### Keys of every document", "", part["description"], "", *_keys(part))
    for name, part in parts.items():
        if name.startswith(DOCUMENT):
            words = f"`format` is `{name}`. {part.get('description', '')}".strip()
            yield from ("", f"### {name.removeprefix(DOCUMENT)}", "", words, "", *_keys(_merged(part, parts)))
    others = [name for name in parts if not name.startswith(DOCUMENT) and name != "envelope"]
    for name in others:
        yield from ("", f"### Object: {name}", "", *_words(parts[name]), *_keys(parts[name]))


def _words(part: Mapping[str, Any]) -> Iterator[str]:
    if "description" in part:
        yield from (part["description"], "")


def _merged(part: Mapping[str, Any], parts: Mapping[str, Any]) -> Mapping[str, Any]:
    """A document that is another definition and more."""
    reference = part.get("$ref", "")
    base = parts.get(reference.removeprefix("#/$defs/"), {})
    return {**base, **part, "properties": {**base.get("properties", {}), **part.get("properties", {})}}


def _keys(part: Mapping[str, Any]) -> list[str]:
    required = part.get("required", ())
    rows = [
        (f"`{key}`", _type(value), "" if key in required else "optional", value.get("description", ""))
        for key, value in part.get("properties", {}).items()
    ]
    return table(("key", "type", "", "meaning"), rows) if rows else []


def _type(value: Mapping[str, Any]) -> str:
    """The type of a value in a few words."""
    if "$ref" in value:
        return f"[{_called(value['$ref'])}](#object-{_called(value['$ref'])})"
    if "anyOf" in value or "oneOf" in value:
        return " or ".join(_type(v) for v in value.get("anyOf", value.get("oneOf")))
    if "enum" in value:
        return ", ".join(f"`{json.dumps(v)}`" for v in value["enum"])
    if "const" in value:
        return f"`{json.dumps(value['const'])}`"
    kind = value.get("type", "anything")
    if kind == "array":
        return f"list of {_type(value['items'])}" if value.get("items") else "list"
    if kind == "object" and isinstance(value.get("additionalProperties"), dict):
        return f"object of {_type(value['additionalProperties'])}"
    if kind == "object" and value.get("properties"):
        return f"object of {', '.join(f'`{key}`' for key in value['properties'])}"
    return " or ".join(kind) if isinstance(kind, list) else str(kind)


def _called(reference: str) -> str:
    return reference.rpartition("/")[2]
