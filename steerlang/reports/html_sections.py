"""The sections of the HTML page, each a function from findings to markup. Every text is escaped here."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape

from .curves import curves
from .findings import (
    Artifact,
    CoefficientTable,
    Expected,
    Findings,
    MetricTable,
    SampleColumn,
    SampleTable,
    VectorTable,
    gate_notes,
    is_random,
    number,
    plain,
    point_text,
    size,
)
from .heatmap import heatmaps
from .svg import Point, Series, chart
from .terminal import layers_text, numbers_text

MOST_OPEN = 12  # prompts shown before the rest is folded away


def section(name: str, content: str) -> str:
    return f"<section>\n<h2>{escape(name)}</h2>\n{content}\n</section>" if content else ""


def _title(name: str, description: str) -> str:
    about = f'\n<p class="soft">{escape(description)}</p>' if description else ""
    return f"<h3><code>{escape(name)}</code></h3>{about}\n"


def head(findings: Findings, title: str, date: str) -> str:
    tally, expected = findings.tally, findings.expectations
    holding = sum(e.holds is True for e in expected)
    good = tally.outcome == "done" and holding == len(expected)
    state = tally.outcome
    if expected and tally.outcome == "done":
        state = f"{holding} of {len(expected)} expectations hold"
    line = " · ".join(escape(w) for w in (findings.program, date, f"{tally.made} run", f"{tally.cached} cached") if w)
    strong = f'<strong class="{"good" if good else "bad"}">{escape(state)}</strong>'
    return f'<header>\n<h1>{escape(title)}</h1>\n<p class="soft">{strong} · {line}</p>\n</header>'


def expectations(found: Sequence[Expected]) -> str:
    items = "\n".join(map(_expectation, found))
    return section("Expectations", f'<ul class="expectations">\n{items}\n</ul>' if items else "")


def _expectation(e: Expected) -> str:
    sign, style = {True: ("✓", "good"), False: ("✗", "bad"), None: ("?", "soft")}[e.holds]
    numbers = f' <span class="soft num">{escape(numbers_text(e))}</span>' if numbers_text(e) else ""
    return f'<li><strong class="{style}">{sign} {escape(e.label)}</strong> <code>{escape(e.text)}</code>{numbers}</li>'


def metrics(tables: Sequence[MetricTable], chosen: Sequence[tuple[str, str]] = ()) -> str:
    """Each metric as a chart and a table; `chosen` are names of points and the points."""
    points = "".join(f"<p>chosen: <code>{escape(n)}</code> is {escape(p)}</p>\n" for n, p in chosen)
    return section("Metrics", points + "\n".join(_metric(t, chosen) for t in tables))


def _metric(table: MetricTable, chosen: Sequence[tuple[str, str]]) -> str:
    heads = [*table.axes, table.name]
    rows = [[*map(plain, r.labels), number(r.value)] for r in table.rows]
    if any(r.interval for r in table.rows):
        heads.append("95 % interval")
        rows = [[*row, _interval(r.interval)] for row, r in zip(rows, table.rows, strict=True)]
    if any(r.count for r in table.rows):
        heads.append("n")
        rows = [[*row, str(r.count or "")] for row, r in zip(rows, table.rows, strict=True)]
    return _title(table.name, table.description) + curves(table, chosen) + grid(heads, rows, len(table.axes))


def _interval(interval: tuple[float, float] | None) -> str:
    return f"{number(interval[0])} … {number(interval[1])}" if interval else ""


def grid(heads: Sequence[str], rows: Sequence[Sequence[str]], texts: int) -> str:
    """A table whose first `texts` columns are text and the others numbers."""
    styles = [""] * texts + [' class="num"'] * (len(heads) - texts)

    def cells(tag: str, row: Sequence[str]) -> str:
        return "".join(f"<{tag}{style}>{escape(cell)}</{tag}>" for cell, style in zip(row, styles, strict=True))

    body = "\n".join(f"<tr>{cells('td', row)}</tr>" for row in rows)
    top = f"<thead><tr>{cells('th', heads)}</tr></thead>"
    return f'<div class="wide"><table>\n{top}\n<tbody>\n{body}\n</tbody></table></div>'


def samples(tables: Sequence[SampleTable]) -> str:
    return section("Samples", "\n".join(_samples(t) for t in tables if t.prompts))


def _samples(table: SampleTable) -> str:
    random = [c for c in table.columns if any(map(is_random, c.labels))]
    plain_ones = [c for c in table.columns if c not in random]
    notes = "".join(f'<p class="soft">{escape(words)}</p>\n' for words in gate_notes(table))
    shown = _prompts(table, plain_ones or random)
    if plain_ones and random:
        shown += _folded(f"{len(random)} random direction{'s' * (len(random) > 1)}", _prompts(table, random))
    return _title(table.name, table.description) + notes + shown


def _prompts(table: SampleTable, columns: Sequence[SampleColumn]) -> str:
    """Some columns of a table, all but the first prompts folded away."""
    heads = ["prompt", *(point_text(table.axes, c.labels) or table.name for c in columns)]
    # Most replies begin with the blank that parts them from their prompts.
    rows = [[prompt, *(c.completions[i].lstrip(" ") for c in columns)] for i, prompt in enumerate(table.prompts)]
    rest = rows[MOST_OPEN:]
    shown = _side_by_side(heads, rows[:MOST_OPEN])
    more = f"{len(rest)} more prompt{'s' * (len(rest) > 1)}"
    return shown + (_folded(more, _side_by_side(heads, rest)) if rest else "")


def _folded(name: str, content: str) -> str:
    return f"\n<details><summary>{escape(name)}</summary>\n{content}\n</details>"


def _side_by_side(heads: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    top = "".join(f"<th>{escape(h)}</th>" for h in heads)
    body = "\n".join("<tr>" + "".join(f"<td>{escape(cell)}</td>" for cell in row) + "</tr>" for row in rows)
    return f'<table class="samples">\n<thead><tr>{top}</tr></thead>\n<tbody>\n{body}\n</tbody></table>'


def vectors(tables: Sequence[VectorTable]) -> str:
    return section("Vectors", "\n".join(map(_vector, tables)))


def _vector(table: VectorTable) -> str:
    quality = table.quality or {}
    heads = ["layer", "length", *(["share of the states"] if table.state_norms else []),
             *(name.replace("_", " ") for name in quality)]
    rows = []
    for i, layer in enumerate(table.layers):
        state = table.state_norms[i] if table.state_norms else 0.0
        share = [f"{100 * table.norms[i] / state:.3g} %" if state else ""] if table.state_norms else []
        rows.append([str(layer), number(table.norms[i]), *share, *(number(values[i]) for values in quality.values())])
    facts = definitions({"layers": layers_text(table.layers), **(table.facts or {})})
    return _title(table.name, table.description) + facts + grid(heads, rows, 1)


def coefficients(tables: Sequence[CoefficientTable]) -> str:
    return section("Coefficients", "\n".join(map(_coefficients, tables)))


def _coefficients(table: CoefficientTable) -> str:
    points = tuple(Point(float(step), loss) for step, loss in enumerate(table.losses))
    curve = chart([Series("loss", points)], f"loss of {table.name} before each step", "step", "loss")
    shown = _single(table) if len(table.blocks) == 1 else heatmaps(table)
    # Why these were kept stands in the sentence on the coefficients.
    facts = {name: value for name, value in (table.facts or {}).items() if name != "why"}
    return _title(table.name, "") + definitions(facts) + shown + curve


def _single(table: CoefficientTable) -> str:
    """Coefficients of one block: a number for each task vector."""
    rows = [[name, number(row[0])] for name, row in zip(table.vectors, table.values, strict=True)]
    return grid(["task vector", "coefficient"], rows, 1)


def definitions(facts: Mapping[str, str]) -> str:
    items = "\n".join(f"<dt>{escape(name)}</dt><dd>{escape(value)}</dd>" for name, value in facts.items())
    return f"<dl>\n{items}\n</dl>\n" if items else ""


def artifacts(found: Sequence[Artifact]) -> str:
    rows = [[a.path, size(a.bytes) if a.bytes is not None else ""] for a in found]
    return section("Files", grid(["file", "size"], rows, 1) if rows else "")


def program(findings: Findings) -> str:
    return section("Program", f"<pre><code>{escape(findings.text)}</code></pre>" if findings.text else "")
