"""The results of a run on a terminal: compact, aligned, without colours and beyond-ASCII signs where there are none."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from itertools import groupby

from .details import details
from .edits import edits
from .expected import lines
from .findings import (
    CoefficientTable,
    Expected,
    Findings,
    SampleColumn,
    SampleTable,
    Tally,
    VectorTable,
    gate_notes,
    number,
    point_text,
    size,
)
from .layout import Screen, columns, pad, text_width
from .random_rows import is_random
from .terminal_metrics import metrics
from .terminal_parts import heading, more

MOST_ROWS = 40
MOST_PROMPTS = 3
MOST_COMPLETIONS = 6
MOST_VECTORS = 12
_SHORTEST = 12  # columns that a condition has at least


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


def chosen(findings: Findings, screen: Screen) -> list[list[str]]:
    """The points that were chosen while running."""
    if not findings.chosen:
        return []
    return [[heading("chosen", screen), *columns([list(pair) for pair in findings.chosen], [False, False])]]


# ---- vectors -------------------------------------------------------------------------------------------------------


def vectors(tables: Sequence[VectorTable], screen: Screen) -> list[list[str]]:
    if not tables:
        return []
    tables = _random_together(tables)
    rows = [("", "layers", "length", "of the states", *_QUALITY.values())]
    rows += [_vector(t, screen) for t in tables[:MOST_VECTORS]]
    filled = [i for i in range(len(rows[0])) if i < 2 or any(row[i] for row in rows[1:])]
    table = _fitting(rows, filled, screen)
    lines = [heading("vectors", screen), screen.paint(table[0], "dim"), *table[1:]]
    return [[*lines, *more(len(tables) - MOST_VECTORS, screen)]]


def _random_together(tables: Sequence[VectorTable]) -> list[VectorTable]:
    """The random directions of one definition as one row: they all have the lengths of what they stand for."""
    found: list[VectorTable] = []
    for (name, random), group in groupby(tables, key=lambda t: (t.name.partition("[")[0], t.random)):
        same = list(group)
        first = same[0]
        found += [replace(first, name=f"{name}, {len(same)} of them")] if random and len(same) > 1 else same
    return found


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
        top = heading(table.name, screen, " · ".join(x for x in (note, why) if x))
        found.append([top, screen.paint(lines[0], "dim"), *lines[1:],
                      *more(len(table.vectors) - MOST_VECTORS, screen)])  # fmt: skip
    return found


# ---- samples -------------------------------------------------------------------------------------------------------


def samples(tables: Sequence[SampleTable], screen: Screen) -> list[list[str]]:
    return [_samples(table, screen) for table in tables if table.prompts and table.columns]


def _samples(table: SampleTable, screen: Screen) -> list[str]:
    shown = _without_most_random(table)[:MOST_COMPLETIONS]
    names = [screen.cut(point_text(table.axes, c.labels) or "text", 24) for c in shown]
    wide = max(text_width(n) for n in (*names, "prompt"))
    room = screen.width - wide - 4
    chosen, note = _telling(table)
    lines = [heading(table.name, screen, note)]
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
    shown = lines(found)
    wide = max(text_width(signs[e.holds]) for e in shown)
    names = [screen.cut(e.label, 32) for e in shown]
    longest = screen.width - wide - max(map(text_width, names)) - _SHORTEST - 7
    numbers = [screen.cut(e.numbers, max(longest, _SHORTEST)) for e in shown]
    room = screen.width - wide - max(map(text_width, names)) - max(map(text_width, numbers)) - 7
    texts = [screen.cut(screen.clean(e.text), max(room, _SHORTEST)) for e in shown]
    rows = columns(list(zip(names, texts, numbers, strict=True)), [False, False, False], indent="")
    printed = []
    for e, row in zip(shown, rows, strict=True):
        color = {True: "green", False: "red", None: "yellow"}[e.holds]
        sign = screen.paint(pad(signs[e.holds], wide), color, "bold")
        printed.append(f"  {sign} {row if e.holds else screen.paint(row, color)}")
        if e.holds is False and e.place:
            printed.append(screen.paint(f"  {pad('', wide)} at {screen.clean(e.place)}", "dim"))
    return [[heading("expectations", screen), *printed]]


def artifacts(findings: Findings, screen: Screen) -> list[list[str]]:
    if not findings.artifacts:
        return []
    rows = [[a.path, size(a.bytes) if a.bytes is not None else ""] for a in findings.artifacts]
    return [[heading("written", screen), *columns(rows, [False, True])]]


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
