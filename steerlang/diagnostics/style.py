"""Colours of the text output: ANSI sequences, or nothing."""

from __future__ import annotations

from .codes import Severity

_RESET = "\x1b[0m"
_BOLD, _BLUE, _GREEN = "\x1b[1m", "\x1b[1;34m", "\x1b[1;32m"
_SEVERITY = {Severity.ERROR: "\x1b[1;31m", Severity.WARNING: "\x1b[1;33m", Severity.NOTE: "\x1b[1;36m"}


class Style:
    """Paints pieces of text; with `color` off every method returns its text unchanged."""

    def __init__(self, color: bool) -> None:
        self.color = color

    def _paint(self, code: str, text: str) -> str:
        return f"{code}{text}{_RESET}" if self.color and text.strip() else text

    def severity(self, severity: Severity, text: str) -> str:
        return self._paint(_SEVERITY[severity], text)

    def strong(self, text: str) -> str:
        return self._paint(_BOLD, text)

    def frame(self, text: str) -> str:
        return self._paint(_BLUE, text)

    def help(self, text: str) -> str:
        return self._paint(_GREEN, text)
