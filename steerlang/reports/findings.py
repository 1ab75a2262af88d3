"""What a run found, as plain values: all that terminal and page need, and nothing that needs torch."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from steerlang.language.types import LISTED

from .board import Board, Scatter
from .gains import Gain
from .origins import Origin

Label = object  # a sweep value or the name of a model
Labels = tuple[Label, ...]


@dataclass(frozen=True)
class Expected:
    """An expectation: its text in the program, whether it holds (None: it was not judged), the two sides as measured
    (None: not numbers), and where it is written."""

    label: str
    holds: bool | None
    text: str
    left: float | bool | None = None
    right: float | bool | None = None
    operator: str = ""
    place: str = ""


@dataclass(frozen=True)
class MetricRow:
    """A measured number at one point of the axes, with its 95 % interval and how many samples it is the mean of.

    origin  what it is of, None where it is not of one model
    gain    its distance from what it is held against, where that was measured, too
    """

    labels: Labels
    value: float
    interval: tuple[float, float] | None = None
    count: int = 0
    origin: Origin | None = None
    gain: Gain | None = None


@dataclass(frozen=True)
class MetricTable:
    """A metric at all points of its axes; `axes` are their names, the labels of each row stand in their order.

    unit         what it is measured in: `share of replies`
    means        what the points of an axis are: `scale of add`
    of_steering  whether it holds steered models against the unsteered one by itself
    """

    name: str
    axes: tuple[str, ...]
    rows: tuple[MetricRow, ...]
    description: str = ""
    unit: str = ""
    means: Mapping[str, str] = field(default_factory=dict)
    of_steering: bool = False

    @property
    def points(self) -> tuple[Labels, ...]:
        return tuple(row.labels for row in self.rows)


@dataclass(frozen=True)
class SampleColumn:
    """What was generated at one point of the axes: completions in the order of the table's prompts.

    gate_open  on how many prompts some gate of the model was open, None where it has none
    origin     what model wrote them
    """

    labels: Labels
    completions: tuple[str, ...]
    gate_open: int | None = None
    origin: Origin | None = None


@dataclass(frozen=True)
class SampleTable:
    """Generated texts side by side: for each prompt one completion a column. `images` are paths of what was shown with
    each prompt; empty where there was none."""

    name: str
    axes: tuple[str, ...]
    prompts: tuple[str, ...]
    columns: tuple[SampleColumn, ...]
    description: str = ""
    images: tuple[str, ...] = ()


@dataclass(frozen=True)
class VectorTable:
    """A vector by layer.

    norms        length of the direction in each of `layers`
    state_norms  mean norm of the states it was read from, in each layer
    quality      measures of the extraction by name (cosine, AUC, …), one number a layer, None where there is none
    facts        what it is, in words: model, site, tokens, method
    random       whether it is a random direction
    """

    name: str
    layers: tuple[int, ...]
    norms: tuple[float, ...]
    state_norms: tuple[float, ...] = ()
    quality: Mapping[str, tuple[float | None, ...]] | None = None
    facts: Mapping[str, str] | None = None
    description: str = ""
    random: bool = False


@dataclass(frozen=True)
class CoefficientTable:
    """Coefficients that were found: `values[i][j]` of task vector `vectors[i]` and block `blocks[j]`.

    losses  the loss before each step, in order; empty where nothing was learned
    facts   how they were found, in words
    """

    name: str
    vectors: tuple[str, ...]
    blocks: tuple[str, ...]
    values: tuple[tuple[float, ...], ...]
    losses: tuple[float, ...] = ()
    facts: Mapping[str, str] | None = None


@dataclass(frozen=True)
class EditTable:
    """An edited model, or an adapter that was written: what its receipt measured.

    counts    tensors copied, cast, computed, excluded, left out
    norm      of the change
    survived  share of the change that survives the dtype, and `unmoved` the share of its entries that it does not move
    cut       share of the norm that is lost where task vectors were cut to a rank
    vectors   norm of each task vector, in all and by block
    pairs     two task vectors, their cosine, and the share of entries whose signs differ
    by_block  norm of the change
    ranks     of an adapter's modules
    """

    name: str
    counts: Mapping[str, int]
    norm: float
    survived: float | None = None
    unmoved: float | None = None
    cut: float | None = None
    vectors: Mapping[str, tuple[float, Mapping[str, float]]] = field(default_factory=dict)
    pairs: tuple[tuple[str, str, float | None, float | None], ...] = ()
    by_block: Mapping[str, float] = field(default_factory=dict)
    ranks: tuple[int, ...] = ()


@dataclass(frozen=True)
class DetailTable:
    """A table of any columns: what a metric is made of, a dictionary of concepts, a shift. Cells are numbers, texts,
    lists of them, or None; `note` is a line on the whole."""

    name: str
    columns: tuple[str, ...]
    rows: tuple[tuple[Any, ...], ...]
    note: str = ""


@dataclass(frozen=True)
class Artifact:
    """A file the run wrote, under the path it is shown by."""

    path: str
    bytes: int | None = None


@dataclass(frozen=True)
class Tally:
    """How a run went: nodes carried out, taken from the cache, failed, skipped; and how long it took."""

    outcome: str = "done"
    made: int = 0
    cached: int = 0
    failed: int = 0
    skipped: int = 0
    seconds: float = 0.0


@dataclass(frozen=True)
class Findings:
    """All that one run of a program found."""

    program: str
    text: str = ""
    expectations: Sequence[Expected] = ()
    metrics: Sequence[MetricTable] = ()
    samples: Sequence[SampleTable] = ()
    vectors: Sequence[VectorTable] = ()
    coefficients: Sequence[CoefficientTable] = ()
    artifacts: Sequence[Artifact] = ()
    tally: Tally = Tally()
    edits: Sequence[EditTable] = ()
    details: Sequence[DetailTable] = ()
    boards: Sequence[Board] = ()
    scatters: Sequence[Scatter] = ()
    chosen: Sequence[tuple[str, str]] = ()  # definitions that are points of a sweep, and the point: `best`, `s = 0.1`


class Together(str):
    """The label of several points in one row: it stands by itself, without the name of its axis."""


def gate_notes(table: SampleTable) -> list[str]:
    """On how many prompts gates were open, a line for each column with one: `kind: gate open on 12 of 30 prompts`."""
    of = len(table.prompts)
    found = ((point_text(table.axes, c.labels), c.gate_open) for c in table.columns)
    unit = "prompt" if of == 1 else "prompts"
    return [f"{f'{name}: ' if name else ''}gate open on {n} of {of} {unit}" for name, n in found if n is not None]


def label_text(axis: str, label: Label) -> str:
    """How a point is called: models and dictionaries by their name, others by axis and value."""
    if isinstance(label, Together):
        return label
    return str(label) if axis in LISTED and isinstance(label, str) else f"{axis} = {plain(label)}"


def point_text(axes: Sequence[str], labels: Sequence[Label]) -> str:
    """How a point of several axes is called: `kind, s = 0.1`."""
    return ", ".join(label_text(a, x) for a, x in zip(axes, labels, strict=True))


def plain(label: Label) -> str:
    """A label as the program would write it."""
    if isinstance(label, bool):
        return "true" if label else "false"
    return number(label) if isinstance(label, float) else str(label)


def number(value: float | bool | None) -> str:
    """A number in four significant digits; nothing for None."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value) if isinstance(value, int) else f"{value:.4g}"


def size(count: int) -> str:
    """Bytes as people say them, in binary units: `812 B`, `1.5 MiB`."""
    amount = float(count)
    for unit in ("B", "KiB", "MiB", "GiB"):
        if amount < 1024 or unit == "GiB":
            return f"{amount:.0f} {unit}" if unit == "B" or amount >= 100 else f"{amount:.1f} {unit}"
        amount /= 1024
    raise AssertionError("unreachable")


def selector_text(value: Any) -> str:
    """A selector, a site or a method's options as one writes them: `last`, `at("please")`, `center = none`."""
    if isinstance(value, (list, tuple)):
        return ", ".join(selector_text(v) for v in value)
    if not isinstance(value, dict):
        return str(value)
    if "select" not in value:
        return ", ".join(f"{k} = {v}" for k, v in value.items())
    arguments = [json.dumps(v, ensure_ascii=False) for k, v in value.items() if k != "select"]
    return f"{value['select']}({', '.join(arguments)})" if arguments else str(value["select"])
