"""The sections of the page that are short, each a function from what there is to show to markup."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from pathlib import PurePath

from steerlang.engine.events import duration

from .background import Carried, Told
from .edits import edits_html
from .expected import Line, lines, numbers_text
from .findings import CoefficientTable, Findings, number, size
from .heatmap import heatmaps
from .html_parts import (
    Markup,
    Page,
    anchor,
    base_name,
    definitions,
    fold,
    grid,
    heading,
    line_of,
    named,
    plural,
    quoted,
)
from .svg import Point, Series, chart
from .terminal import seconds


def head(findings: Findings, title: str, date: str) -> str:
    tally, expected = findings.tally, findings.expectations
    holding = sum(e.holds is True for e in expected)
    good = tally.outcome == "done" and holding == len(expected)
    state = tally.outcome
    if expected and tally.outcome == "done":
        state = f"{holding} of {len(expected)} expectations hold"
    counts = [f"{tally.made} run", f"{tally.cached} reused"]
    counts += [f"{n} {word}" for n, word in ((tally.failed, "failed"), (tally.skipped, "skipped")) if n]
    place = PurePath(findings.program)
    facts = (place.name if place.is_absolute() else findings.program, date, *counts, seconds(tally.seconds))
    line = " · ".join(escape(fact) for fact in facts if fact)
    strong = f'<strong class="{"good" if good else "bad"}">{escape(state)}</strong>'
    top = f'<h1>{escape(title)}</h1>\n<p class="soft">{strong} · {line}</p>\n'
    return f"<header>\n{top}{_incomplete(findings)}</header>"


def _incomplete(findings: Findings) -> str:
    if findings.tally.outcome == "done":
        return ""
    words = {"failed": "This run failed", "interrupted": "This run was interrupted"}
    why = words.get(findings.tally.outcome, f"This run is {findings.tally.outcome}")
    return f'<p class="alert" role="alert">{why}: what it did not make is missing below.</p>\n'


def contents(names: Sequence[str]) -> str:
    """Links to the sections."""
    items = "".join(f'<li><a href="#{anchor("s", n.lower())}">{escape(n)}</a></li>' for n in names)
    return f'<nav aria-label="sections"><ul>{items}</ul></nav>' if len(names) > 1 else ""


# ---- expectations, and what the run had to say -----------------------------------------------------------------------


_HEADS = ("", "expectation", "condition", "measured")


def expectations(page: Page) -> str:
    """A row for each; where one has many points, a row for all, and one for each at which it does not hold."""
    rows = []
    seen: set[str] = set()
    for line in lines(page.findings.expectations):
        rows.append(_expectation(page, line, first=base_name(line.label) not in seen))
        seen.add(base_name(line.label))
        if line.points:
            each = [[e.label, _STATES[e.holds][1], numbers_text(e)] for e in line.points]
            rows[-1][3] = Markup(rows[-1][3] + fold("every point", grid(["point", "", "measured"], each, 3)))
    return grid(_HEADS, rows, 4, "expectations") if rows else ""


def _expectation(page: Page, e: Line, first: bool) -> list[str]:
    sign, words, style = _STATES[e.holds]
    state = f'<strong class="{style}"><span aria-hidden="true">{sign}</span><span class="said">{words}</span></strong>'
    own = f' id="{anchor("r", base_name(e.label))}"' if first else ""
    name = f'<strong{own} class="{style}">{escape(e.label)}</strong>{line_of(page, e.label)}'
    numbers = f'<span class="num">{escape(e.numbers)}</span>' if e.numbers else ""
    return [Markup(state), Markup(name), Markup(f"<code>{escape(e.text)}</code>"), Markup(numbers)]


_STATES = {True: ("✓", "holds", "good"), False: ("✗", "does not hold", "bad"), None: ("?", "was not judged", "soft")}


def told(page: Page) -> str:
    """Errors first, then warnings and notes."""
    order = {"error": 0, "warning": 1}
    found = sorted(page.background.told, key=lambda t: order.get(t.severity, 2))
    # Expectations that failed stand above.
    items = [_told(t) for t in found if t.code != "SL803"]
    return '<ul class="told">\n' + "\n".join(items) + "\n</ul>" if items else ""


def _told(t: Told) -> str:
    style = "bad" if t.severity == "error" else "soft"
    place = f'<a href="#L{t.line}">{escape(t.place)}</a>' if t.line else escape(t.place)
    helps = "".join(f"<br><span class=\"soft\">{quoted(h)}</span>" for h in t.help)
    where = f' <span class="soft">({place})</span>' if place else ""
    return f'<li><strong class="{style}">{t.severity} {t.code}</strong> {quoted(t.message)}{where}{helps}</li>'


# ---- coefficients, weights, files ------------------------------------------------------------------------------------


def coefficients(page: Page) -> str:
    return "\n".join(_coefficients(page, t) for t in page.findings.coefficients)


def _coefficients(page: Page, table: CoefficientTable) -> str:
    points = tuple(Point(float(step), loss) for step, loss in enumerate(table.losses))
    curve = chart([Series("loss", points)], f"loss of {table.name} before each step", "step", "loss")
    shown = _single(table) if len(table.blocks) == 1 else heatmaps(table)
    # Why these were kept stands in the sentence on the coefficients.
    facts = {name: value for name, value in (table.facts or {}).items() if name != "why"}
    return heading(page, table.name) + definitions(facts) + shown + curve


def _single(table: CoefficientTable) -> str:
    """Coefficients of one block: a number for each task vector."""
    rows = [[name, number(row[0])] for name, row in zip(table.vectors, table.values, strict=True)]
    return grid(["task vector", "coefficient"], rows, 1)


def weights(page: Page) -> str:
    return edits_html(page.findings.edits)


def artifacts(page: Page) -> str:
    rows = [[a.path, size(a.bytes) if a.bytes is not None else ""] for a in page.findings.artifacts]
    return grid(["file", "size"], rows, 1) if rows else ""


# ---- what ran --------------------------------------------------------------------------------------------------------


def carried(page: Page) -> str:
    """What ran and why; what was reused is folded away where there is much of it."""
    ran = [c for c in page.background.carried if c.state != "reused"]
    reused = [c for c in page.background.carried if c.state == "reused"]
    parts = []
    if ran:
        heads = ["definition", "operation", "state", "why", "results", "time"]
        parts.append(grid(heads, [_carried(page, c, ran=True) for c in ran], 4))
        parts.append('<p class="soft">what is made together in one pass is timed with the first of it</p>')
    elif reused:
        parts.append("<p>Nothing ran: every result was there.</p>")
    if reused:
        total = sum(c.count for c in reused)
        heads = ["definition", "operation", "results", "took, when made"]
        table = grid(heads, [_carried(page, c, ran=False) for c in reused], 2)
        parts.append(fold(f"{plural(total, 'result')} reused", table))
    return "\n".join(parts)


def _carried(page: Page, c: Carried, ran: bool) -> list[str]:
    name, time = named(page, c.definition), duration(c.seconds) if c.state in ("run", "reused") else ""
    if not ran:
        return [name, c.operation, str(c.count), time]
    style = {"failed": "bad", "skipped": "soft"}.get(c.state, "")
    state = f'<span class="{style}">{c.state}</span>' if style else c.state
    return [name, c.operation, Markup(state), c.why, str(c.count), time]


# ---- provenance ------------------------------------------------------------------------------------------------------


def provenance(page: Page) -> str:
    """Inputs with their digests, the lock, parameters, seeds and versions."""
    about = page.background
    parts = []
    if about.inputs:
        rows = [[i.kind, i.name, Markup(f'<code class="digest">{escape(i.digest)}</code>')] for i in about.inputs]
        parts.append(grid(["input", "name", "SHA-256"], rows, 3))
    facts: dict[str, str] = {}
    if about.lock:
        facts["lock"] = Markup(quoted(about.lock))
    facts |= {f"parameter {name}": value for name, value in about.parameters.items()}
    facts |= {f"seed of {name}": value for name, value in about.seeds.items()}
    facts |= dict(about.versions)
    parts.append(definitions(facts))
    return "\n".join(part for part in parts if part)
