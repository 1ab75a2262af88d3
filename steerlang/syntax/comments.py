"""Tokens as nested entries with the comments and blank lines that belong to them: what `fmt` lays out.

A comment on a line of its own belongs to what follows it, one behind code to the entry that ends on its line, one
before a closing bracket to the bracket. A comment in the middle of an entry moves above it.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Union

from .cutting import cut
from .lexing import Token, significant
from .spacing import flat
from .vocabulary import CLOSERS, OPENERS, SPELLING, VALUE_ENDS


@dataclass(frozen=True, slots=True)
class Remark:
    """A comment, and whether a blank line stands above it."""

    text: str
    blank_above: bool


@dataclass(slots=True)
class Entry:
    """An item, an argument or an element of a list."""

    parts: list[Part] = field(default_factory=list)
    above: list[Remark] = field(default_factory=list)
    blank_above: bool = False  # between the comments above and the entry, or above it where there are none
    behind: str = ""

    @property
    def is_named(self) -> bool:
        second = self.parts[1] if len(self.parts) > 1 else None
        return isinstance(second, Token) and second.type == "EQUAL"


@dataclass(slots=True)
class Group:
    """What stands between two brackets; `is_attached` directly behind a value.

    `flat` is the group on one line, and `has_comments` whether it or one inside it holds a comment, so that it cannot
    stand on one. Both are set when the group is read to its end: the layout then asks without walking down again.
    """

    opener: Token
    is_attached: bool
    entries: list[Entry] = field(default_factory=list)
    below: list[Remark] = field(default_factory=list)
    flat: str = ""
    has_comments: bool = False

    @property
    def is_list(self) -> bool:
        """Whether its entries are separated by commas."""
        return self.is_attached or self.opener.type != "LPAR"

    @property
    def closing(self) -> str:
        return SPELLING[OPENERS[self.opener.type]]

    def close(self) -> None:
        self.flat = self.opener.text + ", ".join(flat(entry.parts) for entry in self.entries) + self.closing
        self.has_comments = bool(self.below) or any(
            e.above or e.behind or any(isinstance(p, Group) and p.has_comments for p in e.parts) for e in self.entries
        )


Part = Union[Token, Group]


@dataclass(slots=True)
class File:
    """The header with its comments, the items, and the comments after the last one."""

    header: Entry
    items: list[Entry]
    below: list[Remark]


def read_file(tokens: tuple[Token, ...]) -> File:
    """The entries of a program without mistakes."""
    grammar_tokens = significant(tokens)
    starts = {item[0].start for item in cut(grammar_tokens[2:])}
    reader = _Reader(tokens, starts)
    header, *items = reader.items()
    return File(header, items, reader.pending)


class _Reader:
    """Walks the tokens once; `pending` holds comments that have not found their entry yet."""

    def __init__(self, tokens: tuple[Token, ...], starts: set[int]) -> None:
        self.tokens = tokens
        self.starts = starts
        self.position = 0
        self.pending: list[Remark] = []
        self.breaks = 1  # line breaks since the last token that is not white space

    def items(self) -> list[Entry]:
        found: list[Entry] = []
        token = self._next(None)
        while token is not None:
            entry = self._begin()
            while token is not None and not (entry.parts and token.start in self.starts):
                self._add(entry, token)
                token = self._next(entry, is_item=True)
            found.append(entry)
        return found

    def _begin(self) -> Entry:
        entry = Entry(above=self.pending, blank_above=self.breaks > 1)
        self.pending = []
        return entry

    def _next(self, entry: Entry | None, *, is_item: bool = False, is_over: bool = False) -> Token | None:
        """The next token the grammar sees. Comments on the way go behind `entry` or, if it goes on, above it."""
        self.breaks = 0 if self.position else 1
        while self.position < len(self.tokens):
            token = self.tokens[self.position]
            if token.type == "WS":
                self.breaks += token.text.count("\n")
            elif token.type == "COMMENT":
                self._comment(token.text.rstrip(), entry)
            else:
                if entry is not None and self.pending and not is_over and self._continues(token, is_item):
                    entry.above += self.pending
                    self.pending = []
                return token
            self.position += 1
        return None

    def _comment(self, text: str, entry: Entry | None) -> None:
        if self.breaks == 0 and entry is not None and entry.parts and not entry.behind:
            entry.behind = text
        else:
            self.pending.append(Remark(text, self.breaks > 1))
        self.breaks = 0

    def _continues(self, token: Token, is_item: bool) -> bool:
        """Whether the entry goes on with `token`, so that a comment before it stands in its middle."""
        return token.start not in self.starts if is_item else token.type != "COMMA" and token.type not in CLOSERS

    def _add(self, entry: Entry, token: Token) -> None:
        """Put `token`, and all between the brackets it may open, into the entry. Leaves `position` behind it."""
        if entry.behind:  # what seemed to stand behind the entry stands in its middle
            entry.above.append(Remark(entry.behind, False))
            entry.behind = ""
        self.position += 1
        if token.type not in OPENERS:
            entry.parts.append(token)
            return
        before = entry.parts[-1] if entry.parts else None
        attached = isinstance(before, Group) or (before is not None and before.type in VALUE_ENDS)
        group = Group(token, attached)
        entry.parts.append(group)
        self._fill(group)

    def _fill(self, group: Group) -> None:
        token = self._next(None)
        while token is not None and token.type not in CLOSERS:
            entry = self._begin()
            while token is not None and token.type != "COMMA" and token.type not in CLOSERS:
                self._add(entry, token)
                token = self._next(entry)
            if token is not None and token.type == "COMMA":
                self.position += 1
                token = self._next(entry, is_over=True)
            group.entries.append(entry)
        group.below, self.pending = self.pending, []
        group.close()
        self.position += 1
