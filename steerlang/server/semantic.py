"""Semantic tokens: what each word of a program is, now that its names are resolved."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from lsprotocol import types as lsp

from steerlang.highlighting.roles import Part, Role, parts
from steerlang.language.modules import Symbol

from .analysis import Analysis

TYPES = (
    "namespace", "variable", "parameter", "property", "function", "method", "enumMember", "keyword", "number",
    "string", "regexp", "operator", "comment",
)  # fmt: skip
MODIFIERS = ("declaration", "defaultLibrary", "readonly")
LEGEND = lsp.SemanticTokensLegend(list(TYPES), list(MODIFIERS))

_BY_ROLE: Mapping[Role, tuple[str, tuple[str, ...]]] = {
    Role.COMMENT: ("comment", ()), Role.HEADER: ("keyword", ()), Role.EDITION: ("number", ()),
    Role.KIND: ("keyword", ()), Role.DEFINED: ("variable", ("declaration",)),
    Role.FUNCTION: ("function", ("defaultLibrary",)), Role.METHOD: ("method", ("defaultLibrary",)),
    Role.ARGUMENT: ("property", ()), Role.OPTION: ("enumMember", ()), Role.NAME: ("variable", ()),
    Role.MEMBER: ("variable", ()), Role.CONSTANT: ("keyword", ()), Role.OPERATOR_WORD: ("keyword", ()),
    Role.OPERATOR: ("operator", ()), Role.NUMBER: ("number", ()), Role.QUANTITY: ("number", ()),
    Role.TEXT: ("string", ()), Role.RAW: ("regexp", ()), Role.BLOCK: ("string", ()),
}  # fmt: skip
_BY_KIND: Mapping[str, tuple[str, tuple[str, ...]]] = {
    "import": ("namespace", ()), "param": ("parameter", ()), "sweep": ("parameter", ()),
    "let": ("variable", ("readonly",)),
}


def semantic_tokens(analysis: Analysis, start: int = 0, end: int | None = None) -> list[int]:
    """Tokens as the protocol packs them: five numbers each, relative to the token before."""
    found = _known(analysis)
    data: list[int] = []
    line, column = 0, 0
    stop = len(analysis.source.text) if end is None else end
    for part in parts(analysis.source):
        kind = found.get(part.token.start) or _BY_ROLE.get(part.role)
        if kind is None or part.token.end < start or part.token.start > stop:
            continue
        for first, last in _lines(part):
            place = analysis.content.position(first)
            columns = place.character - column if place.line == line else place.character
            data += [place.line - line, columns, analysis.content.length(first, last), *_numbers(kind)]
            line, column = place.line, place.character
    return data


def _numbers(kind: tuple[str, tuple[str, ...]]) -> tuple[int, int]:
    return TYPES.index(kind[0]), sum(1 << MODIFIERS.index(m) for m in kind[1])


def _lines(part: Part) -> Iterator[tuple[int, int]]:
    """The pieces of a token, one a line: clients cannot show tokens over several."""
    start = part.token.start
    for piece in part.token.written.splitlines(keepends=True):
        end = start + len(piece.rstrip("\r\n"))
        if end > start:
            yield start, end
        start += len(piece)


def _known(analysis: Analysis) -> dict[int, tuple[str, tuple[str, ...]]]:
    """What checking knows better than tokens tell, by where the word starts."""
    notes, source = analysis.notes, analysis.source
    found = {s.span.start: _of(s, True) for s in analysis.module.symbols.values()}
    found.update((w.span.start, ("enumMember", ())) for w in notes.words if w.span.source is source)
    found.update((u.span.start, _of(u.symbol, False)) for u in notes.uses if u.span.source is source)
    return found


def _of(symbol: Symbol, declares: bool) -> tuple[str, tuple[str, ...]]:
    kind, modifiers = _BY_KIND.get(symbol.kind, ("variable", ()))
    return kind, ("declaration", *modifiers) if declares else modifiers
