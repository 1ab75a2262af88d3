"""Carrying one step out: locks, a second look into the store, the operation, and every result stored at once."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from steerlang.graph.node import Node, carried_out_inputs
from steerlang.graph.passes import Step
from steerlang.graph.plan import Plan

from . import events as ev
from .layout import remove
from .operation import Context, Operation, Progress, Task
from .outcome import BrokenPromise, Failure, failure_of
from .payload import Payload
from .record import record_of
from .shelf import Shelf
from .store import Store

PROGRESS_EVERY = 0.1


@dataclass
class Carrier:
    """Carries steps out. `made` collects the nodes of this run, `changed` those whose stored content became another."""

    plan: Plan
    operations: Mapping[str, Operation]
    store: Store
    shelf: Shelf
    sink: ev.EventSink
    resources: object
    program: str | None
    versions: Mapping[str, str]
    made: dict[str, Node] = field(default_factory=dict)
    changed: set[str] = field(default_factory=set)

    def carry_out(self, step: Step, again: frozenset[str], number: int, steps: int) -> Failure | None:
        """Carries a step out; gives what went wrong, with the nodes left without a result.

        `again` are keys of nodes to be made although their result is there. KeyboardInterrupt passes through.
        """
        labels = tuple(self.plan.label(n) for n in step.nodes)
        pending = {n.key: n for n in step.nodes}
        started = time.monotonic()
        self.sink.emit(ev.StepStarted(step=number, steps=steps, operation=step.operation, labels=labels))
        try:
            with self.store.lock(*pending, on_wait=self._announce):
                for node in step.nodes:
                    if node.key not in again and self.shelf.is_whole(node):
                        del pending[node.key]
                if pending:
                    self._run(step, pending, again, self._progress(number))
        except Exception as e:
            left = tuple(pending.values())
            first = left[0] if left else step.nodes[0]
            return failure_of(e, left, tuple(self.plan.label(n) for n in left) or labels, self.plan.span(first))
        seconds = time.monotonic() - started
        self.sink.emit(ev.StepDone(
            step=number, steps=steps, operation=step.operation, labels=labels, seconds=seconds,
        ))
        return None

    def _run(self, step: Step, pending: dict[str, Node], again: frozenset[str], progress: Progress) -> None:
        """Runs the operation for the nodes in `pending` and takes each out once its result is stored."""
        operation = self.operations.get(step.operation)
        if operation is None:
            raise BrokenPromise(f"nothing carries out the operation `{step.operation}`")
        with self.store.temp() as temp:
            tasks = [Task(node, self._reader(node)) for node in pending.values()]
            results = operation.run(tasks, Context(progress, temp, self.resources, self.sink, self._unfinished))
            mark = time.monotonic()
            try:
                for node, payload in results:
                    if node.key not in pending:
                        raise BrokenPromise(f"`{step.operation}` gave a result twice, or one not asked for")
                    now = time.monotonic()
                    self._put(node, payload, now - mark, node.key in again)
                    del pending[node.key]
                    mark = time.monotonic()
            finally:
                # Not left to the garbage collector: a model may hang on the frame of the generator.
                if (close := getattr(results, "close", None)) is not None:
                    close()
        if pending:
            raise BrokenPromise(f"`{step.operation}` gave no result")

    def _put(self, node: Node, payload: Payload, seconds: float, again: bool) -> None:
        record = record_of(
            node, labels=self.plan.labels(node), program=self.program, versions=self.versions, seconds=seconds
        )
        before = self.shelf.digest(node) if again else None
        record = self.store.put(node.key, payload, record, over=again)
        if again and before != record.content:
            self.changed.add(node.key)
        remove(self._unfinished(node))
        self.shelf.keep(node, record)
        self.shelf.release([node])
        self.made[node.key] = node
        self.sink.emit(ev.NodeDone(
            key=node.key, label=self.plan.label(node), digest=record.content, seconds=seconds, bytes=record.bytes,
            cached=False,
        ))

    def _unfinished(self, node: Node) -> Path:
        return self.store.layout.unfinished / node.key

    def _reader(self, node: Node) -> Callable[[Node], Payload]:
        allowed = {i.key for i in carried_out_inputs(node)}

        def value(wanted: Node) -> Payload:
            if wanted.key not in allowed:
                raise BrokenPromise(f"{wanted!r} is read by {node!r} without being its input")
            return self.shelf.value(wanted)

        return value

    def _progress(self, number: int) -> Progress:
        """A progress callback that passes on ten calls a second, and the last one."""
        last = float("-inf")

        def progress(done: int, total: int | None, unit: str) -> None:
            nonlocal last
            now = time.monotonic()
            if now - last >= PROGRESS_EVERY or done == total:
                last = now
                self.sink.emit(ev.StepProgress(step=number, done=done, total=total, unit=unit))

        return progress

    def _announce(self, key: str) -> None:
        self.sink.emit(ev.Waiting(key=key, label=self.plan.names.by_key.get(key, key[:12])))
