"""The results of a run on a terminal: compact, aligned, without colours and beyond-ASCII signs where there are none."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from itertools import groupby

from .details import details
from .edits import edits
from .findings import (
    CoefficientTable,
    Expected,
    Findings,
    MetricTable,
    SampleColumn,
    SampleTable,
    Tally,
    VectorTable,
    banded,
    gate_notes,
    is_random,
    label_text,
    number,
    point_text,
    size,
)
from .layout import Screen, columns, pad, text_width

MOST_ROWS = 40
MOST_PROMPTS = 3
MOST_COMPLETIONS = 6
MOST_VECTORS = 12


def render(findings: Findings, screen: Screen) -> str:
    """All that a run found, as text that ends with a line break; expectations stand last, near the prompt."""
    sections = [
        *vectors(findings.vectors, screen), *coefficients(findings.coefficients, screen),
        *edits(findings.edits, screen), *details(findings.details, screen),
        *metrics(findings.metrics, screen), *samples(findings.samples, screen),
        *artifacts(findings, screen), *chosen(findings, screen), *expectations(findings.expectations, screen),
        [summary(findings.tally, screen)],
    ]
    return "\n".join("\n".join(lines) + "\n" for lines in sections if lines)


def _heading(name: str, screen: Screen, note: str = "") -> str:
    return screen.paint(name, "bold") + (f"  {screen.paint(note, 'dim')}" if note else "")


def chosen(findings: Findings, screen: Screen) -> list[list[str]]:
    """The points that were chosen while running."""
    if not findings.chosen:
        return []
    return [[_heading("chosen", screen), *columns([list(pair) for pair in findings.chosen], [False, False])]]


# ---- vectors -------------------------------------------------------------------------------------------------------


def vectors(tables: Sequence[VectorTable], screen: Screen) -> list[list[str]]:
    if not tables:
        return []
    rows = [("", "layers", "length", "of the states", *_QUALITY.values())]
    rows += [_vector(t, screen) for t in tables[:MOST_VECTORS]]
    filled = [i for i in range(len(rows[0])) if i < 2 or any(row[i] for row in rows[1:])]
    table = _fitting(rows, filled, screen)
    lines = [_heading("vectors", screen), screen.paint(table[0], "dim"), *table[1:]]
    return [[*lines, *_more(len(tables) - MOST_VECTORS, screen)]]


def _fitting(rows: Sequence[Sequence[str]], kept: list[int], screen: Screen) -> list[str]:
    """The columns `kept` of some rows; the last ones go where the screen is too narrow."""
    while True:
        table = columns([[row[i] for i in kept] for row in rows], [False, False, *[True] * (len(kept) - 2)])
        if len(kept) <= 3 or max(map(text_width, table)) <= screen.width:
            return table
        kept = kept[:-1]


# Measures of an extraction that are worth a column, under the names extraction gives them.
_QUALITY = {
    "held_out_auc": "held-out AUC", "split_half_cosine": "split-half cosine",
    "cosine_to_mean_difference": "to mean difference",
}


def _vector(table: VectorTable, screen: Screen) -> tuple[str, ...]:
    shares = [n / s for n, s in zip(table.norms, table.state_norms, strict=False) if s]
    quality = table.quality or {}
    found = (_span([v for v in quality.get(name, ()) if v is not None]) for name in _QUALITY)
    return (screen.cut(table.name, 28), layers_text(table.layers), _span(table.norms),
            _span(shares, percent=True), *found)


def _span(values: Sequence[float], percent: bool = False) -> str:
    """The smallest and the largest of some numbers."""
    if not values:
        return ""
    low, high = (f"{100 * v:.3g}%" if percent else f"{v:.3g}" for v in (min(values), max(values)))
    return low if low == high else f"{low}..{high}"


def layers_text(layers: Sequence[int]) -> str:
    """Layers with runs drawn together: `0..3, 8`."""
    parts = []
    for _, run in groupby(enumerate(layers), key=lambda pair: pair[1] - pair[0]):
        members = [layer for _, layer in run]
        parts.append(str(members[0]) if len(members) == 1 else f"{members[0]}..{members[-1]}")
    return ", ".join(parts)


# ---- coefficients --------------------------------------------------------------------------------------------------


def coefficients(tables: Sequence[CoefficientTable], screen: Screen) -> list[list[str]]:
    """Each task vector's coefficients by their spread, and how the loss went."""
    found: list[list[str]] = []
    for table in tables:
        rows: list[tuple[str, ...]] = [("", "blocks", "least", "mean", "most")]
        for name, values in list(zip(table.vectors, table.values, strict=True))[:MOST_VECTORS]:
            spread = (min(values), math.fsum(values) / len(values), max(values))
            rows.append((screen.cut(name, 28), str(len(values)), *(number(x) for x in spread)))
        lines = columns(rows, [False, True, True, True, True])
        note = f"loss {number(table.losses[0])} → {number(table.losses[-1])}" if table.losses else ""
        why = (table.facts or {}).get("why", "")
        heading = _heading(table.name, screen, " · ".join(x for x in (note, why) if x))
        found.append([heading, screen.paint(lines[0], "dim"), *lines[1:],
                      *_more(len(table.vectors) - MOST_VECTORS, screen)])  # fmt: skip
    return found


# ---- metrics -------------------------------------------------------------------------------------------------------


def metrics(tables: Sequence[MetricTable], screen: Screen) -> list[list[str]]:
    """Metrics of the same points as one table, those without axes as one list; random directions are one row."""
    tables = [banded(t) for t in tables]
    found: list[list[str]] = []
    single = [t for t in tables if not t.axes]
    if single:
        found.append(_single(single, screen))
    groups: dict[object, list[MetricTable]] = {}
    for table in tables:
        if table.axes:
            groups.setdefault((table.axes, table.points), []).append(table)
    for group in groups.values():
        found.extend(_grouped(group, screen))
    return found


def _single(tables: Sequence[MetricTable], screen: Screen) -> list[str]:
    rows = [[t.name, number(r.value), _interval(r.interval), f"n = {r.count}" if r.count else ""]
            for t in tables for r in t.rows]
    return [_heading("metrics", screen), *columns(rows, [False, True, False, False])]


def _grouped(tables: Sequence[MetricTable], screen: Screen) -> Iterator[list[str]]:
    """Tables of one set of points; as many metrics beside each other as the screen is wide."""
    first = tables[0]
    labels = [[label_text(a, x) for a, x in zip(first.axes, row.labels, strict=True)] for row in first.rows]
    taken = 2 + sum(max((text_width(row[i]) for row in labels), default=0) + 2 for i in range(len(first.axes)))
    batch: list[MetricTable] = []
    room = screen.width - taken
    for table in tables:
        needed = sum(_metric_width(table)) + 4
        if batch and needed > room:
            yield _block(batch, labels, screen)
            batch, room = [], screen.width - taken
        batch.append(table)
        room -= needed
    yield _block(batch, labels, screen)


def _metric_width(table: MetricTable) -> tuple[int, int]:
    values = max((len(number(r.value)) for r in table.rows), default=0)
    return max(values, len(table.name)), max((len(_interval(r.interval)) for r in table.rows), default=0)


def _block(tables: Sequence[MetricTable], labels: list[list[str]], screen: Screen) -> list[str]:
    rows = [[*[""] * len(labels[0]), *(x for t in tables for x in (t.name, ""))]]
    for i, names in enumerate(labels[:MOST_ROWS]):
        cells = (x for t in tables for x in (number(t.rows[i].value), _interval(t.rows[i].interval)))
        rows.append([*names, *cells])
    right = [*[False] * len(labels[0]), *[True, False] * len(tables)]
    lines = columns(rows, right)
    counts = sorted({r.count for t in tables for r in t.rows if r.count})
    note = f"n = {counts[0]}" if len(counts) == 1 else (f"n = {counts[0]}..{counts[-1]}" if counts else "")
    shown = [_heading("metrics", screen, note), screen.paint(lines[0], "cyan"), *lines[1:]]
    return [*shown, *_more(len(labels) - MOST_ROWS, screen)]


def _interval(interval: tuple[float, float] | None) -> str:
    return f"[{number(interval[0])}, {number(interval[1])}]" if interval is not None else ""


def _more(count: int, screen: Screen) -> list[str]:
    return [f"  {screen.sign('ellipsis')} and {count} more; `--format json` gives all"] if count > 0 else []


# ---- samples -------------------------------------------------------------------------------------------------------


def samples(tables: Sequence[SampleTable], screen: Screen) -> list[list[str]]:
    return [_samples(table, screen) for table in tables if table.prompts and table.columns]


def _samples(table: SampleTable, screen: Screen) -> list[str]:
    shown = _without_most_random(table)[:MOST_COMPLETIONS]
    names = [screen.cut(point_text(table.axes, c.labels) or "text", 24) for c in shown]
    wide = max(text_width(n) for n in (*names, "prompt"))
    room = screen.width - wide - 4
    chosen, note = _telling(table)
    lines = [_heading(table.name, screen, note)]
    lines += [screen.paint(f"  {screen.clean(words)}", "dim") for words in gate_notes(table)[:MOST_COMPLETIONS]]
    for i in chosen:
        pairs = [("prompt", table.prompts[i]), *((n, c.completions[i]) for n, c in zip(names, shown, strict=True))]
        block = columns([[n, screen.cut(screen.clean(text.strip()), room)] for n, text in pairs], [False, False])
        lines += [screen.paint(block[0], "dim"), *block[1:], ""]
    return lines[:-1]


def _without_most_random(table: SampleTable) -> list[SampleColumn]:
    """The columns of a table, of random directions only the first."""
    rest = [c for c in table.columns if not any(map(is_random, c.labels))]
    return rest + [c for c in table.columns if any(map(is_random, c.labels))][:1]


def _telling(table: SampleTable) -> tuple[list[int], str]:
    """Which prompts to show, first those whose texts differ most in number, and how many there are of what."""
    total = len(table.prompts)
    kinds = [len({c.completions[i] for c in table.columns}) for i in range(total)]
    chosen = sorted(sorted(range(total), key=lambda i: (-kinds[i], i))[:MOST_PROMPTS])
    differing = sum(k > 1 for k in kinds)
    prompts = f"{total} prompt{'s' * (total != 1)}"
    return chosen, prompts + (f", {differing} with differing texts" if len(table.columns) > 1 else "")


# ---- expectations, files, summary ----------------------------------------------------------------------------------


def expectations(found: Sequence[Expected], screen: Screen) -> list[list[str]]:
    if not found:
        return []
    signs = {holds: screen.sign(sign) for holds, sign in ((True, "yes"), (False, "no"), (None, "open"))}
    wide = max(text_width(signs[e.holds]) for e in found)
    names = [screen.cut(e.label, 32) for e in found]
    numbers = [numbers_text(e) for e in found]
    room = screen.width - wide - max(map(text_width, names)) - max(map(len, numbers)) - 7
    texts = [screen.cut(screen.clean(e.text), max(room, 12)) for e in found]
    rows = columns(list(zip(names, texts, numbers, strict=True)), [False, False, False], indent="")
    lines = []
    for e, row in zip(found, rows, strict=True):
        color = {True: "green", False: "red", None: "yellow"}[e.holds]
        sign = screen.paint(pad(signs[e.holds], wide), color, "bold")
        lines.append(f"  {sign} {row if e.holds else screen.paint(row, color)}")
        if e.holds is False and e.place:
            lines.append(screen.paint(f"  {pad('', wide)} at {screen.clean(e.place)}", "dim"))
    return [[_heading("expectations", screen), *lines]]


def numbers_text(e: Expected) -> str:
    """Both sides of an expectation as measured: `0.41 >= 0.23`."""
    if e.holds is None:
        return "not judged"
    return f"{number(e.left)} {e.operator} {number(e.right)}" if e.operator and e.left is not None else ""


def artifacts(findings: Findings, screen: Screen) -> list[list[str]]:
    if not findings.artifacts:
        return []
    rows = [[a.path, size(a.bytes) if a.bytes is not None else ""] for a in findings.artifacts]
    return [[_heading("written", screen), *columns(rows, [False, True])]]


def summary(tally: Tally, screen: Screen) -> str:
    """One line: how the run went."""
    parts = [f"{tally.made} run", f"{tally.cached} cached"]
    parts += [f"{n} {word}" for n, word in ((tally.failed, "failed"), (tally.skipped, "skipped")) if n]
    style = "green" if tally.outcome == "done" else "red"
    return f"{screen.paint(tally.outcome, style, 'bold')}: {', '.join(parts)} in {seconds(tally.seconds)}"


def seconds(value: float) -> str:
    if value < 9.95:
        return f"{value:.1f} s"
    whole = round(value)
    return f"{whole} s" if whole < 60 else f"{whole // 60} min {whole % 60:02} s"
