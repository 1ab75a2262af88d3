"""Arithmetic and comparisons of measured numbers, and choosing among points."""

from __future__ import annotations

import math
import operator
from collections.abc import Callable, Mapping
from typing import Any

from steerlang.diagnostics import codes
from steerlang.engine.operation import Context, Task
from steerlang.engine.payload import Payload

from .base import Single, fail, inputs
from .metric import Metric, condition
from .metric_tables import paired

_BINARY: Mapping[str, Callable[[float, float], float]] = {
    "+": operator.add,
    "-": operator.sub,
    "*": operator.mul,
    "/": operator.truediv,
}
_COMPARE: Mapping[str, Callable[[float, float], bool]] = {
    "==": operator.eq,
    "!=": operator.ne,
    "<=": operator.le,
    ">=": operator.ge,
    "<": operator.lt,
    ">": operator.gt,
}


def _values(task: Task, field: str) -> list[Any]:
    """The operands of a node: results of inputs by their place, plain values as they are."""
    given = inputs(task)
    operands: Any = task.node.options["operands"]
    return [given[o["input"]].meta[field] if "input" in o else o["value"] for o in operands]


def _arithmetic(task: Task, _: Context) -> Payload:
    symbol = str(task.node.options["operator"])
    values = [float(v) for v in _values(task, "value")]
    if symbol == "negate":
        return Metric(-values[0]).payload()
    if symbol == "/" and values[1] == 0:
        return Metric(math.nan).payload()
    return Metric(_BINARY[symbol](values[0], values[1])).payload()


def _extreme(task: Task, _: Context) -> Payload:
    """The largest (or smallest) of some metrics, with its interval; NaN where one of them is."""
    sign: Any = task.node.options["sign"]
    found = inputs(task)
    values = [float(p.meta["value"]) for p in found]  # type: ignore[arg-type]
    if any(math.isnan(v) for v in values):
        return Metric(math.nan).payload()
    return found[max(range(len(values)), key=lambda i: (sign * values[i], -i))]


def _difference(task: Task, _: Context) -> Payload:
    """A metric less another of the same samples, with the interval of their pairs."""
    found, base = (Metric.of(p) for p in inputs(task))
    return paired(found, base).payload()


def _entry(task: Task, _: Context) -> Payload:
    """One number of a metric that has several, by its name."""
    name = str(task.node.options["name"])
    metric = Metric.of(inputs(task)[0])
    try:
        return metric[name].payload()
    except KeyError as problem:
        there = ", ".join(f"`{n}`" for n in metric.lines.numbers) if metric.lines is not None else ""
        raise fail(codes.NO_SUCH_ENTRY, str(problem.args[0]), f"there are {there}" if there else "") from None


def _compare(task: Task, _: Context) -> Payload:
    symbol = str(task.node.options["operator"])
    left, right = (float(v) for v in _values(task, "value"))
    return condition(_COMPARE[symbol](left, right), left, right, symbol)


def _logic(task: Task, _: Context) -> Payload:
    symbol = str(task.node.options["operator"])
    values = [bool(v) for v in _values(task, "holds")]
    if symbol == "not":
        return condition(not values[0], values[0], None, symbol)
    holds = all(values) if symbol == "and" else any(values)
    return condition(holds, values[0], values[1], symbol)


def _choose(task: Task, _: Context) -> Payload:
    """The point where a metric is best among those allowed; the first of equals."""
    options: Any = task.node.options
    given = inputs(task)
    count = options["points"]
    conditions = iter(given[count:])
    allowed = [bool(next(conditions).meta["holds"]) if a is None else a for a in options["allowed"]]
    values = [float(p.meta["value"]) for p in given[:count]]  # type: ignore[arg-type]
    points = [i for i in range(count) if allowed[i] and not math.isnan(values[i])]
    if not points:
        raise fail(
            codes.RUN_FAILED,
            "no point of the sweep meets the condition it is chosen by",
            "widen the sweep, or loosen the `where`",
        )
    best = max(points, key=lambda i: (options["sign"] * values[i], -i))
    return Payload("point", {"index": best, "value": values[best]})


def _pick(task: Task, _: Context) -> Payload:
    where, *cells = inputs(task)
    index = where.meta["index"]
    assert isinstance(index, int)
    return cells[index]


OPERATIONS = {
    "metric.arithmetic": Single(_arithmetic),
    "metric.compare": Single(_compare),
    "metric.difference": Single(_difference),
    "metric.entry": Single(_entry),
    "metric.extreme": Single(_extreme),
    "condition.logic": Single(_logic),
    "choose": Single(_choose),
    "pick": Single(_pick),
}
