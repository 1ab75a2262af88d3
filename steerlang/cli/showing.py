"""Results that say themselves how they are shown as text and as JSON."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Protocol

from steerlang.diagnostics import Diagnostic

from .exit_codes import ExitCode

if TYPE_CHECKING:
    from steerlang.reports.layout import Screen


class Shown(Protocol):
    """What a verb found. `name` is that of its JSON document, after `steerlang.`."""

    @property
    def name(self) -> str: ...

    @property
    def code(self) -> ExitCode: ...

    @property
    def diagnostics(self) -> Sequence[Diagnostic]: ...

    def render(self, screen: Screen, quiet: bool) -> str:
        """As text, with its last line break."""

    def document(self) -> Mapping[str, Any]:
        """As JSON values."""
