"""How two metrics go together: `correlation`."""

from __future__ import annotations

from steerlang.language.lowering import Lowering
from steerlang.language.parameter_types import Choice, Value
from steerlang.language.signature import Call, Function, Parameter
from steerlang.language.types import METRIC
from steerlang.language.values import MetricValue

_BY = {"pearson": "Pearson's r", "spearman": "Spearman's: of the ranks"}


def _correlation(call: Call, low: Lowering) -> MetricValue:
    inputs = (call["x"].node, call["y"].node)
    return MetricValue(low.node("metric.correlation", {"by": call["by"]}, inputs, "metric"))


FUNCTIONS = (
    Function(
        "correlation",
        "how two metrics go together, sample by sample or concept by concept",
        "metrics",
        (
            Parameter("x", Value((METRIC,)), "a metric with a number for each sample or concept"),
            Parameter("y", Value((METRIC,)), "another of the same samples or concepts"),
        ),
        (Parameter("by", Choice(_BY), "which coefficient", "pearson"),),
        METRIC,
        _correlation,
    ),
)
