"""Parts of data: samples, splits, and rows without their labels."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from steerlang.diagnostics import codes, error
from steerlang.graph.node import Json
from steerlang.language import typed as t
from steerlang.language.lowering import Lowering
from steerlang.language.parameter_types import Choice, Data, Number
from steerlang.language.signature import Call, Function, Mismatch, Parameter
from steerlang.language.types import DATA, IMAGES, LABELLED, PAIRS, TEXTS, Type
from steerlang.language.values import POISON, DataValue

from .labels import has_labels


def _sample(call: Call, low: Lowering) -> Any:
    if call["by"] == "label":
        return _sample_by_label(call, low)
    data: DataValue = call["data"]
    if data.count is not None and call["k"] > data.count:
        low.report(
            error(
                codes.OUT_OF_BOUNDS,
                call.where("k"),
                f"`{call['k']}` rows cannot be drawn from {data.count}",
                help=f"give at most {data.count}",
            )
        )
        return POISON
    node = low.node("data.sample", {"k": call["k"], "seed": call["seed"]}, (data.node,), "rows")
    return replace(data, node=node, count=call["k"], classes=_uncounted(data))


def _sample_by_label(call: Call, low: Lowering) -> Any:
    """k rows of each class, as few-shot learning takes them."""
    data: DataValue = call["data"]
    if not has_labels(data, call.where("data"), "drawing by class", low):
        return POISON
    assert data.classes is not None
    k, counts, names = call["k"], data.classes.counts, data.classes.names
    short = [name for name in names if counts is not None and counts[name] < k]
    if short:
        assert counts is not None
        listed = ", ".join(f"`{name}` has {counts[name]}" for name in short[:10])
        low.report(
            error(
                codes.OUT_OF_BOUNDS,
                call.where("k"),
                f"{k} rows of each class cannot be drawn: {listed}",
                help=f"give at most {counts[min(short, key=lambda n: counts[n])]}"
                if all(counts[n] for n in short)
                else "leave out of `classes` what has no rows",
            )
        )
        return POISON
    options: dict[str, Json] = {"k": k, "seed": call["seed"], "by": "label", "classes": list(names)}
    node = low.node("data.sample", options, (data.node,), "rows")
    classes = replace(data.classes, counts=dict.fromkeys(names, k))
    return replace(data, node=node, count=k * len(names), classes=classes)


def _split(call: Call, low: Lowering) -> Any:
    data: DataValue = call["data"]
    options = {"fraction": call["fraction"], "part": call["part"], "seed": call["seed"]}
    node = low.node("data.split", options, (data.node,), "rows")
    # Equal rows stay together, so the sizes are not known beforehand.
    return replace(data, node=node, count=None, classes=_uncounted(data))


def _unlabelled(call: Call, low: Lowering) -> Any:
    data: DataValue = call["data"]
    if not data.labelled:
        return data
    if data.form == LABELLED and not any("text" in row for row in data.examples):
        message, help = "these rows hold labels and nothing else", 'name a column of texts: `text = "…"`'
        low.report(error(codes.MISSING_COLUMN, call.where("data"), message, help=help))
        return POISON
    node = low.node("data.unlabelled", {}, (data.node,), "rows")
    form = TEXTS if data.form == LABELLED else data.form
    examples = tuple({k: v for k, v in row.items() if k != "label"} for row in data.examples)
    return replace(data, node=node, form=form, examples=examples, classes=_uncounted(data), labelled=False)


def _uncounted(data: DataValue) -> Any:
    return None if data.classes is None else replace(data.classes, counts=None)


def _same_form(given: Mapping[str, t.Typed]) -> Type | Mismatch:
    return given["data"].type


def _without_labels(given: Mapping[str, t.Typed]) -> Type | Mismatch:
    return TEXTS if given["data"].type == LABELLED else given["data"].type


_SEED = Parameter("seed", Number(0, integer=True), "which random choice", 0)
_ROWS = Parameter("data", Data((TEXTS, PAIRS, LABELLED, IMAGES)), "the rows")
_BY = {"row": "`k` rows of all", "label": "`k` rows of each class"}

FUNCTIONS = (
    Function(
        "sample",
        "some rows, drawn without replacement",
        "sources",
        (_ROWS,),
        (
            Parameter("k", Number(1, integer=True), "how many"),
            _SEED,
            Parameter("by", Choice(_BY), "what is counted", "row"),
        ),
        _same_form,
        _sample,
        gives=DATA,
    ),
    Function(
        "split",
        "one of two parts that share no row",
        "sources",
        (_ROWS,),
        (
            Parameter("fraction", Number(0, 1, exclusive=True, below=True), "the share of the first part"),
            Parameter("part", Choice({"first": "the first part", "second": "the rest"}), "which part"),
            _SEED,
        ),
        _same_form,
        _split,
        gives=DATA,
    ),
    Function(
        "unlabelled",
        "the same rows without their labels, which nothing can then use; the names of the classes stay known",
        "sources",
        (Parameter("data", Data((LABELLED, IMAGES, TEXTS)), "the rows"),),
        (),
        _without_labels,
        _unlabelled,
        gives=DATA,
    ),
)
