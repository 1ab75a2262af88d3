"""Inlay hints: which blocks `25%..75%` are, and how many tensors a pattern matches."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

from lsprotocol import types as lsp

from steerlang.language import typed as t
from steerlang.language.checking import references
from steerlang.language.layers import spelled
from steerlang.language.modules import Symbol
from steerlang.language.values import ModelValue
from steerlang.source import Span

from .analysis import Analysis

_PLAIN = re.compile(r"[\d\s.,\[\]]*")  # numbers of layers say themselves which they are
_PATTERNS = ("glob", "regex")


def hints(analysis: Analysis, range: lsp.Range) -> list[lsp.InlayHint]:
    content = analysis.content
    first, last = content.offset(range.start), content.offset(range.end)
    found = [*_layers(analysis), *_tensors(analysis)]
    return [
        lsp.InlayHint(content.position(span.end), f" = {text}", lsp.InlayHintKind.Type, tooltip=tooltip)
        for span, text, tooltip in sorted(found, key=lambda f: f[0].start) if first <= span.end <= last
    ]  # fmt: skip


Hint = tuple[Span, str, str]


def _layers(analysis: Analysis) -> Iterator[Hint]:
    """Layers that are written for an argument, as the blocks they are in each model they are used on."""
    written = {(g.value.start, g.value.end) for g in analysis.notes.arguments if g.value.source is analysis.source}
    found: dict[Span, dict[str, str]] = {}
    for note in analysis.notes.layers:
        span = note.span
        own = span.source is analysis.source and (span.start, span.end) in written
        if own and not _PLAIN.fullmatch(span.text):
            found.setdefault(span, {})[note.owner] = spelled(note.layers)
    for span, owners in found.items():
        different = dict.fromkeys(owners.values())
        text = next(iter(different)) if len(different) == 1 else "; ".join(f"{v} of {k}" for k, v in owners.items())
        yield span, text, "layers of " + ", ".join(owners)


def _tensors(analysis: Analysis) -> Iterator[Hint]:
    """Patterns with the number of tensors they match in the models of the definitions they are used in."""
    calls = [c for c in analysis.notes.calls if c.function.name in _PATTERNS and c.whole.source is analysis.source]
    if not calls:
        return
    from steerlang.weights.errors import WeightsError
    from steerlang.weights.patterns import Pattern

    models = _models_of(analysis)
    for call in calls:
        text = _text(analysis, call.whole)
        symbol = analysis.definition_around(call.whole.start)
        if text is None or symbol is None:
            continue
        try:
            pattern = Pattern("glob" if call.function.name == "glob" else "regex", text)
            counts = {
                name: (sum(map(pattern.matches, tensors)), len(tensors))
                for name, tensors in models.get(symbol, {}).items()
            }
        except WeightsError:  # a malformed pattern, which is reported where it is used
            continue
        if counts and len(set(counts.values())) == 1:
            matched, every = next(iter(counts.values()))
            yield call.whole, f"{matched} of {every} tensors", "tensors of " + ", ".join(f"`{n}`" for n in counts)


def _text(analysis: Analysis, whole: Span) -> str | None:
    """The text of a pattern that is written in place."""
    from steerlang.syntax import parse_expression, tree

    call, _ = parse_expression(whole.source, whole.start, whole.end)
    value = call.arguments[0].value if isinstance(call, tree.Call) and call.arguments else None
    return value.value if isinstance(value, tree.String) else None


def _models_of(analysis: Analysis) -> dict[Symbol, Mapping[str, tuple[str, ...]]]:
    """The tensors of the models that a definition is used with: those it names, and those named where it is used,
    directly or through others."""
    meanings = analysis.compiled.program.meanings
    below = {s: frozenset(references(m)) for s, m in meanings.items()}
    found: dict[Symbol, Mapping[str, tuple[str, ...]]] = {}
    for symbol in analysis.module.symbols.values():
        users = _closure({symbol}, {s: frozenset(u for u, b in below.items() if s in b) for s in below})
        found[symbol] = dict(_tensors_of(analysis, _closure(users, below), meanings))
    return found


def _closure(start: set[Symbol], next: Mapping[Symbol, frozenset[Symbol]]) -> set[Symbol]:
    found, todo = set(start), list(start)
    while todo:
        for symbol in next.get(todo.pop(), ()):
            if symbol not in found:
                found.add(symbol)
                todo.append(symbol)
    return found


def _tensors_of(
    analysis: Analysis, symbols: set[Symbol], meanings: Mapping[Symbol, t.Typed]
) -> Iterator[tuple[str, tuple[str, ...]]]:
    for symbol in meanings:
        table = analysis.compiled.tables.get(symbol.label) if symbol in symbols else None
        for cell in table.cells[:1] if table is not None else ():
            if isinstance(cell.value, ModelValue) and cell.value.node is cell.value.base and cell.value.facts.tensors:
                yield symbol.label, tuple(cell.value.facts.tensors)
