"""Programs, and an api whose runs end as a test wants."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from click.testing import Result

from steerlang import api
from steerlang.diagnostics import Diagnostic

Steer = Callable[..., Result]

GOOD = """steerlang 1
param  limit = number(default = 3, min = 0, max = 10, help = "the limit")
expect small = 2 < limit
"""
BAD = """steerlang 1
expect small = 2 < limt
"""
UGLY = "steerlang 1\nlet   a =   1\n\n\n\nexpect small=a<2\n"


@dataclass
class FakeRun:
    """A run that has ended, with nothing but what the command line looks at."""

    program: Any
    outcome: str = "done"
    expectations: list[Any] = field(default_factory=list)
    diagnostics: tuple[Diagnostic, ...] = ()
    traceback: str = ""
    artifacts: list[Path] = field(default_factory=list)

    @property
    def results(self) -> Any:
        failures = [SimpleNamespace(nodes=(1,), traceback=self.traceback)] if self.traceback else []
        return SimpleNamespace(failures=failures, made=(), cached=(), skipped=(), seconds=0.5)

    plan = SimpleNamespace(entries=())

    def chosen(self) -> list[tuple[str, str]]:
        return []

    def weights(self) -> dict[str, Any]:
        return {}

    def tables(self, kind: str) -> list[Any]:
        return []


@dataclass
class FakeApi:
    """`steerlang.api` with programs that really are checked and runs that `run` makes up."""

    run: Callable[..., Any]

    check = staticmethod(api.check)
    check_text = staticmethod(api.check_text)

    def load(self, path: Any, parameters: Any = None, settings: Any = None) -> Any:
        program = api.load(path, parameters, settings)
        return SimpleNamespace(compiled=program.compiled, run=lambda *a, **k: self.run(program, *a, **k),
                               plan=program.plan)
