"""Carrying a program out: its plan executed, its expectations judged, its files written."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

from steerlang import __version__
from steerlang.diagnostics import Diagnostic, codes, error
from steerlang.engine.events import ArtifactWritten, DiagnosticEvent, EventSink, Expectation, RunStarted
from steerlang.engine.operation import Operation
from steerlang.engine.scheduler import execute
from steerlang.engine.sinks import NoSink
from steerlang.engine.store import Store
from steerlang.graph.plan import Plan
from steerlang.language.compiling import cells_of
from steerlang.language.values import POISON, ConditionValue, ExportValue, ReportValue

from .results import ExpectationResult, Run
from .settings import SteerlangError

if TYPE_CHECKING:
    from steerlang.operations.resources import Resources

    from .program import Program


def carry_out(program: Program, plan: Plan, store: Store, sink: EventSink | None, keep_going: bool) -> Run:
    """Execute the plan, then judge expectations and write what the program exports."""
    _check_installed(plan)
    sink = sink or NoSink()
    sink.emit(RunStarted(version=__version__, program=program.name))
    resources = _resources(program)
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
    run = Run(program, plan, results, resources)
    run.found.extend(results.diagnostics)  # told as they came up
    _judge(run, sink)
    if results.ok:
        _write(run, sink)
    failed = sum(not e.holds for e in run.expectations)
    sink.emit(results.summary(expectations=len(run.expectations), failed_expectations=failed, files=len(run.artifacts)))
    return run


def _check_installed(plan: Plan) -> None:
    """Everything that runs needs the packages of the extra `run`; planning and checking do not."""
    missing = [p for p in ("numpy", "torch", "transformers", "safetensors") if find_spec(p) is None]
    if plan.steps and missing:
        message = f"running needs {', '.join(f'`{p}`' for p in missing)}"
        help = "install it with `pip install 'steerlang[run]'`"
        raise SteerlangError((error(codes.MISSING_EXTRA, None, message, help=help, place="run"),))


def _judge(run: Run, sink: EventSink) -> None:
    """Hold every expectation against what was measured."""
    for expectation in _expectations(run):
        run.expectations.append(expectation)
        sink.emit(Expectation(label=expectation.label, holds=expectation.holds, found=expectation.numbers))
        if expectation.diagnostic is not None:
            run.found.append(expectation.diagnostic)
            sink.emit(DiagnosticEvent(diagnostic=expectation.diagnostic))


def _resources(program: Program) -> Resources:
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
    for package in ("torch", "transformers", "numpy"):
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            continue
    return found


def _expectations(run: Run) -> list[ExpectationResult]:
    """Every expectation that could be judged, in the order written."""
    found: list[ExpectationResult] = []
    for symbol in run.wanted("expect"):
        table = run.program.compiled.tables[symbol.label]
        text = " ".join(symbol.definition.value.span.text.split())
        for label, cell in cells_of(table):
            if isinstance(cell.value, bool):
                found.append(ExpectationResult(label, cell.value, text, None, None, "", symbol.definition.value.span))
            elif isinstance(cell.value, ConditionValue) and (payload := run.payload(cell.value.node)) is not None:
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


def _write(run: Run, sink: EventSink) -> None:
    """Write exports, then reports. A file that cannot be written is reported and stops nothing else."""
    for kind in ("export", "report"):
        for symbol in run.wanted(kind):
            for label, cell in cells_of(run.program.compiled.tables[symbol.label]):
                if cell.value is POISON:
                    continue
                path, problem = _write_one(run, cell.value)
                if problem is not None:
                    run.found.append(problem)
                    sink.emit(DiagnosticEvent(diagnostic=problem))
                elif path is not None:
                    run.artifacts.append(path)
                    sink.emit(ArtifactWritten(label=label, path=str(path), bytes=path.stat().st_size))


def _write_one(run: Run, value: object) -> tuple[Path | None, Diagnostic | None]:
    from steerlang.exports.files import ExportRefused, write_export

    span = value.span if isinstance(value, (ExportValue, ReportValue)) else None
    try:
        if isinstance(value, ExportValue):
            payload = run.payload(value.node)
            return (
                (write_export(payload, Path(value.path), value.overwrite), None)
                if payload is not None
                else (None, None)
            )
        if isinstance(value, ReportValue):
            from .pages import write_report

            return write_report(run, value), None
    except ExportRefused as refused:
        return None, error(codes.OUTPUT_EXISTS, span, str(refused), help=refused.help)
    except OSError as e:
        return None, error(
            codes.RUN_FAILED, span, f"cannot write `{e.filename}`: {e.strerror}", help="choose another place"
        )
    return None, None
