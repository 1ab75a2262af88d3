"""The page of output schemas, from the published files in `grammar/schemas/`."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from tables import NOTICE, table

SCHEMAS = Path(__file__).parent.parent / "grammar" / "schemas"
# How the definitions of whole documents and lines are called, and the key that says which one it is.
DOCUMENTS = {"steerlang.": "format", "event.": "type"}
EVERY = {"envelope": "Keys of every document", "line": "Keys of every line"}
# The published files: the heading of each, and what its objects are called.
FILES: Mapping[str, tuple[str, str]] = {
    "outputs.v1.json": ("JSON documents", "Object"),
    "events.v1.json": ("JSON lines", "Object of a line"),
    "gitlab.v1.json": ("Reports for GitLab", "Object of a report"),
    "lock.v1.json": ("Lock files", "Object of a lock file"),
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
    for name, (title, noun) in FILES.items():
        lines += ["", f"## {title}", "", *_section(_read(name), noun)]
    return re.sub(r"\n{3,}", "\n\n", "\n".join(lines)).rstrip() + "\n"


def _read(name: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((SCHEMAS / name).read_text(encoding="utf-8"))
    return found


def _file(name: str) -> tuple[str, ...]:
    return (f"[{name}](../grammar/schemas/{name})", _read(name)["title"], f"`steerlang schema {name.split('.')[0]}`")


def _section(schema: Mapping[str, Any], noun: str) -> Iterator[str]:
    parts: Mapping[str, Any] = schema.get("$defs", {})
    if "description" in schema:
        yield from (schema["description"], "")
    if "properties" in schema:
        yield from _keys(schema, noun)
    for name, title in EVERY.items():
        if name in parts:
            yield from (f"### {title}", "", parts[name]["description"], "", *_keys(parts[name], noun))
    for name, part in parts.items():
        for start, key in DOCUMENTS.items():
            if name.startswith(start):
                yield from _document(name.removeprefix(start), name if key == "format" else name[len(start) :], key)
                yield from (f"{part.get('description', '')}", "", *_keys(_merged(part, parts), noun, known=(key,)))
    for name, part in parts.items():
        if not name.startswith(tuple(DOCUMENTS)) and name not in EVERY:
            yield from ("", f"### {noun}: {name}", "", *_words(part), *_keys(part, noun))


def _document(title: str, value: str, key: str) -> Iterator[str]:
    yield from ("", f"### {title}", "", f"`{key}` is `{value}`.")


def _words(part: Mapping[str, Any]) -> Iterator[str]:
    if "description" in part:
        yield from (part["description"], "")


def _merged(part: Mapping[str, Any], parts: Mapping[str, Any]) -> Mapping[str, Any]:
    """A document that is another definition and more."""
    reference = part.get("$ref", "")
    base = parts.get(reference.removeprefix("#/$defs/"), {})
    return {**base, **part, "properties": {**base.get("properties", {}), **part.get("properties", {})}}


def _keys(part: Mapping[str, Any], noun: str, known: tuple[str, ...] = ()) -> list[str]:
    required = part.get("required", ())
    rows = [
        (f"`{key}`", _type(value, noun), "" if key in required else "optional", value.get("description", ""))
        for key, value in part.get("properties", {}).items()
        if key not in known
    ]
    return table(("key", "type", "", "meaning"), rows) if rows else []


def _type(value: Mapping[str, Any], noun: str) -> str:
    """The type of a value in a few words."""
    if "$ref" in value:
        name = value["$ref"].rpartition("/")[2]
        return f"[{name}](#{noun.lower().replace(' ', '-')}-{name})"
    if "anyOf" in value:
        return " or ".join(_type(v, noun) for v in value["anyOf"])
    if "enum" in value:
        return ", ".join(f"`{json.dumps(v)}`" for v in value["enum"])
    if "const" in value:
        return f"`{json.dumps(value['const'])}`"
    kind = value.get("type", "anything")
    if kind == "array":
        return f"list of {_type(value['items'], noun)}" if value.get("items") else "list"
    if kind == "object" and isinstance(value.get("additionalProperties"), dict):
        return f"object of {_type(value['additionalProperties'], noun)}"
    if kind == "object" and value.get("properties"):
        return f"object of {', '.join(f'`{key}`' for key in value['properties'])}"
    return " or ".join(kind) if isinstance(kind, list) else str(kind)
