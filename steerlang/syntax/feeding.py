"""The LALR parser: takes tokens one by one, builds what they mean, and can be asked and forked in between."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from .build import TreeBuilder
from .lexing import END, Token
from .tables import Rule, Tables, tables

_BUILDER = TreeBuilder()


@dataclass(frozen=True, slots=True)
class _Chain:
    """What a repetition has gathered so far; it grows at its end without changing, so forks can share it."""

    before: _Chain | None
    items: tuple[Any, ...]


class Feed:
    """A parser in the middle of its work; `fork` keeps a place to come back to."""

    __slots__ = ("_states", "_tables", "_values", "result", "start")

    def __init__(self, start: str) -> None:
        self.start = start
        self.result: Any = None
        self._tables: Tables = tables()
        self._states: list[int] = [self._tables.starts[start]]
        self._values: list[Any] = []

    def take(self, token: Token) -> bool:
        """Whether the parser takes the token. Where it does not, its state is spoilt: ask `would_take` before."""
        rows, rules = self._tables.states, self._tables.rules
        end = self._tables.ends[self.start] if token.type == END else -1
        while True:
            action = rows[self._states[-1]].get(token.type)
            if action is None:
                return False
            if action >= 0:
                self._states.append(action)
                self._values.append(token)
                return True
            rule = rules[-1 - action]
            self._values.append(_built(rule, _pop(self._values, rule.size)))
            _pop(self._states, rule.size)
            self._states.append(rows[self._states[-1]][rule.head])
            if self._states[-1] == end:
                self.result = self._values[-1]
                return True

    def would_take(self, *kinds: str) -> bool:
        """Whether the parser would take tokens of these types, one after the other; nothing is built or changed."""
        states = list(self._states)
        return all(self._moves(states, kind) for kind in kinds)

    def fork(self) -> Feed:
        other = Feed(self.start)
        other._states, other._values = list(self._states), list(self._values)
        return other

    def accepts(self) -> frozenset[str]:
        """Terminals that can come next (not the look-aheads LALR merges, which say too much)."""
        row = self._tables.states[self._states[-1]]
        return frozenset(kind for kind in row if (kind.isupper() or kind == END) and self.would_take(kind))

    def _moves(self, states: list[int], kind: str) -> bool:
        rows, rules = self._tables.states, self._tables.rules
        end = self._tables.ends[self.start] if kind == END else -1
        while True:
            action = rows[states[-1]].get(kind)
            if action is None:
                return False
            if action >= 0:
                states.append(action)
                return True
            rule = rules[-1 - action]
            _pop(states, rule.size)
            states.append(rows[states[-1]][rule.head])
            if states[-1] == end:
                return True


def parse_whole(start: str, tokens: list[Token]) -> Any:
    """What the tokens are, or None when they do not fit `start`."""
    feed = Feed(start)
    for token in tokens:
        if not feed.take(token):
            return None
    last = tokens[-1] if tokens else None
    if last is None or not feed.take(Token(END, last.end, last.end, last.source)):
        return None
    return feed.result


def _pop(stack: list[Any], count: int) -> list[Any]:
    """Take `count` entries off the stack."""
    if not count:
        return []
    taken = stack[-count:]
    del stack[-count:]
    return taken


def _built(rule: Rule, children: list[Any]) -> Any:
    if rule.is_helper:
        first = children[0] if children else None
        return _Chain(first, tuple(children[1:])) if isinstance(first, _Chain) else _Chain(None, tuple(children))
    if not rule.builder:
        return children[0]
    if any(type(child) is _Chain for child in children):
        children = _spread(children)
    return getattr(_BUILDER, rule.builder)(children)


def _spread(children: list[Any]) -> list[Any]:
    """The children with what repetitions have gathered put in its place."""
    found: list[Any] = []
    for child in children:
        if type(child) is not _Chain:
            found.append(child)
            continue
        links: list[_Chain] = []
        link: _Chain | None = child
        while link is not None:
            links.append(link)
            link = link.before
        for link in reversed(links):
            found.extend(link.items)
    return found
