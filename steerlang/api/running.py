"""Carrying a program out: its plan executed, its expectations judged, its files written."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

from steerlang import __version__
from steerlang.diagnostics import codes, error
from steerlang.engine.events import DiagnosticEvent, EventSink, Expectation, RunStarted
from steerlang.engine.operation import Operation
from steerlang.engine.outcome import Outcome
from steerlang.engine.scheduler import execute
from steerlang.engine.sinks import NoSink
from steerlang.engine.store import Store
from steerlang.graph.node import walk
from steerlang.graph.plan import Plan
from steerlang.language.compiling import cells_of
from steerlang.language.values import ConditionValue

from .concept_warnings import doubtful_concepts
from .receipts import keep_receipts
from .results import ExpectationResult, Run
from .settings import SteerlangError
from .warnings import broken_images, doubtful_vectors, idle_gates, partly_steered, strong_actions
from .writing import write_files, write_reports

if TYPE_CHECKING:
    from steerlang.operations.resources import Resources

    from .program import Program


def carry_out(
    program: Program,
    plan: Plan,
    store: Store,
    sink: EventSink | None,
    keep_going: bool,
    targets: Collection[str] | None,
) -> Run:
    """Execute the plan, then judge expectations and write what the program exports; of `targets` only, where given."""
    _check_installed(plan)
    sink = sink or NoSink()
    sink.emit(RunStarted(version=__version__, program=program.name))
    resources = resources_of(program)
    results = execute(
        plan,
        _Operations(),
        store,
        resources,
        sink,
        keep_going,
        program=program.compiled.source.path,
        versions=versions(),
        final=False,
    )
    run = Run(program, plan, results, resources, None if targets is None else frozenset(targets))
    run.found.extend(results.diagnostics)  # told as they came up
    keep_receipts(run, store, program.compiled.source.path, versions())
    _warn(run, sink)
    judge(run, sink)
    if results.ok:
        write_files(run, sink)
        keep_receipts(run, store, program.compiled.source.path, versions())
    elif results.outcome is Outcome.FAILED:
        write_reports(run, sink)
    failed = sum(e.holds is False for e in run.expectations)
    open = sum(e.holds is None for e in run.expectations)
    counts = {"expectations": len(run.expectations), "failed_expectations": failed, "open_expectations": open}
    sink.emit(results.summary(**counts, files=len(run.artifacts)))
    return run


def _check_installed(plan: Plan) -> None:
    """Results are read with numpy; what makes new ones needs the rest of the extra `run` as well."""
    needed = ("numpy", "torch", "transformers", "safetensors") if plan.steps else ("numpy",)
    _check_vision(plan)
    _check_captions(plan)
    missing = [p for p in needed if find_spec(p) is None]
    if missing:
        message = f"running needs {', '.join(f'`{p}`' for p in missing)}"
        help = "install it with `pip install 'steerlang[run]'`"
        raise SteerlangError((error(codes.MISSING_EXTRA, None, message, help=help, place="run"),))


def _check_vision(plan: Plan) -> None:
    """Whether the package that decodes images is there, if a step needs one that does."""
    nodes = walk([n for step in plan.steps for n in step.nodes if n.operation != "data.rows"])
    columns: list[Any] = [n.options.get("columns") for n in nodes if n.operation == "data.rows"]
    if any("image" in c for c in columns if c) and find_spec("PIL") is None:
        help = "install it with `pip install 'steerlang[vision]'`"
        raise SteerlangError(
            (error(codes.MISSING_EXTRA, None, "reading images needs `pillow`", help=help, place="vision"),)
        )


def _check_captions(plan: Plan) -> None:
    """Whether the packages that judge captions are there, before anything is generated for them."""
    operations = {n.operation for step in plan.steps for n in step.nodes}
    for operation, module in (("metric.bleu", "sacrebleu"), ("metric.rouge", "rouge_score")):
        if operation in operations and find_spec(module) is None:
            message = f"`{operation.removeprefix('metric.')}` needs the package `{module.replace('_', '-')}`"
            help = "install it with `pip install 'steerlang[captions]'`"
            raise SteerlangError((error(codes.MISSING_EXTRA, None, message, help=help, place="captions"),))


def _warn(run: Run, sink: EventSink) -> None:
    """Say which extracted vectors are not to be trusted unseen, and what was steered in part or too strongly."""
    doubtful = (doubtful_vectors, doubtful_concepts, partly_steered, broken_images, idle_gates, strong_actions)
    for diagnostic in (d for look in doubtful for d in look(run)):
        run.found.append(diagnostic)
        sink.emit(DiagnosticEvent(diagnostic=diagnostic))


def judge(run: Run, sink: EventSink) -> None:
    """Hold every expectation against what was measured."""
    for expectation in _expectations(run):
        run.expectations.append(expectation)
        sink.emit(Expectation(label=expectation.label, holds=expectation.holds, found=expectation.numbers))
        if expectation.diagnostic is not None:
            run.found.append(expectation.diagnostic)
            sink.emit(DiagnosticEvent(diagnostic=expectation.diagnostic))


def resources_of(program: Program) -> Resources:
    from steerlang.operations.resources import Resources

    settings = program.settings
    return Resources(settings.device, settings.threads, settings.trust_remote_code)


class _Operations(Mapping[str, Operation]):
    """The table of operations, imported when the first is needed: nothing heavy where nothing is to do."""

    def _table(self) -> Mapping[str, Operation]:
        from steerlang.operations.table import OPERATIONS

        return OPERATIONS

    def __getitem__(self, name: str) -> Operation:
        return self._table()[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._table())

    def __len__(self) -> int:
        return len(self._table())


def versions() -> dict[str, str]:
    """Versions of what takes part in results."""
    found = {"steerlang": __version__}
    for package in ("torch", "transformers", "numpy", "scikit-learn"):
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            continue
    return found


def _expectations(run: Run) -> list[ExpectationResult]:
    """Every expectation in the order written, also those that cannot be judged because something failed before."""
    found: list[ExpectationResult] = []
    for symbol in run.wanted("expect"):
        table = run.program.compiled.tables[symbol.label]
        text = " ".join(symbol.definition.value.span.text.split())
        for label, cell in cells_of(table):
            if isinstance(cell.value, bool):
                found.append(ExpectationResult(label, cell.value, text, None, None, "", symbol.definition.value.span))
            elif isinstance(cell.value, ConditionValue):
                payload = run.payload(cell.value.node)
                if payload is None:
                    found.append(ExpectationResult(label, None, text, None, None, "", symbol.definition.value.span))
                    continue
                meta: Any = payload.meta
                left, right = meta["left"], meta["right"]
                found.append(
                    ExpectationResult(
                        label,
                        bool(meta["holds"]),
                        text,
                        left,
                        right,
                        str(meta["operator"]),
                        symbol.definition.value.span,
                    )
                )
    return found
