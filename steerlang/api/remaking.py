"""The page of a program made of what is stored, without running anything."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

from steerlang.diagnostics import Diagnostic, codes, error
from steerlang.engine.errors import Damaged
from steerlang.engine.outcome import Outcome, RunResults
from steerlang.engine.sinks import NoSink
from steerlang.language.compiling import cells_of
from steerlang.language.values import ReportValue
from steerlang.source import Span

from .results import Run
from .running import judge, resources_of
from .settings import SteerlangError

if TYPE_CHECKING:
    from steerlang.engine.record import Record
    from steerlang.engine.store import Store
    from steerlang.graph.plan import Plan

    from .program import Program

_SHOWN = ("metric", "samples")


@dataclass(frozen=True)
class Remade:
    """Pages that were written, and what there is to say: `missing` results are not on them."""

    paths: tuple[Path, ...]
    missing: int = 0
    diagnostics: tuple[Diagnostic, ...] = ()


def remake(program: Program, to: str | Path | None = None) -> Remade:
    """Write the reports of a program, or one page to `to`, of the results that are stored. Nothing is carried out: what
    is not there is left out and counted. Raises SteerlangError."""
    if find_spec("numpy") is None:
        message, help = "reading results needs `numpy`", "install it with `pip install 'steerlang[run]'`"
        raise SteerlangError((error(codes.MISSING_EXTRA, None, message, help=help, place="report"),))
    pages = list(_pages(program, to))
    if not pages:
        message = "the program has no report, so the page has no place"
        help = 'say where: `--to out/page.html`, or write `report page = html(to = "out/page.html")`'
        raise SteerlangError((error(codes.USAGE, None, message, help=help, place=program.name),))
    store = program.settings.store()
    with store.in_use():
        run = _stored(program, store)
        missing = len(run.results.skipped)
        if missing:
            run.found.append(_incomplete(missing, program.name))
        paths = tuple(_written(run, page, to) for page in pages)
    return Remade(paths, missing, tuple(run.found))


def _pages(program: Program, to: str | Path | None) -> Iterator[ReportValue]:
    source = program.compiled.source
    if to is not None:
        yield ReportValue(str(to), {"title": None}, Span(source, 0, 0))
        return
    for table in program.compiled.tables.values():
        yield from (cell.value for _, cell in cells_of(table) if isinstance(cell.value, ReportValue))


def _stored(program: Program, store: Store) -> Run:
    """A run of which everything was there, or was not made."""
    own = program.compiled.module.symbols.values()
    shown = [s.label for s in own if s.kind in _SHOWN]
    names = list(dict.fromkeys([*(s.label for s in program.compiled.targets()), *shown]))
    plan = program.planned(store, names)
    there = tuple(e.node for e in plan.entries if e.needed and not e.run)
    missing = tuple(e.node for e in plan.entries if e.run)
    results = RunResults(store, Outcome.DONE, (), there, (), missing, (), _records(plan, store), 0.0)
    run = Run(program, plan, results, resources_of(program))
    judge(run, NoSink())
    return run


def _records(plan: Plan, store: Store) -> dict[str, Record]:
    found: dict[str, Record] = {}
    for entry in plan.entries:
        with suppress(Damaged):
            record = store.record(entry.node.key)
            if record is not None:
                found[entry.node.key] = record
    return found


def _written(run: Run, page: ReportValue, to: str | Path | None) -> Path:
    from steerlang.exports.files import ExportRefused

    from .pages import write_report

    found: Path | Diagnostic
    span = page.span if to is None else None
    place = None if to is None else f"--to {to}"
    try:
        found = write_report(run, page)
    except ExportRefused as refused:
        found = error(codes.OUTPUT_EXISTS, span, str(refused), help=refused.help, place=place)
    except OSError as e:
        reason = f"cannot write `{page.path}`: {(e.strerror or str(e)).lower()}"
        found = error(codes.RUN_FAILED, span, reason, help="choose another place", place=place)
    if isinstance(found, Diagnostic):
        raise SteerlangError((found,))
    return found


def _incomplete(missing: int, name: str) -> Diagnostic:
    what = "1 result is not stored" if missing == 1 else f"{missing} results are not stored"
    return Diagnostic(
        codes.INCOMPLETE_REPORT, f"{what}, and what needs them is not on the page", place=name,
        help=(f"`steerlang run {name}` makes what its targets need; a `report` needs every metric and all samples",),
    )  # fmt: skip
