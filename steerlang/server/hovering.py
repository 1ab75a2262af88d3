"""Hover: what the word under the pointer is."""

from __future__ import annotations

from lsprotocol import types as lsp

from steerlang.language.layers import spelled
from steerlang.source import Span

from .analysis import Analysis
from .describing import (
    Describer,
    diagnostic_text,
    function_text,
    kind_text,
    paragraphs,
    parameter_text,
    word_text,
)
from .links import Links


def hover(analysis: Analysis, offset: int, links: Links) -> lsp.Hover | None:
    """What stands at an offset, and the codes of what is wrong there."""
    found = _meaning(analysis, offset, links)
    wrong = [
        d for d in analysis.diagnostics if d.primary is not None and analysis.covers(d.primary.span, offset)
    ]
    text = paragraphs(found[1] if found else "", *(diagnostic_text(d, links) for d in wrong[:3]))
    if not text:
        return None
    span = found[0] if found else wrong[0].primary.span  # type: ignore[union-attr]
    range = analysis.content.range(span.start, span.end)
    return lsp.Hover(lsp.MarkupContent(lsp.MarkupKind.Markdown, text), range)


def _meaning(analysis: Analysis, offset: int, links: Links) -> tuple[Span, str] | None:
    use = analysis.symbol_at(offset)
    if use is not None:
        return use.span, Describer(analysis).definition(use.symbol)
    called = analysis.called_at(offset)
    if called is not None:
        return called.span, function_text(called.function, links)
    given = analysis.given_at(offset)
    if given is not None and given.span is not None:
        return given.span, parameter_text(given.parameter, given.owner)
    word = analysis.word_at(offset)
    if word is not None:
        return word.span, word_text(word.word, word.help)
    return _layers(analysis, offset) or _by_name(analysis, offset, links)


def _layers(analysis: Analysis, offset: int) -> tuple[Span, str] | None:
    """The blocks that layers written here are, in each model they are used on."""
    found = [n for n in analysis.notes.layers if analysis.covers(n.span, offset)]
    written = [n for n in found if any(n.span == g.value for g in analysis.notes.arguments)]
    if not written:
        return None
    lines = dict.fromkeys(f"- {n.owner}: layers {spelled(n.layers)}" for n in written)
    return written[0].span, paragraphs(f"`{written[0].span.text}`", "\n".join(lines))


def _by_name(analysis: Analysis, offset: int, links: Links) -> tuple[Span, str] | None:
    """Kinds, and functions in what could not be checked."""
    token = analysis.token_at(offset)
    if token is None or token.type != "NAME":
        return None
    registry = analysis.compiled.program.registry
    kind = registry.kinds.get(token.text)
    heads = {s.definition.kind.span.start for s in analysis.module.symbols.values()}
    if kind is not None and token.start in heads:
        return token.span, kind_text(kind)
    function = registry.function(token.text)
    return (token.span, function_text(function, links)) if function is not None else None
