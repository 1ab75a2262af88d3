"""`fmt`: one layout for every program, without options.

The result is checked before anyone sees it: it must parse to the same tree, hold the same comments and stay as it is
under a second pass. Otherwise nothing is changed and SL900 is reported.
"""

from __future__ import annotations

from collections import Counter

from steerlang.diagnostics.codes import INTERNAL
from steerlang.diagnostics.model import Diagnostic, error, has_errors
from steerlang.source import Source

from .comments import Entry, File, read_file
from .expressions import expression_text
from .layout import fits, lay_out, padded_names, remark_lines, runs
from .lexing import Token, tokenize
from .parsing import parse

__all__ = ["expression_text", "format_source"]


def format_source(source: Source) -> tuple[str | None, list[Diagnostic]]:
    """The program laid out anew, or None and the mistakes that stand against it."""
    program, diagnostics = parse(source)
    if has_errors(diagnostics):
        return None, diagnostics
    text = _formatted(source)
    if text is None:
        return None, [_refusal(source, "comments stand in brackets that are nested too deeply")]
    again = Source(source.name, text, source.path)
    trouble = None
    if parse(again)[0] != program:
        trouble = "it would have changed what the program says"
    elif _comments(again) != _comments(source):
        trouble = "it would have lost a comment"
    elif _formatted(again) != text:
        trouble = "a second pass would have changed it again"
    if trouble is not None:
        return None, [_refusal(source, trouble)]
    return text, diagnostics


def _refusal(source: Source, trouble: str) -> Diagnostic:
    return error(
        INTERNAL, None, f"`{source.name}` was not formatted: {trouble}", place=source.name,
        help="this is a bug in steerlang; please report it with the program",
    )


def _comments(source: Source) -> Counter[str]:
    return Counter(token.text.rstrip() for token in tokenize(source) if token.type == "COMMENT")


def _formatted(source: Source) -> str | None:
    try:
        text = "\n".join(_lines(read_file(tokenize(source)))) + "\n"
    except RecursionError:  # only comments in some hundred brackets lead here: all else is on one line by then
        return None
    return text.replace("\n", "\r\n") if "\r\n" in source.text else text


def _lines(file: File) -> list[str]:
    lines = _entry(file.header, lay_out(file.header.parts, ""), first=True)
    for entry, text in zip(file.items, _aligned(file.items), strict=True):
        lines += _entry(entry, text, first=False)
    return lines + remark_lines(file.below, "", first=False)


def _entry(entry: Entry, text: str, *, first: bool) -> list[str]:
    lines = remark_lines(entry.above, "", first=first)
    if entry.blank_above and (entry.above or not first):
        lines.append("")
    return [*lines, text + (f"  {entry.behind}" if entry.behind else "")]


def _aligned(items: list[Entry]) -> list[str]:
    """The items as text, kinds and names padded in runs of adjacent ones that have a line each."""
    texts = [lay_out(item.parts, "") for item in items]
    for run in runs(["\n" not in text for text in texts], items):
        heads = [_head(items[i]) for i in run]
        kind_width, name_width = (max(len(head[k]) for head in heads) for k in (0, 1))
        padded = [
            padded_names(texts[i], [(kind, kind_width), (name, name_width)])
            for i, (kind, name) in zip(run, heads, strict=True)
        ]
        if all(fits(text, 0, 0) for text in padded):
            for i, text in zip(run, padded, strict=True):
                texts[i] = text
    return texts


def _head(item: Entry) -> tuple[str, str]:
    kind, name = item.parts[:2]
    assert isinstance(kind, Token)
    assert isinstance(name, Token)
    return kind.text, name.text
