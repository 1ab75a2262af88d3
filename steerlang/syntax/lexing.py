"""One lossless, total pass from text to tokens.

Every character of every text is in exactly one token, so tokens join to the text; what the grammar has no terminal
for comes out as a token of a `BAD_…` type, and the parser never meets a text it cannot read. Terminals come from the
grammar; the malformed ones stand here, because they are about mistakes and not about the language.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from functools import cache

from steerlang.source import Source, Span

from .tables import tables

END = "$END"
TRIVIA = frozenset({"WS", "COMMENT"})

# An unclosed `"""` would swallow the rest of the file; it is cut before the next line that looks like a definition.
_NEXT_DEFINITION = r"\r?\n[A-Za-z_]\w*[ \t]+[A-Za-z_]\w*[ \t]*=(?!=)"

#: Malformed text, tried before the terminals of the grammar: each of these contains something no terminal allows.
_BEFORE = (
    ("BAD_COMMENT", r"/[/*][^\r\n]*"),
    ("BAD_OPERATOR", r"===|!==|=>|=<|<>|->|:=|&&|\|\||\*\*|\+=|-=|\*=|/=|\.\.\.|\.\.="),
    ("BAD_NAME", r"(?:[A-Za-z_][A-Za-z0-9_]*)?[^\W\x00-\x7f]\w*"),
)

#: Malformed text, tried after the terminals of the grammar: what is left when none of them fits.
_AFTER = (
    ("BAD_TEXT", rf'r"""(?:[^"]|"(?!""))*"""|r?"""(?:(?!{_NEXT_DEFINITION})[\s\S])*'),
    ("BAD_QUOTES", r"'[^'\r\n]*'|[“”„‟«»‘’‚‛][^“”„‟«»‘’‚‛\"'\r\n]*[“”„‟«»‘’‚‛\"']"),
    ("BAD_STRING", r"(?:r?\"|')[^\r\n]*"),
    ("BAD_NUMBER", r"[0-9][0-9A-Za-z_]*(?:\.[0-9][0-9A-Za-z_]*)*(?:(?<=[eE])[+-][0-9][0-9A-Za-z_]*)?%?"),
    ("BAD_CHARACTER", r"[\s\S]"),
)


@dataclass(frozen=True, slots=True)
class Token:
    """A piece of `source`: its terminal, and the half-open range of code points it covers.

    `stand_in` is set by recovery where a token is read as something else than what is written there.
    """

    type: str
    start: int
    end: int
    source: Source = field(repr=False)
    stand_in: str | None = None

    @property
    def written(self) -> str:
        return self.source.text[self.start : self.end]

    @property
    def text(self) -> str:
        return self.source.text[self.start : self.end] if self.stand_in is None else self.stand_in

    @property
    def span(self) -> Span:
        return Span(self.source, self.start, self.end)

    @property
    def is_trivia(self) -> bool:
        return self.type in TRIVIA

    @property
    def is_bad(self) -> bool:
        return self.type.startswith("BAD_")


@cache
def _pattern() -> re.Pattern[str]:
    named = sorted(tables().terminals, key=lambda terminal: terminal[0] != "TEXT")
    # An unclosed `"""` must not be read as an empty text and an open one, so it goes right behind TEXT.
    ordered = [*_BEFORE, named[0], _AFTER[0], *named[1:], *_AFTER[1:]]
    return re.compile("|".join(f"(?P<{name}>{regexp})" for name, regexp in ordered))


def tokenize(source: Source, start: int = 0, end: int | None = None) -> tuple[Token, ...]:
    """All tokens of a text or a range of it, white space and comments included; their texts join to the whole."""
    words = tables().keywords
    text = source.text
    found: list[Token] = []
    if start == 0 and text.startswith("\ufeff"):
        found.append(Token("WS", 0, 1, source))
        start = 1
    for match in _pattern().finditer(text, start, len(text) if end is None else end):
        name = match.lastgroup
        assert name is not None  # every alternative is named, and the last one fits any character
        if name == "NAME":
            name = words.get(match.group(), name)
        found.append(Token(name, match.start(), match.end(), source))
    return tuple(found)


def significant(tokens: tuple[Token, ...]) -> list[Token]:
    """The tokens the grammar sees."""
    return [t for t in tokens if t.type not in TRIVIA]
