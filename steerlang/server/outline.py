"""The shape of a program: its definitions, what can be folded, and what is selected step by step."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import fields, is_dataclass

from lsprotocol import types as lsp

from steerlang.api.forms import parse as parse_any
from steerlang.language.modules import Symbol
from steerlang.source import Source, Span
from steerlang.syntax import parse
from steerlang.syntax.lexing import Token
from steerlang.syntax.vocabulary import CLOSERS, OPENERS

from .analysis import Analysis
from .describing import Describer
from .texts import Document, Text

_S = lsp.SymbolKind
ICONS: Mapping[str, lsp.SymbolKind] = {
    "import": _S.Module, "param": _S.Property, "sweep": _S.Array, "let": _S.Constant, "model": _S.Class,
    "data": _S.File, "vector": _S.Field, "activations": _S.Field, "concepts": _S.Field, "taskvector": _S.Field,
    "coefficients": _S.Array, "steering": _S.Operator, "samples": _S.String, "metric": _S.Number,
    "expect": _S.Boolean, "export": _S.Event, "report": _S.Event,
}  # fmt: skip


def symbols(analysis: Analysis) -> list[lsp.DocumentSymbol]:
    """The definitions, in the order written."""
    describer, content = Describer(analysis), analysis.content
    return [
        lsp.DocumentSymbol(
            s.name, ICONS.get(s.kind, _S.Variable), content.range(s.definition.span.start, s.definition.span.end),
            content.range(s.span.start, s.span.end), detail=_detail(describer, s),
        )
        for s in analysis.module.symbols.values() if _has_place(s)
    ]  # fmt: skip


def _detail(describer: Describer, symbol: Symbol) -> str:
    line = describer.type_line(symbol)
    return symbol.kind if symbol.kind in line else f"{symbol.kind}: {line}"


def _has_place(symbol: Symbol) -> bool:
    whole, name = symbol.definition.span, symbol.span
    return whole.start <= name.start and name.end <= whole.end


def folds(analysis: Analysis) -> list[lsp.FoldingRange]:
    """Definitions and brackets over several lines, runs of comments, and runs of imports."""
    content = analysis.content
    found: dict[int, lsp.FoldingRange] = {}
    for start, end, kind in (
        *_comments(analysis), *_imports(analysis), *_definitions(analysis), *_brackets(analysis.significant),
    ):  # fmt: skip
        first, last = content.line_of(start), content.line_of(end)
        if last > first and first not in found:
            found[first] = lsp.FoldingRange(first, last, kind=kind)
    return [found[line] for line in sorted(found)]


Fold = tuple[int, int, lsp.FoldingRangeKind | None]


def _comments(analysis: Analysis) -> Iterator[Fold]:
    """Runs of comments that stand on lines of their own, without a blank line between."""
    run: list[Token] = []
    text = analysis.source.text
    for token in analysis.tokens:
        if token.type != "COMMENT" or text[:token.start].rpartition("\n")[2].strip():
            continue
        if run and text.count("\n", run[-1].end, token.start) == 1 and not text[run[-1].end : token.start].strip():
            run.append(token)
        else:
            yield from _run(run)
            run = [token]
    yield from _run(run)


def _run(run: list[Token]) -> Iterator[Fold]:
    if len(run) > 1:
        yield run[0].start, run[-1].end, lsp.FoldingRangeKind.Comment


def _imports(analysis: Analysis) -> Iterator[Fold]:
    run: list[Span] = []
    for symbol in analysis.module.symbols.values():
        if symbol.kind == "import":
            run.append(symbol.definition.span)
            continue
        if len(run) > 1:
            yield run[0].start, run[-1].end, lsp.FoldingRangeKind.Imports
        run = []
    if len(run) > 1:
        yield run[0].start, run[-1].end, lsp.FoldingRangeKind.Imports


def _definitions(analysis: Analysis) -> Iterator[Fold]:
    for symbol in analysis.module.symbols.values():
        span = symbol.definition.span
        yield span.start, span.end, None


def _brackets(tokens: Iterable[Token]) -> Iterator[Fold]:
    opened: list[Token] = []
    for token in tokens:
        if token.type in OPENERS:
            opened.append(token)
        elif token.type in CLOSERS and opened:
            yield opened.pop().start, token.start, None


# ---- selection -----------------------------------------------------------------------------------------------------


def selection(analysis: Analysis, offset: int) -> lsp.SelectionRange:
    """Ever larger pieces around an offset: a word, its expression, its argument, its call, its definition, all."""
    content = analysis.content
    around = sorted(set(_around(analysis, offset)), key=lambda s: s[0] - s[1])
    found = lsp.SelectionRange(content.whole)
    for start, end in around:
        range = content.range(start, end)
        if range != found.range:
            found = lsp.SelectionRange(range, found)
    return found


def _around(analysis: Analysis, offset: int) -> Iterator[tuple[int, int]]:
    """Ranges around an offset that lie one in the other."""
    token = analysis.token_at(offset)
    if token is not None:
        yield token.start, token.end
    program, _ = parse(analysis.source)
    todo: list[object] = [d for d in program.definitions if _covers(d.span, offset)]
    while todo:
        node = todo.pop()
        span = getattr(node, "span", None)
        if isinstance(span, Span) and _covers(span, offset):
            if token is None or (span.start <= token.start and token.end <= span.end):
                yield span.start, span.end
            todo.extend(_children(node))


def _children(node: object) -> Iterator[object]:
    for field in fields(node) if is_dataclass(node) else ():
        value = getattr(node, field.name)
        yield from value if isinstance(value, tuple) else (value,)


def _covers(span: Span, offset: int) -> bool:
    return span.start <= offset <= span.end


def is_in(content: Text, span: Span, range: lsp.Range) -> bool:
    """Whether a place touches a range of the editor."""
    return span.start <= content.offset(range.end) and content.offset(range.start) <= span.end




# ---- all programs --------------------------------------------------------------------------------------------------


def workspace_symbols(document: Document, query: str) -> list[lsp.WorkspaceSymbol]:
    """The definitions of a file whose names hold the letters of `query` in their order; nothing is checked for it."""
    program, _ = parse_any(Source(document.path or document.uri, document.text, document.path))
    content = document.content
    return [
        lsp.WorkspaceSymbol(
            lsp.Location(document.uri, content.range(d.name.span.start, d.name.span.end)), d.name.id,
            ICONS.get(d.kind.id, _S.Variable), container_name=os.path.basename(document.path or document.uri),
        )
        for d in program.definitions if _holds(d.name.id.lower(), query.lower())
    ]  # fmt: skip


def _holds(name: str, letters: str) -> bool:
    rest = iter(name)
    return all(letter in rest for letter in letters)
