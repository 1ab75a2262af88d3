"""A plan as text: what each definition resolves to, then the steps with the reason why each runs and what it costs."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from steerlang.graph.plan import Cost, Entry, Plan
from steerlang.reports.findings import size
from steerlang.reports.gathering import shown_path
from steerlang.reports.layout import Screen, columns

if TYPE_CHECKING:
    from steerlang.api.planning import Explanation, PlanView
    from steerlang.language.compiling import Compiled


def render_plan(view: PlanView, program: Compiled, screen: Screen, verbose: int = 0) -> str:
    """The whole plan; `verbose` also lists every cached node and what it is."""
    plan = view.plan
    running = sum(e.run for e in plan.entries)
    cached = [e for e in plan.entries if e.needed and not e.run]
    lines: list[str] = []
    for explanation in view.explanations:
        # What resolves to nothing worth a line stands among the steps.
        if explanation.lines or verbose:
            lines += [*_explanation(explanation, screen, verbose), ""]
    if running:
        lines += [screen.paint("steps", "bold"), *_steps(view, screen), ""]
    if view.files:
        lines += [screen.paint("files", "bold"), *_files(view, screen), ""]
    if cached and verbose:
        lines += [screen.paint("cached", "bold"), *(f"  {e.label}" for e in cached), ""]
    new = sum(not f.exists for f in view.files)
    lines.append(_summary(program.source.name, plan, running, len(cached), new, screen))
    return "\n".join(lines) + "\n"


def _explanation(explanation: Explanation, screen: Screen, verbose: int) -> Iterator[str]:
    head = f"{explanation.kind} {screen.paint(explanation.label, 'bold')}"
    about = " ".join(explanation.description.split())
    room = screen.width - len(explanation.kind) - len(explanation.label) - 3
    yield f"{head}  {screen.paint(screen.cut(about, room), 'dim')}" if about and room > 20 else head
    for line in (*explanation.lines, *(explanation.details if verbose else ())):
        yield "  " + screen.clean(line)


def _steps(view: PlanView, screen: Screen) -> list[str]:
    entries = {e.node.key: e for e in view.plan.entries}
    rows: list[list[str]] = []
    for number, step in enumerate(view.plan.steps, 1):
        for i, node in enumerate(step.nodes):
            head = [str(number), step.operation] if i == 0 else ["", ""]
            rows.append([*head, *_row(entries[node.key], view, screen)])
    return columns(rows, [True, False, False, False, False])


def _files(view: PlanView, screen: Screen) -> list[str]:
    rows = [[f.label, screen.clean(shown_path(Path(f.path))), "replaced" if f.exists else "new"] for f in view.files]
    return columns(rows, [False, False, False])


def _row(entry: Entry, view: PlanView, screen: Screen) -> list[str]:
    reason = screen.cut(screen.clean(str(entry.reason)), max(24, screen.width // 2))
    return [screen.cut(entry.label, 36), reason, _cost(view.costs.get(entry.node.key))]


def _cost(cost: Cost | None) -> str:
    if cost is None:
        return ""
    tokens = f"{cost.tokens:,} tokens" if cost.tokens is not None else ""
    return ", ".join(part for part in (tokens, cost.note, size(cost.bytes) if cost.bytes else "") if part)


def _summary(name: str, plan: Plan, running: int, cached: int, files: int, screen: Screen) -> str:
    if not running and files:
        return f"{name}: {screen.paint('files to write', 'yellow')}: {files}, {cached} cached"
    if not running:
        return f"{name}: {screen.paint('nothing to do', 'green')}, {cached} cached"
    steps = "1 step" if len(plan.steps) == 1 else f"{len(plan.steps)} steps"
    return f"{name}: {screen.paint(f'{running} to run', 'yellow')} in {steps}, {cached} cached"
