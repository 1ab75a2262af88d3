"""Feeding our own tokens to Lark's LALR parser, one by one. The only module that knows Lark's parser objects."""

from __future__ import annotations

from copy import copy
from typing import Any

from lark.exceptions import UnexpectedToken
from lark.parsers.lalr_interactive_parser import InteractiveParser

from .grammar import parser
from .lexing import END, Token


class Feed:
    """A parser in the middle of its work; `fork` keeps a place to come back to.

    Forks share the values built so far, and Lark extends lists in place when it reduces. So ask `would_take` before
    taking a token that may not fit, and never go on with two forks of one place.
    """

    __slots__ = ("_parser", "result")

    def __init__(self, start: str, state: InteractiveParser | None = None) -> None:
        self._parser = state or parser().parse_interactive(None, start)
        self.result: Any = None

    def take(self, token: Token) -> bool:
        """Whether the parser takes the token. Where it does not, its state is spoilt."""
        try:
            self.result = self._parser.feed_token(token)  # type: ignore[arg-type]  # only `.type` is used
        except UnexpectedToken:
            return False
        return True

    def would_take(self, *tokens: Token) -> bool:
        """Whether the parser would take these tokens, one after the other; nothing is built and nothing changes."""
        probe = self._parser.copy(deepcopy_values=False)  # type: ignore[no-untyped-call]
        probe.parser_state.parse_conf = copy(probe.parser_state.parse_conf)
        probe.parser_state.parse_conf.callbacks = {}
        try:
            for token in tokens:
                probe.feed_token(token)
        except UnexpectedToken:
            return False
        return True

    def fork(self) -> Feed:
        return Feed("", self._parser.copy(deepcopy_values=False))  # type: ignore[no-untyped-call]

    def accepts(self) -> frozenset[str]:
        """Terminals that can come next (not the look-aheads LALR merges, which say too much)."""
        return frozenset(self._parser.accepts())  # type: ignore[no-untyped-call]


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
