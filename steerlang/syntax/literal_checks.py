"""What is wrong inside literals that are tokens of their own: escapes, tabs, numbers that do not fit."""

from __future__ import annotations

from steerlang.diagnostics.codes import BAD_CHARACTER, BAD_ESCAPE, BAD_NUMBER
from steerlang.diagnostics.model import Applicability, Diagnostic, Edit, Fix, error
from steerlang.source import Span

from .lexing import Token
from .literals import bad_escapes, too_large

_LONG_NUMBER = 300  # shorter ones without an exponent always fit


def literal_mistakes(tokens: list[Token]) -> list[Diagnostic]:
    found: list[Diagnostic] = []
    for token in tokens:
        if token.type in ("STRING", "TEXT"):
            found += _escapes(token)
            if token.type == "STRING":
                found += _tabs(token)
        elif token.type in ("INT", "FLOAT", "QUANTITY") and _may_be_large(token) and too_large(token.type, token.text):
            found.append(error(
                BAD_NUMBER, token.span, "this number is too large to be represented",
                help="the largest number is about 1.8e308",
            ))
    return found


def _may_be_large(token: Token) -> bool:
    return token.end - token.start > _LONG_NUMBER or "e" in token.text or "E" in token.text


def _escapes(token: Token) -> list[Diagnostic]:
    text = token.text
    if "\\" not in text:
        return []
    return [_bad_escape(token, text[start:end], start, end) for start, end in bad_escapes(text)]


def _bad_escape(token: Token, escape: str, start: int, end: int) -> Diagnostic:
    span = Span(token.source, token.start + start, token.start + end)
    double = Fix("write a backslash as `\\\\`", (Edit(Span(span.source, span.start, span.start), "\\"),))
    shown = escape if escape.isprintable() else "\\"
    if escape.startswith("\\u{"):
        return error(
            BAD_ESCAPE, span, f"`{escape}` names no Unicode character",
            help="write one to six hexadecimal digits, for instance `\\u{1F600}`",
        )
    help: tuple[str, ...] = (r'the escapes are `\n`, `\t`, `\"`, `\\` and `\u{…}`; a backslash itself is written `\\`',)
    if token.type == "STRING":
        help += ('in `r"…"` a backslash stands for itself, as regular expressions need it',)
    return error(BAD_ESCAPE, span, f"`{shown}` is not an escape", help=help, fixes=(double,))


def _tabs(token: Token) -> list[Diagnostic]:
    position = token.text.find("\t")
    if position < 0:
        return []
    edits = tuple(
        Edit(Span(token.source, token.start + i, token.start + i + 1), "\\t")
        for i, character in enumerate(token.text) if character == "\t"
    )
    start = token.start + position
    return [error(
        BAD_CHARACTER, Span(token.source, start, start + 1), "a tab stands in a text, where it cannot be seen",
        help="write it as `\\t`", fixes=(Fix("write tabs as `\\t`", edits, Applicability.SAFE),),
    )]
