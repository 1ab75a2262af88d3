"""Sinks for events that need no terminal: JSON lines, plain lines, a list, several at once."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TextIO

from .events import (
    ArtifactWritten,
    DiagnosticEvent,
    Event,
    EventSink,
    Expectation,
    LibrariesLoaded,
    NodeFailed,
    PlanMade,
    StepDone,
    StepStarted,
    Summary,
    Waiting,
)


@dataclass(frozen=True)
class NoSink:
    """Drops every event."""

    def emit(self, event: Event) -> None:
        """Does nothing."""


@dataclass(frozen=True)
class ListSink:
    """Keeps every event in `events`: for tests and for callers from Python."""

    events: list[Event] = field(default_factory=list)

    def emit(self, event: Event) -> None:
        self.events.append(event)


@dataclass(frozen=True)
class JsonLinesSink:
    """One JSON object a line, flushed at once so that a reader at the other end of a pipe sees it."""

    stream: TextIO

    def emit(self, event: Event) -> None:
        self.stream.write(json.dumps(event.document(), ensure_ascii=True) + "\n")
        self.stream.flush()


@dataclass(frozen=True)
class PlainSink:
    """One line at the start and the end of every step: for logs and CI, where bars would be noise.

    Diagnostics and expectations are left to whoever shows them with the program's text, unless `diagnostics` is set.
    """

    stream: TextIO
    diagnostics: bool = False

    def emit(self, event: Event) -> None:
        shown = (PlanMade, LibrariesLoaded, StepStarted, StepDone, Waiting, NodeFailed, ArtifactWritten, Summary)
        told = (Expectation, DiagnosticEvent)
        if isinstance(event, shown) or (self.diagnostics and isinstance(event, told)):
            self.stream.write(event.message + "\n")
            self.stream.flush()


@dataclass
class Guarded:
    """Passes events on until the sink fails: a closed pipe must not cost results. `trouble` says what happened."""

    sink: EventSink
    trouble: Exception | None = None

    def emit(self, event: Event) -> None:
        if self.trouble is None:
            try:
                self.sink.emit(event)
            except Exception as e:
                self.trouble = e


@dataclass(frozen=True)
class FanOut:
    """Passes every event on to several sinks, in order."""

    sinks: Sequence[EventSink]

    def emit(self, event: Event) -> None:
        for sink in self.sinks:
            sink.emit(event)
