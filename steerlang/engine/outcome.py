"""How a run ended, and what exceptions mean to the user."""

from __future__ import annotations

import traceback
from collections.abc import Mapping
from dataclasses import dataclass, replace
from enum import Enum

from steerlang.diagnostics import Diagnostic, Label, codes, error
from steerlang.graph.node import Json, Node
from steerlang.source import Span

from .errors import FULL, OF_THE_MACHINE, OperationError, StoreError, StoreFull, StoreReadOnly
from .events import Summary, some
from .payload import Payload
from .record import Record
from .store import Store


class Outcome(Enum):
    DONE = "done"
    FAILED = "failed"
    INTERRUPTED = "interrupted"


@dataclass(frozen=True)
class Failure:
    """What went wrong in one step: the nodes left without a result, what to say, and the traceback for `-vv`."""

    nodes: tuple[Node, ...]
    diagnostic: Diagnostic
    traceback: str
    fatal: bool = False


@dataclass(frozen=True)
class RunResults:
    """What a run gave.

    made      nodes carried out in this run, in order
    cached    nodes whose stored results were used
    failures  what went wrong, in order
    skipped   nodes not carried out because something they need failed, or because the run ended before
    notes     further diagnostics: damaged results that were made again, the interruption
    records   the record of every node in `made` and `cached`, by key
    muted     why events could not be passed on to the end (a closed pipe), or None
    """

    store: Store
    outcome: Outcome
    made: tuple[Node, ...]
    cached: tuple[Node, ...]
    failures: tuple[Failure, ...]
    skipped: tuple[Node, ...]
    notes: tuple[Diagnostic, ...]
    records: Mapping[str, Record]
    seconds: float
    muted: Exception | None = None

    @property
    def diagnostics(self) -> tuple[Diagnostic, ...]:
        return (*self.notes, *(f.diagnostic for f in self.failures))

    @property
    def ok(self) -> bool:
        return self.outcome is Outcome.DONE

    def summary(self, **extra: Json) -> Summary:
        """The last event of a run, with whatever else the caller counted (expectations, files written)."""
        return Summary(
            outcome=self.outcome.value, done=len(self.made), cached=len(self.cached),
            failed=sum(len(f.nodes) for f in self.failures), skipped=len(self.skipped), seconds=self.seconds,
            bytes=sum(self.records[n.key].bytes for n in self.made if n.key in self.records), extra=extra,
        )

    def payload(self, node: Node) -> Payload:
        """The result of a node. Raises KeyError if it is not in the store (it failed, or was skipped)."""
        found = self.store.get(node.key)
        if found is None:
            raise KeyError(node.key)
        return found


class Vanished(Exception):  # noqa: N818
    """The stored result of a node was there a moment ago and is gone or damaged now."""

    def __init__(self, label: str) -> None:
        super().__init__(f"the stored result of `{label}` vanished during the run")


class BrokenPromise(Exception):  # noqa: N818
    """An operation did not do what the protocol says. A bug."""


def failure_of(e: BaseException, nodes: tuple[Node, ...], labels: tuple[str, ...], span: Span | None) -> Failure:
    """What an exception raised while `nodes` were carried out means."""
    trace = "".join(traceback.format_exception(type(e), e, e.__traceback__))
    fatal = isinstance(e, StoreError) or is_disk_full(e)
    return Failure(nodes, _diagnose(e, labels, span), trace, fatal)


def _diagnose(e: BaseException, labels: tuple[str, ...], span: Span | None) -> Diagnostic:
    names = f"`{some(labels)}`"
    if isinstance(e, OperationError):
        found = e.diagnostic
        primary = found.primary or (Label(span) if span is not None else None)
        return replace(found, primary=primary, place=found.place or some(labels))
    if is_out_of_memory(e):
        return error(
            codes.OUT_OF_MEMORY, span, f"memory ran out while making {names}", place=some(labels),
            help="fewer layers, fewer rows, shorter texts or a smaller `dtype` need less memory",
        )
    if is_disk_full(e):
        where = getattr(e, "path", None) or getattr(e, "filename", None)
        return error(
            codes.DISK_FULL, span, f"the disk is full: the result of {names} could not be kept",
            place=str(where) if where is not None else some(labels),
            help=("free some space, or clear the store with `steerlang cache gc`", "what was finished before is kept"),
        )
    if isinstance(e, StoreReadOnly):
        return error(
            codes.CACHE_UNUSABLE, span, f"the result of {names} could not be kept: {e}", place=e.path,
            help="name a folder that can be written with `--cache-dir` or STEERLANG_CACHE_DIR",
        )
    if isinstance(e, (StoreError, Vanished)):
        return error(codes.RUN_FAILED, span, f"{e}", place=some(labels), help="run the program again")
    if isinstance(e, OSError) and e.errno in OF_THE_MACHINE:
        what = (e.strerror or type(e).__name__).lower()
        return error(
            codes.RUN_FAILED, span, f"the system refused something while making {names}: {what}",
            place=str(e.filename or some(labels)),
            help="look at the disk, at limits such as `ulimit`, and at rights; then run the program again",
        )
    return error(
        codes.INTERNAL, span, f"{type(e).__name__} while making {names}: {_one_line(e)}", place=some(labels),
        help="this is a bug in steerlang; `-vv` shows where it happened",
    )


def interruption(kept: tuple[str, ...], skipped: int) -> Diagnostic:
    """What is said when the user stops a run."""
    notes = (f"kept: {some(kept, 12)}",) if kept else ("nothing was finished yet",)
    return error(
        codes.INTERRUPTED, None, "the run was interrupted", notes=notes, place="run",
        help=f"run the program again to make the {skipped} that are left" if skipped else (),
    )


def is_out_of_memory(e: BaseException) -> bool:
    """Whether memory ran out, of the machine or of the device. torch is known by name only: it is not imported here."""
    if isinstance(e, MemoryError) or type(e).__name__ == "OutOfMemoryError":
        return True
    words = str(e).lower()
    return isinstance(e, RuntimeError) and ("out of memory" in words or "can't allocate memory" in words)


def is_disk_full(e: BaseException) -> bool:
    return isinstance(e, StoreFull) or (isinstance(e, OSError) and e.errno in FULL)


def _one_line(e: BaseException) -> str:
    text = str(e).strip()
    return text.splitlines()[0][:200] if text else "no message"
