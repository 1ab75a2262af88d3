"""What happens during a run, as typed events. Each has a JSON form with `type`, `ts` and `message`."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from datetime import datetime, timezone
from typing import Any, ClassVar, Protocol

from steerlang.diagnostics import Diagnostic
from steerlang.diagnostics.json import diagnostic_json
from steerlang.graph.node import Json

FORMAT_VERSION = "1.1"


@dataclass(frozen=True, kw_only=True)
class Event:
    """Something that happened, at `ts` seconds since 1970."""

    type: ClassVar[str]
    ts: float = field(default_factory=time.time)

    @property
    def message(self) -> str:
        """The event in words, one line."""
        raise NotImplementedError

    def document(self) -> dict[str, Json]:
        """The event as one JSON object: `type`, `ts`, `message`, then its own fields."""
        moment = datetime.fromtimestamp(self.ts, timezone.utc).isoformat(timespec="milliseconds")
        own: dict[str, Any] = {f.name: getattr(self, f.name) for f in fields(self) if f.name != "ts"}
        own = {name: list(value) if isinstance(value, tuple) else value for name, value in own.items()}
        return {"type": self.type, "ts": moment.replace("+00:00", "Z"), "message": self.message, **own}


class EventSink(Protocol):
    """Where events go."""

    def emit(self, event: Event) -> None:
        """Takes one event. Must not raise for an event it does not know."""


@dataclass(frozen=True, kw_only=True)
class RunStarted(Event):
    type: ClassVar[str] = "version"
    version: str
    program: str | None = None
    format_version: str = FORMAT_VERSION

    @property
    def message(self) -> str:
        return f"steerlang {self.version}" + (f" runs {self.program}" if self.program else "")


@dataclass(frozen=True, kw_only=True)
class PlanMade(Event):
    type: ClassVar[str] = "plan"
    run: int
    cached: int
    steps: int

    @property
    def message(self) -> str:
        if not self.run:
            return f"nothing to do, {self.cached} results are there"
        return f"{count(self.run, 'node')} to run in {count(self.steps, 'step')}, {self.cached} cached"


@dataclass(frozen=True, kw_only=True)
class LibrariesLoaded(Event):
    """What carries steps out was imported: torch and the rest take seconds, which no step is charged with."""

    type: ClassVar[str] = "libraries"
    seconds: float

    @property
    def message(self) -> str:
        return f"libraries loaded in {duration(self.seconds)}"


@dataclass(frozen=True, kw_only=True)
class StepStarted(Event):
    type: ClassVar[str] = "step_start"
    step: int
    steps: int
    operation: str
    labels: tuple[str, ...]

    @property
    def message(self) -> str:
        return f"[{self.step}/{self.steps}] {self.operation} {some(self.labels)}"


@dataclass(frozen=True, kw_only=True)
class Waiting(Event):
    """Another process is making a result of this step."""

    type: ClassVar[str] = "waiting"
    key: str
    label: str

    @property
    def message(self) -> str:
        return f"waiting for another run that is making {self.label}"


@dataclass(frozen=True, kw_only=True)
class StepProgress(Event):
    type: ClassVar[str] = "step_progress"
    step: int
    done: int
    total: int | None
    unit: str

    @property
    def message(self) -> str:
        return f"[{self.step}] {self.done}{f' of {self.total}' if self.total is not None else ''} {self.unit}"


@dataclass(frozen=True, kw_only=True)
class StepDone(Event):
    type: ClassVar[str] = "step_done"
    step: int
    steps: int
    operation: str
    labels: tuple[str, ...]
    seconds: float

    @property
    def message(self) -> str:
        return f"[{self.step}/{self.steps}] {self.operation} {some(self.labels)} done in {duration(self.seconds)}"


@dataclass(frozen=True, kw_only=True)
class NodeDone(Event):
    """A result is in the store; `digest` is that of its content."""

    type: ClassVar[str] = "node_done"
    key: str
    label: str
    digest: str
    seconds: float
    bytes: int
    cached: bool

    @property
    def message(self) -> str:
        return f"{self.label} cached" if self.cached else f"{self.label} done in {duration(self.seconds)}"


@dataclass(frozen=True, kw_only=True)
class NodeFailed(Event):
    type: ClassVar[str] = "node_failed"
    key: str
    label: str
    code: str
    reason: str

    @property
    def message(self) -> str:
        return f"{self.label} failed: {self.reason} ({self.code})"


@dataclass(frozen=True, kw_only=True)
class Expectation(Event):
    """An `expect` was judged; `found` says with which numbers. `holds` is None where what it needs was not made."""

    type: ClassVar[str] = "expectation"
    label: str
    holds: bool | None
    found: str = ""

    @property
    def message(self) -> str:
        words = {True: "holds", False: "does not hold", None: "is not judged"}[self.holds]
        return f"{self.label} {words}" + (f": {self.found}" if self.found else "")


@dataclass(frozen=True, kw_only=True)
class ArtifactWritten(Event):
    type: ClassVar[str] = "artifact"
    label: str
    path: str
    bytes: int

    @property
    def message(self) -> str:
        return f"{self.label} written to {self.path}"


@dataclass(frozen=True, kw_only=True)
class DiagnosticEvent(Event):
    type: ClassVar[str] = "diagnostic"
    diagnostic: Diagnostic

    @property
    def message(self) -> str:
        return f"{self.diagnostic.severity.value}[{self.diagnostic.code.id}]: {self.diagnostic.message}"

    def document(self) -> dict[str, Json]:
        first = self.diagnostic.primary.span.first if self.diagnostic.primary is not None else None
        place: dict[str, Json] = {"line": None, "column": None}
        if first is not None:
            place = {"line": first.line, "column": first.column}
        return {**super().document(), "diagnostic": {**diagnostic_json(self.diagnostic), **place}}


@dataclass(frozen=True, kw_only=True)
class Summary(Event):
    """The last event of a run; `outcome` is `done`, `failed` or `interrupted`."""

    type: ClassVar[str] = "summary"
    outcome: str
    done: int
    cached: int
    failed: int
    skipped: int
    seconds: float
    bytes: int = 0
    extra: Mapping[str, Json] = field(default_factory=dict)

    @property
    def message(self) -> str:
        parts = [f"{self.done} run", f"{self.cached} cached"]
        parts += [f"{n} {word}" for n, word in ((self.failed, "failed"), (self.skipped, "skipped")) if n]
        return f"{self.outcome} in {duration(self.seconds)}: {', '.join(parts)}"

    def document(self) -> dict[str, Json]:
        return {**super().document(), "extra": dict(self.extra)}


@dataclass(frozen=True, kw_only=True)
class End(Event):
    """The last line of `--format jsonl`: how the verb ended, whatever happened before."""

    type: ClassVar[str] = "end"
    exit_code: int
    errors: int
    warnings: int
    traceback: str | None = None

    @property
    def message(self) -> str:
        return f"exit code {self.exit_code}: {count(self.errors, 'error')}, {count(self.warnings, 'warning')}"


def count(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def some(labels: tuple[str, ...], most: int = 3) -> str:
    """A few labels and how many more there are."""
    shown = ", ".join(labels[:most])
    return shown if len(labels) <= most else f"{shown} and {len(labels) - most} more"


def duration(seconds: float) -> str:
    """Seconds as people say them: `0.42 s`, `12 s`, `3 min 05 s`, `2 h 10 min`."""
    if seconds < 9.95:
        return f"{seconds:.2f} s" if seconds < 0.995 else f"{seconds:.1f} s"
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60:02} s"
    return f"{whole // 3600} h {whole % 3600 // 60:02} min"
