"""Patterns on the dotted names of tensors.

`glob`: `*` is one segment or a part of one, `**` any number of whole segments, `{a,b}` either. `regex`: matched whole.
Everything else in a glob is itself. Each pattern must match something.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache
from typing import Literal

from steerlang.diagnostics import codes

from .errors import WeightsError, listed, near


@dataclass(frozen=True, slots=True)
class Pattern:
    """A pattern as it is written. `matches` and `captures` raise WeightsError where it is malformed."""

    kind: Literal["glob", "regex"]
    text: str

    def __str__(self) -> str:
        return f'{self.kind}("{self.text}")'

    def matches(self, name: str) -> bool:
        """Whether the whole name fits."""
        return _compiled(self.kind, self.text).fullmatch(name) is not None

    def captures(self, name: str) -> tuple[str, ...] | None:
        """What the wildcards (or the groups of a regular expression) stand for; None where the name does not fit."""
        match = _compiled(self.kind, self.text).fullmatch(name)
        return None if match is None else tuple(group or "" for group in match.groups())

    def check(self) -> None:
        """Raises WeightsError where the pattern is malformed."""
        _compiled(self.kind, self.text)


def glob(text: str) -> Pattern:
    """A pattern with wildcards."""
    return Pattern("glob", text)


def regex(text: str) -> Pattern:
    """A regular expression, matched whole."""
    return Pattern("regex", text)


def matching(pattern: Pattern, names: Iterable[str]) -> tuple[str, ...]:
    """The names that fit, in order. Raises WeightsError where none does."""
    every = list(names)
    found = tuple(name for name in every if pattern.matches(name))
    if not found:
        raise _nothing(pattern, every)
    return found


def selected(include: tuple[Pattern, ...], exclude: tuple[Pattern, ...], names: Iterable[str]) -> tuple[str, ...]:
    """The names that fit some pattern of `include` (all, where there is none) and none of `exclude`, in order.

    Each pattern must match something; a selection of nothing is an error too.
    """
    every = list(names)
    kept = {name for pattern in include for name in matching(pattern, every)} if include else set(every)
    for pattern in exclude:
        kept -= set(matching(pattern, every))
    if not kept:
        raise WeightsError("the patterns leave out every tensor", (), codes.PATTERN_EMPTY)
    return tuple(name for name in every if name in kept)


def _nothing(pattern: Pattern, names: list[str]) -> WeightsError:
    words = sorted({segment for name in names for segment in name.split(".") if not segment.isdigit()})
    help: tuple[str, ...] = ()
    for segment in re.findall(r"[A-Za-z_][A-Za-z_0-9]{2,}", pattern.text):
        if segment not in words and not help:
            help = near(segment, words)
    notes = (f"the tensors are {listed(names)}",)
    return WeightsError(f"the pattern {pattern} matches no tensor", help, codes.PATTERN_EMPTY, notes=notes)


@lru_cache(maxsize=512)
def _compiled(kind: str, text: str) -> re.Pattern[str]:
    if kind == "regex":
        try:
            return re.compile(text)
        except (re.error, OverflowError, RecursionError) as problem:  # the latter: repetitions and groups without end
            raise WeightsError(f'`regex("{text}")` is malformed: {problem}', (), codes.BAD_REGEX) from problem
    return re.compile(_translated(text))


def _translated(text: str) -> str:
    """The regular expression of a glob, each wildcard a group."""
    if not text or ".." in text or text.startswith(".") or text.endswith("."):
        raise _bad_glob(text, "a segment between two dots is empty")
    out, position, depth = "", 0, 0
    while position < len(text):
        rest, before = text[position:], text[position - 1 : position]
        if rest.startswith("**"):
            piece, position = _any_number(text, position, before)
            out += piece
            continue
        char = text[position]
        depth += (char == "{") - (char == "}")
        if depth not in (0, 1):
            raise _bad_glob(text, "braces do not close, or stand inside each other")
        out += {"*": r"([^.]+)", "{": "(?:", "}": ")"}.get(char) or ("|" if char == "," and depth else re.escape(char))
        position += 1
    if depth:
        raise _bad_glob(text, "a brace is never closed")
    return out


def _any_number(text: str, position: int, before: str) -> tuple[str, int]:
    """`**` takes its neighbouring dot with it, so that it can stand for no segment at all."""
    after = text[position + 2 : position + 3]
    if before not in ("", ".") or after not in ("", "."):
        raise _bad_glob(text, "`**` stands for whole segments, so it stands between dots")
    if after == ".":
        return r"((?:[^.]+\.)*)", position + 3
    # At the end at least one segment is left: a name never ends with a dot.
    return r"(.+)", position + 2


def _bad_glob(text: str, reason: str) -> WeightsError:
    help = "`*` is one segment, `**` any number of segments, `{a,b}` either"
    return WeightsError(f'`glob("{text}")` is malformed: {reason}', help, codes.BAD_GLOB)
