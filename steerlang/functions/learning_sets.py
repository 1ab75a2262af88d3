"""The data sets of `learn` and `search` as options of a node: which rows, which head, which classes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from steerlang.diagnostics import codes, error
from steerlang.graph.node import Json, Node
from steerlang.language.lowering import Lowering
from steerlang.language.signature import Call, MethodChoice
from steerlang.language.types import PAIRS, TEXTS
from steerlang.language.values import POISON, DataValue, ModelValue
from steerlang.source import Span

from .classifying import head_for
from .labels import has_labels
from .reports import counted
from .tasks import WRITERS
from .texts import can_read

# Objectives that read no labels of classes.
UNLABELLED = ("entropy", "self_training", "language_model")


@dataclass
class Inputs:
    """The nodes a node reads, each once, and what they are called in its options: their places."""

    nodes: list[Node]

    def place(self, node: Node) -> int:
        if node not in self.nodes:
            self.nodes.append(node)
        return self.nodes.index(node)


class Sets:
    """The data sets of a call as JSON: places of rows and head among the inputs, and the classes of the rows.

    `broken` is set where one cannot be read by the model, or lacks labels that are needed; it is reported.
    """

    def __init__(self, call: Call, low: Lowering, inputs: Inputs) -> None:
        self.call, self.low, self.inputs = call, low, inputs
        self.broken = False
        self._unlabelled = call["objective"].method.name in UNLABELLED

    def learned_from(self) -> list[Json]:
        data, heads = self.call["data"], self.call["heads"]
        shared = len(heads) == 1 and self.call.is_alone("heads")
        if heads and not shared and len(heads) != len(data):
            message = f"{counted(len(heads), 'head')} for {counted(len(data), 'data set')}"
            help = "a list has one for each; a model without brackets is the head of all"
            self.broken = True
            self.low.report(error(codes.ARGUMENT_TYPE, self.call.where("heads"), message, help=help))
            return []
        each = heads * len(data) if shared else heads or [None] * len(data)
        return [self._one(d, h, self.call.entry("data", i)) for i, (d, h) in enumerate(zip(data, each, strict=True))]

    def document(self, name: str) -> dict[str, Json]:
        """A method with its options; data among them by their places."""
        choice: MethodChoice = self.call[name]
        options = {n: self._as_json(value, self.call.where(name)) for n, value in choice.options.items()}
        return {"name": choice.method.name, "version": choice.method.version, "options": options}

    def _as_json(self, value: Any, where: Span) -> Json:
        if isinstance(value, list):
            return [self._as_json(v, where) for v in value]
        heads = self.call["heads"]
        head = heads[0] if len(heads) == 1 else None
        return self._one(value, head, where) if isinstance(value, DataValue) else value

    def _one(self, data: DataValue, head: ModelValue | None, where: Span) -> Json:
        model: ModelValue = self.call["on"]
        rows = self.inputs.place(data.node)
        if model.task in WRITERS:
            self.broken |= not _scored(model, data, where, self.low)
            return {"rows": rows, "head": None, "classes": None}
        places = (self.call.where("on"), where, self.call.where("heads"))
        found = head_for(model, data, head, places, "learning", self.low)
        if found is POISON or not (self._unlabelled or has_labels(data, where, "this objective", self.low)):
            self.broken = True
            return None
        classes: Json = None if data.classes is None or not data.labelled else list(data.classes.names)
        return {"rows": rows, "head": None if found is None else self.inputs.place(found), "classes": classes}


def _scored(model: ModelValue, data: DataValue, where: Span, low: Lowering) -> bool:
    """Whether a language model can be scored on some rows; else it is reported."""
    if data.form in (TEXTS, PAIRS):
        return can_read(model, data, where, low)
    message = f"a language model learns from texts or pairs, and this is {data.form.phrase}"
    low.report(error(codes.ARGUMENT_TYPE, where, message, help='name a column: `text = "…"`'))
    return False
