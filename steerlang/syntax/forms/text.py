"""Programs as text in any of the three forms."""

from __future__ import annotations

import json
import re
from collections.abc import Callable

from steerlang.source import Source
from steerlang.syntax import tree
from steerlang.syntax.expressions import expression_text
from steerlang.syntax.printing import format_source

from .places import ANYWHERE, Vocabulary
from .plain import Plain, plain_program

MARGIN = 100
_SAFE = re.compile(r"[A-Za-z_0-9(](?:[A-Za-z0-9_ ./%*+()<>=~-]*[A-Za-z0-9_./%*+()<>=~-])?")
#: Strings that other readers of YAML take for something else when they stand without quotes.
_SPECIAL = re.compile(
    r"[-+]?\.?[0-9][0-9_.:]*([eE][-+]?[0-9]+)?|[-+]?0[xob][0-9A-Fa-f_]+|\d{4}-\d\d?-\d\d?.*|\d+:.*|=|<<"
    r"|null|true|false|yes|no|on|off|y|n", re.IGNORECASE,
)


def program_text(program: tree.Program, form: str, vocabulary: Vocabulary = ANYWHERE) -> str:
    """The program in the form `steer`, `yaml` or `json`. It has no mistakes of form, and no name stands twice in it."""
    return _WRITERS[form](program, vocabulary)


def _steer(program: tree.Program, _: Vocabulary) -> str:
    items = [f"{d.kind.id} {d.name.id} = {expression_text(d.value, blocks=True)}\n" for d in program.definitions]
    text = f"steerlang {program.edition}\n" + "".join(items)
    laid_out, _problems = format_source(Source("converted", text))
    return laid_out if laid_out is not None else text


def _json(program: tree.Program, vocabulary: Vocabulary) -> str:
    return json.dumps(plain_program(program, vocabulary), indent=2, ensure_ascii=True, allow_nan=False) + "\n"


def _yaml(program: tree.Program, vocabulary: Vocabulary) -> str:
    found = plain_program(program, vocabulary)
    definitions = found["definitions"]
    assert isinstance(definitions, dict)
    lines = [f"steerlang: {found['steerlang']}", "definitions:" if definitions else "definitions: {}"]
    for name, value in definitions.items():
        lines += _entry(_key(name), value, 2)
    return "\n".join(lines) + "\n"


_WRITERS: dict[str, Callable[[tree.Program, Vocabulary], str]] = {"steer": _steer, "yaml": _yaml, "json": _json}


def _entry(head: str, value: Plain, indent: int) -> list[str]:
    """`head: value`, on one line where it fits and holds no text of several lines."""
    pad = " " * indent
    if isinstance(value, str) and _is_block(value):
        return [f"{pad}{head}: {_chomp(value)}", *(f"{pad}  {line}" if line else "" for line in _block_lines(value))]
    flow = f"{pad}{head}: {_flow(value)}"
    if (len(flow) <= MARGIN and not _holds_block(value)) or not value or not isinstance(value, (dict, list)):
        return [flow]
    if isinstance(value, dict):
        return [f"{pad}{head}:", *(line for k, v in value.items() for line in _entry(_key(k), v, indent + 2))]
    return [f"{pad}{head}:", *(line for item in value for line in _item(item, indent + 2))]


def _item(value: Plain, indent: int) -> list[str]:
    flow = f"{' ' * indent}- {_flow(value)}"
    if (len(flow) <= MARGIN and not _holds_block(value)) or not isinstance(value, dict) or not value:
        return [flow]
    lines = [line for k, v in value.items() for line in _entry(_key(k), v, indent + 2)]
    return [f"{' ' * indent}- {lines[0].lstrip()}", *lines[1:]]


def _flow(value: Plain) -> str:
    if isinstance(value, dict):
        return "{" + ", ".join(f"{_key(k)}: {_flow(v)}" for k, v in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(_flow(v) for v in value) + "]"
    return _quoted(value) if isinstance(value, str) else json.dumps(value)


def _key(name: str) -> str:
    """Keys are names or `$text` and `$expr`; a few read as something else without quotes."""
    return f"'{name}'" if _SPECIAL.fullmatch(name) else name


def _quoted(text: str) -> str:
    if _SAFE.fullmatch(text) and not _SPECIAL.fullmatch(text):
        return text
    if text.isprintable():
        return "'" + text.replace("'", "''") + "'"
    return '"' + "".join(_escape(c) for c in text) + '"'


def _escape(character: str) -> str:
    code = ord(character)
    if character in '"\\':
        return "\\" + character
    if character == "\n":
        return "\\n"
    if character.isprintable():
        return character
    return f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"


def _is_block(text: str) -> bool:
    """Whether a text can stand as a block, line by line as it is."""
    lines = text.removesuffix("\n").split("\n")
    plain = all(line.isprintable() and line == line.rstrip() for line in lines)
    return len(lines) > 1 and plain and bool(lines[0]) and not lines[0].startswith(" ") and bool(lines[-1])


def _holds_block(value: Plain) -> bool:
    if isinstance(value, dict):
        return any(_holds_block(v) for v in value.values())
    if isinstance(value, list):
        return False  # texts in lists stand on one line
    return isinstance(value, str) and _is_block(value)


def _chomp(text: str) -> str:
    return "|" if text.endswith("\n") else "|-"


def _block_lines(text: str) -> list[str]:
    return text.removesuffix("\n").split("\n")
