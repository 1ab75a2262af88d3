"""The first line, `steerlang 1`: the edition of the language a file is written in."""

from __future__ import annotations

from dataclasses import dataclass, field

from steerlang.diagnostics.codes import MISSING_HEADER, UNKNOWN_EDITION
from steerlang.diagnostics.model import Applicability, Diagnostic, Edit, Fix, Label, error
from steerlang.source import Source, Span

from .cutting import broken_between
from .lexing import Token

EDITION = 1
_WORD = "steerlang"


@dataclass(frozen=True, slots=True)
class Header:
    """What the header says; `edition` is None where it is missing or unreadable."""

    edition: int | None
    diagnostics: list[Diagnostic] = field(default_factory=list)


def read_header(source: Source, tokens: list[Token]) -> tuple[Header, list[Token]]:
    """The header, and the tokens after it."""
    if not tokens or not _is_header_word(tokens[0]):
        rest = _next_line(tokens)
        line = tokens[: len(tokens) - len(rest)]
        if [t.type for t in line] in (["NAME", "INT"], ["INT"]):
            return Header(None, [_malformed(line)]), rest
        later = _later_header(tokens)
        rest = tokens if later is None else [*tokens[:later], *tokens[later + 2 :]]
        return Header(None, [_missing(source, tokens, later)]), rest
    if len(tokens) > 1 and tokens[0].text == _WORD and tokens[1].type == "INT":
        edition = int(tokens[1].text.replace("_", "")[:9])
        found = [] if edition == EDITION else [_unknown(tokens[1])]
        return Header(edition, found), tokens[2:]
    rest = _next_line(tokens)
    return Header(None, [_malformed(tokens[: len(tokens) - len(rest)])]), rest


def _is_header_word(token: Token) -> bool:
    return token.type == "NAME" and token.text.lower() == _WORD


def _next_line(tokens: list[Token]) -> list[Token]:
    for i in range(1, len(tokens)):
        if broken_between(tokens[i - 1], tokens[i]):
            return tokens[i:]
    return []


def _missing(source: Source, tokens: list[Token], later: int | None) -> Diagnostic:
    """No header at all: point at what stands there instead."""
    header = f"{_WORD} {EDITION}"
    if not tokens:
        span = Span(source, len(source.text), len(source.text))
        return error(MISSING_HEADER, span, "the program is empty", help=f"begin with the line `{header}`")
    if later is not None:
        return error(
            MISSING_HEADER, tokens[later].span.to(tokens[later + 1].span),
            f"`{header}` does not stand at the top of the file",
            secondary=(Label(tokens[0].span, "this stands above it"),),
            help=f"move `{header}` to the first line; nothing but comments may stand above it",
        )
    start = tokens[0].start
    insert = Edit(Span(source, start, start), f"{header}\n")
    return error(
        MISSING_HEADER, tokens[0].span, f"the file does not begin with `{header}`",
        label="the header belongs above this", help=f"write `{header}` on the first line",
        fixes=(Fix(f"insert `{header}`", (insert,), Applicability.SAFE),),
    )


def _later_header(tokens: list[Token]) -> int | None:
    for i in range(1, len(tokens) - 1):
        if tokens[i].type == "NAME" and tokens[i].text == _WORD and tokens[i + 1].type == "INT":
            return i
    return None


def _malformed(line: list[Token]) -> Diagnostic:
    span = line[0].span.to(line[-1].span)
    header = f"{_WORD} {EDITION}"
    return error(
        MISSING_HEADER, span, f"the header is not written `{header}`",
        label="the edition of the language is one whole number", help=f"write `{header}`",
        fixes=(Fix(f"write `{header}`", (Edit(span, header),)),),
    )


def _unknown(edition: Token) -> Diagnostic:
    return error(
        UNKNOWN_EDITION, edition.span, f"edition {edition.text} of the language is not known to this version",
        label=f"this version reads edition {EDITION}",
        help=f"update steerlang, or write `{_WORD} {EDITION}` if the program is meant for this version",
    )
