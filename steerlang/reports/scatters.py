"""Correlations of a run as points: one metric across, the other up, a point for each concept or sample."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from steerlang.graph.node import Node

from .board import Scatter
from .defined import Defined
from .findings import point_text


def scatters_of(metrics: Sequence[Defined]) -> tuple[Scatter, ...]:
    """The correlations of a run."""
    return tuple(scatter for metric in metrics for scatter in _of(metric))


def _of(metric: Defined) -> Iterator[Scatter]:
    for labels, node in metric.nodes.items():
        if node.operation != "metric.correlation" or labels not in metric.cells:
            continue
        found = metric.cells[labels]
        pairs = [(str(r["number"]), r["x"], r["y"]) for r in found.table.records()]
        x, y = (_called(n) for n in node.inputs)
        name = f"{metric.name}[{point_text(metric.axes, labels)}]" if metric.axes else metric.name
        points = tuple((n, float(a), float(b)) for n, a, b in pairs if a is not None and b is not None)
        yield Scatter(name, found.value, str(node.options["by"]), x, y, points)


def _called(metric: Node) -> str:
    """What a metric measures, in the words of its options: `consistency`, `gain of cosine`."""
    measure, form = metric.options.get("measure"), metric.options.get("as")
    words = metric.operation.removeprefix("metric.").replace("_", " ")
    if measure is None:
        return words
    return str(measure) if form is None else f"{form} of {measure}"
