"""Templates: a text with `{text}` and `{column}` places. `{{` and `}}` are braces themselves."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

_PIECE = re.compile(r"\{\{|\}\}|\{([^{}]*)\}|[{}]")
_SELF = "text"


@dataclass(frozen=True, slots=True)
class Template:
    """A template cut into literal texts and names of places, in order: (text, name), name None at the end."""

    pieces: tuple[tuple[str, str | None], ...]

    @property
    def names(self) -> tuple[str, ...]:
        """The places, each once, in order."""
        return tuple(dict.fromkeys(name for _, name in self.pieces if name is not None))

    def fill(self, text: str, cells: Mapping[str, object]) -> str:
        """The template with `{text}` replaced by `text` and every other place by the cell of that name."""
        return "".join(
            literal if name is None else literal + (text if name == _SELF else in_text(cells[name]))
            for literal, name in self.pieces
        )


def in_text(value: object) -> str:
    """How a cell that is no text stands in one: JSON's `true`, `false` and numbers."""
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value)


def parse_template(text: str) -> Template | str:
    """The template, or what is wrong with it in words."""
    pieces: list[tuple[str, str | None]] = []
    literal, position = "", 0
    for match in _PIECE.finditer(text):
        literal += text[position : match.start()]
        position = match.end()
        found, name = match.group(), match.group(1)
        if found in ("{{", "}}"):
            literal += found[0]
        elif name is None:
            return f"the brace `{found}` at character {match.start() + 1} has no partner"
        elif not name.strip():
            return f"the place `{found}` at character {match.start() + 1} has no name"
        else:
            pieces.append((literal, name.strip()))
            literal = ""
    return Template((*pieces, (literal + text[position:], None)))


def unknown_places(template: Template, columns: Iterable[str]) -> tuple[str, ...]:
    """The places of the template that are neither `{text}` nor one of the columns."""
    known = {_SELF, *columns}
    return tuple(name for name in template.names if name not in known)
