"""Carries a plan out, one step after the other. Whatever happens to the run, the results made until then stay.

The plan was made from a look at the store; the run does not rely on it. Results are checked right before they are used,
and one that is damaged or gone is made again, with all that this needs.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace

from steerlang.diagnostics import Diagnostic, codes
from steerlang.diagnostics.codes import Severity
from steerlang.graph.node import Node, carried_out_inputs, walk
from steerlang.graph.passes import Step, cut, fuse
from steerlang.graph.plan import Plan
from steerlang.graph.reasons import Cause

from . import events as ev
from .carrier import Carrier
from .errors import StoreError
from .operation import Operation
from .outcome import Failure, Outcome, RunResults, Vanished, failure_of, interruption
from .record import Record
from .shelf import Shelf
from .sinks import Guarded, NoSink
from .store import Store

# Seconds from which loading libraries is worth a line.
LIBRARIES_TOLD_FROM = 0.2


def execute(
    plan: Plan, operations: Mapping[str, Operation], store: Store, resources: object = None,
    sink: ev.EventSink | None = None, keep_going: bool = False, *, program: str | None = None,
    versions: Mapping[str, str] | None = None, final: bool = True,
) -> RunResults:
    """Carries out `plan`. Never raises for what goes wrong inside: the results say how the run ended.

    operations  by the name of the operation
    resources   passed through to the operations
    keep_going  after a failure, go on with what does not need the failed nodes
    program     absolute path of the program: under it the history for the next plan is kept
    versions    of steerlang, torch, transformers, for the records
    final       whether to end with the `Summary` event; otherwise the caller does, with `results.summary()`
    """
    guarded = Guarded(sink or NoSink())
    results = _Run(plan, operations, store, resources, guarded, keep_going, program, versions or {}).go()
    if final:
        guarded.emit(results.summary())
    return replace(results, muted=guarded.trouble)


@dataclass
class _Run:
    """The state of one call of `execute`."""

    plan: Plan
    operations: Mapping[str, Operation]
    store: Store
    resources: object
    sink: ev.EventSink
    keep_going: bool
    program: str | None
    versions: Mapping[str, str]
    queue: deque[Step] = field(default_factory=deque)
    cached: dict[str, Node] = field(default_factory=dict)
    skipped: dict[str, Node] = field(default_factory=dict)
    failed: set[str] = field(default_factory=set)
    repaired: set[str] = field(default_factory=set)
    failures: list[Failure] = field(default_factory=list)
    notes: list[Diagnostic] = field(default_factory=list)
    started_steps: int = 0

    def __post_init__(self) -> None:
        self.shelf = Shelf(self.store, self._found, self._damaged)
        self.carrier = Carrier(self.plan, self.operations, self.store, self.shelf, self.sink, self.resources,
                               self.program, self.versions)
        # Cached results that lie above forced nodes: made again if one of those turns out otherwise than before.
        self.doubtful = _above(self.plan)

    # -- the run as a whole -------------------------------------------------------------------------------------------

    def go(self) -> RunResults:
        started = time.monotonic()
        outcome = Outcome.DONE
        with self.store.in_use():
            try:
                self._begin()
                self._work()
            except KeyboardInterrupt:
                outcome = Outcome.INTERRUPTED
            self._leave(outcome)
            self._write_history()
        if self.failures and outcome is Outcome.DONE:
            outcome = Outcome.FAILED
        return RunResults(
            self.store, outcome, tuple(self.carrier.made.values()), tuple(self.cached.values()), tuple(self.failures),
            tuple(self.skipped.values()), tuple(self.notes), self.shelf.records, time.monotonic() - started,
        )

    def _begin(self) -> None:
        entries = self.plan.entries
        running = [e.node for e in entries if e.run]
        steps: Sequence[Step] = self.plan.steps
        if self.doubtful:
            steps = fuse([e.node for e in entries if e.run or e.node.key in self.doubtful])
        read = sum(e.needed and not e.run for e in entries)
        self.sink.emit(ev.PlanMade(run=len(running), cached=read, steps=len(self.plan.steps)))
        self._enqueue(steps)
        # Results that only feed steps are looked at when their step comes; targets are what the caller will read.
        later = {n.key for n in running} | self.doubtful
        targets = [n for t in self.plan.targets for n in (carried_out_inputs(t) if t.virtual else [t])]
        self._enqueue(self._repairs(n for n in targets if n.key not in later), first=True)
        self._load_libraries()

    def _load_libraries(self) -> None:
        """Imports what carries the steps out before the first of them, so that it is not charged with that."""
        started = time.monotonic()
        for step in self.queue:
            # What cannot be imported fails in its step, where it is told.
            with suppress(Exception):
                self.operations.get(step.operation)
        seconds = time.monotonic() - started
        if seconds >= LIBRARIES_TOLD_FROM:
            self.sink.emit(ev.LibrariesLoaded(seconds=seconds))

    def _work(self) -> None:
        while self.queue:
            step = self.queue[0]
            nodes = tuple(n for n in step.nodes if self._is_due(n))
            inputs = [i for n in nodes for i in carried_out_inputs(n)]
            repairs = self._repairs_or_failure([*inputs, *self._spared(step, nodes)], nodes or step.nodes)
            if isinstance(repairs, list) and repairs:
                self._enqueue(repairs, first=True)
                continue
            failure = repairs if isinstance(repairs, Failure) else self._carry_out(step, nodes)
            self.queue.popleft()
            self.shelf.release(step.nodes)
            if failure is not None:
                self._fail(failure)
                if failure.fatal or not self.keep_going:
                    return

    def _carry_out(self, step: Step, nodes: tuple[Node, ...]) -> Failure | None:
        if not nodes:
            return None
        self.started_steps += 1
        again = self.plan.forced | self.doubtful
        total = self.started_steps + len(self.queue) - 1
        return self.carrier.carry_out(Step(step.operation, nodes, step.group), again, self.started_steps, total)

    def _leave(self, outcome: Outcome) -> None:
        """Lists what did not run, and says what is kept of an interrupted run."""
        there = self.carrier.made.keys() | self.cached.keys() | self.failed | self.doubtful
        planned = [e.node for e in self.plan.entries if e.run]
        self._skip(n for n in (*planned, *(n for s in self.queue for n in s.nodes)) if n.key not in there)
        if outcome is Outcome.INTERRUPTED:
            kept = tuple(self.plan.label(n) for n in self.carrier.made.values())
            self._note(interruption(kept, len(self.skipped)))

    def _write_history(self) -> None:
        if self.program is None:
            return
        # A history that cannot be written only makes the reasons of the next plan poorer.
        with suppress(StoreError, OSError):
            there = self.carrier.made.keys() | self.cached.keys()
            before = self.store.view(self.program).history()
            after = self.plan.history(there, before)
            if after != before:
                self.store.write_history(self.program, after)

    # -- the queue ----------------------------------------------------------------------------------------------------

    def _enqueue(self, steps: Sequence[Step], first: bool = False) -> None:
        for step in steps:
            self.shelf.reserve(step.nodes)
        if first:
            self.queue.extendleft(reversed(steps))
        else:
            self.queue.extend(steps)

    def _is_due(self, node: Node) -> bool:
        """Whether a queued node is still to be carried out; one whose inputs failed is listed as skipped."""
        if node.key in self.carrier.made:
            return False
        inputs = carried_out_inputs(node)
        if any(i.key in self.failed or i.key in self.skipped for i in inputs):
            if node.key not in self.doubtful:
                self._skip([node])
            return False
        if node.key not in self.doubtful or node.key in self.repaired:
            return True
        return any(i.key in self.carrier.changed for i in inputs)

    def _spared(self, step: Step, due: tuple[Node, ...]) -> list[Node]:
        """Targets above forced nodes that stay as they are, since nothing they need has changed."""
        targets = {t.key for t in self.plan.targets} & self.doubtful - {n.key for n in due}
        return [n for n in step.nodes if n.key in targets and n.key not in self.carrier.made]

    def _repairs_or_failure(self, inputs: list[Node], nodes: tuple[Node, ...]) -> list[Step] | Failure:
        try:
            return self._repairs(inputs)
        except Exception as e:
            return failure_of(e, nodes, tuple(self.plan.label(n) for n in nodes), self.plan.span(nodes[0]))

    def _repairs(self, nodes: Iterable[Node]) -> list[Step]:
        """Steps that make those of `nodes` whose results are damaged or gone. Each is made again once at most."""
        lacking = [n for n in {n.key: n for n in nodes}.values() if not self.shelf.is_whole(n)]
        if not lacking:
            return []
        for n in lacking:
            if n.key in self.repaired:
                raise Vanished(self.plan.label(n))
        by_key = {n.key: n for n in walk(lacking)}
        todo = cut(lacking, lambda key: self.shelf.is_whole(by_key[key])).run
        self.repaired |= todo
        for key in todo:
            self.carrier.made.pop(key, None)
            self.cached.pop(key, None)
        return fuse([n for n in by_key.values() if n.key in todo])

    # -- telling ------------------------------------------------------------------------------------------------------

    def _found(self, node: Node, record: Record) -> None:
        self.cached[node.key] = node
        self.sink.emit(ev.NodeDone(
            key=node.key, label=self.plan.label(node), digest=record.content, seconds=0.0, bytes=record.bytes,
            cached=True,
        ))

    def _damaged(self, node: Node, problem: str) -> None:
        label = self.plan.label(node)
        self._note(Diagnostic(
            codes.CACHE_UNUSABLE, f"the stored result of `{label}` is damaged and is made again: {problem}",
            place=str(self.store.layout.object(node.key)), level=Severity.WARNING,
        ))

    def _note(self, diagnostic: Diagnostic) -> None:
        self.notes.append(diagnostic)
        self.sink.emit(ev.DiagnosticEvent(diagnostic=diagnostic))

    def _fail(self, failure: Failure) -> None:
        self.failures.append(failure)
        for node in failure.nodes:
            self.failed.add(node.key)
            self.sink.emit(ev.NodeFailed(
                key=node.key, label=self.plan.label(node), code=failure.diagnostic.code.id,
                reason=failure.diagnostic.message,
            ))
        self.sink.emit(ev.DiagnosticEvent(diagnostic=failure.diagnostic))

    def _skip(self, nodes: Iterable[Node]) -> None:
        self.skipped.update((n.key, n) for n in nodes)


def _above(plan: Plan) -> frozenset[str]:
    """Keys of the cached results of a plan that forced nodes lie under."""
    if not plan.forced:
        return frozenset()
    touched = set(plan.forced)
    found: set[str] = set()
    for entry in plan.entries:
        if entry.node.key not in touched and any(i.key in touched for i in carried_out_inputs(entry.node)):
            touched.add(entry.node.key)
            if not entry.run and entry.reason.cause is Cause.CACHED:
                found.add(entry.node.key)
    return frozenset(found)
