"""Progress bars on a terminal. rich is imported only when a bar is shown."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TextIO

from .events import (
    ArtifactWritten,
    Event,
    LibrariesLoaded,
    NodeFailed,
    PlanMade,
    StepDone,
    StepProgress,
    StepStarted,
    Summary,
    Waiting,
    some,
)

if TYPE_CHECKING:
    from rich.progress import Progress, TaskID


class ProgressSink:
    """One bar for the step under way; finished steps stay as lines above it.

    A context manager: the terminal is as it was afterwards, whatever happened inside.
    """

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._bars: Progress | None = None
        self._task: TaskID | None = None

    def __enter__(self) -> ProgressSink:
        return self

    def __exit__(self, *_: object) -> None:
        self._close()

    def emit(self, event: Event) -> None:
        if isinstance(event, StepStarted):
            self._close()
            self._bars = _bars(self._stream)
            self._bars.start()
            self._task = self._bars.add_task(f"{event.operation} {some(event.labels, 2)}", total=None, unit="")
        elif isinstance(event, StepProgress):
            self._show(event)
        elif isinstance(event, Summary):
            self._close()
            self._line(event.message)
        elif isinstance(event, (PlanMade, LibrariesLoaded, StepDone, Waiting, NodeFailed, ArtifactWritten)):
            if isinstance(event, StepDone):
                self._close()
            self._line(event.message)

    def _show(self, event: StepProgress) -> None:
        if self._bars is not None and self._task is not None:
            self._bars.update(self._task, completed=event.done, total=event.total, unit=event.unit)

    def _line(self, text: str) -> None:
        if self._bars is not None:
            self._bars.console.print(text, markup=False, highlight=False)
            return
        self._stream.write(text + "\n")
        self._stream.flush()

    def _close(self) -> None:
        if self._bars is not None:
            self._bars.stop()
        self._bars = self._task = None


def _bars(stream: TextIO) -> Progress:
    from rich import progress
    from rich.console import Console

    columns: tuple[Any, ...] = (
        # Labels may hold brackets, which rich would take for its markup.
        progress.TextColumn("{task.description}", markup=False),
        progress.BarColumn(),
        progress.MofNCompleteColumn(),
        progress.TextColumn("{task.fields[unit]}", markup=False),
        progress.TimeElapsedColumn(),
        progress.TimeRemainingColumn(),
    )
    return progress.Progress(*columns, console=Console(file=stream), transient=True)
