"""Two views at once: text on the terminal, and a document in a file."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from steerlang.cli.streams import Streams

    from . import View


class Both:
    """Hands every result to two views. What the second cannot write ends the verb, after the first has shown all."""

    def __init__(self, shown: View, written: View) -> None:
        self.shown = shown
        self.written = written
        self.streams: Streams = shown.streams
        self.live = written.live

    def __getattr__(self, name: str) -> Callable[..., None]:
        first, second = getattr(self.shown, name), getattr(self.written, name)

        def each(*arguments: Any) -> None:
            first(*arguments)
            second(*arguments)

        return each
