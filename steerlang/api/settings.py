"""Settings of runs, and the error for programs that cannot be used."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from steerlang.diagnostics import Diagnostic
from steerlang.graph.facts import DiskFacts, Facts

if TYPE_CHECKING:
    from steerlang.engine.store import Store


@dataclass(frozen=True)
class Settings:
    """How programs are run; nothing here changes a result.

    cache_dir          where results are kept (default: STEERLANG_CACHE_DIR, else the user's cache folder)
    device             `auto`, `cpu`, `cuda`, …
    threads            torch threads (default: torch's own choice)
    locked             inputs other than those of the lock file are errors, and nothing is fetched
    offline            nothing is fetched
    trust_remote_code  models may run code of their own
    """

    cache_dir: Path | None = None
    device: str = "auto"
    threads: int | None = None
    locked: bool = False
    offline: bool = False
    trust_remote_code: bool = False

    def store(self) -> Store:
        from steerlang.engine.store import Store

        return Store(self.cache_dir)

    def facts(self) -> Facts:
        from steerlang.engine.layout import default_root

        return DiskFacts(cache_folder=self.cache_dir or default_root())


class SteerlangError(Exception):
    """A program that cannot be used; `diagnostics` say why, and where."""

    def __init__(self, diagnostics: tuple[Diagnostic, ...]) -> None:
        self.diagnostics = diagnostics
        first = next((d for d in diagnostics if d.is_error), None)
        super().__init__(_sentence(first) if first is not None else "the program cannot be used")


def _sentence(diagnostic: Diagnostic) -> str:
    where = diagnostic.primary
    place = f"{where.span.source.name}:{where.span.first.line}: " if where is not None else ""
    help = f" ({diagnostic.help[0]})" if diagnostic.help else ""
    return f"{place}{diagnostic.message} [{diagnostic.code.id}]{help}"
