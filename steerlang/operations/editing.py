"""Edited models: from the node that describes an edit to a plan over checkpoints, and to a folder one can load."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from steerlang.engine.payload import Payload
from steerlang.exports.checkpoint import export_checkpoint
from steerlang.graph.node import Json, Node
from steerlang.weights.adapters import Adapter
from steerlang.weights.checkpoint import Checkpoint
from steerlang.weights.expression import from_json
from steerlang.weights.low_rank import plan_vector
from steerlang.weights.planning import EditPlan, plan_edit

from .coefficients import Coefficients
from .origins import base_of_adapter, loads_from

# The result of an input, for coefficients that were learned.
Value = Callable[[Node], Payload]


def plan_of(
    node: Node, value: Value | None = None, dtype: str | None = None, exclude: tuple[Json, ...] = ()
) -> EditPlan:
    """What a `model.edit` node does to every tensor. Raises WeightsError; reads headers only.

    value    gives the results of the node's inputs; without it learned coefficients count as 1 in their blocks, which
             tells everything but the numbers
    exclude  patterns of tensors that are left out of the result
    """
    checkpoints, adapters = opened(node)
    described: Any = settled(node.options["expression"], node.inputs, value)
    expression: Any = from_json({**described, "exclude": [*described["exclude"], *exclude]})
    return plan_edit(expression, checkpoints, adapters, dtype=dtype)


def vector_plan_of(node: Node, base: str | None, value: Value | None = None) -> EditPlan:
    """What a `taskvector` node is on every tensor of its base; `value` as in `plan_of`. Raises WeightsError; reads
    headers only."""
    checkpoints, adapters = opened(node)
    change: Any = from_json(settled(node.options["term"], node.inputs, value))
    return plan_vector(change, base, checkpoints, adapters)


def opened(node: Node) -> tuple[dict[str, Checkpoint], dict[str, Adapter]]:
    """The models and the adapters that take part, by their keys. Raises WeightsError; reads headers only."""
    checkpoints: dict[str, Checkpoint] = {}
    adapters: dict[str, Adapter] = {}
    for n in node.inputs:
        if n.operation == "model.load":
            checkpoints[n.key] = Checkpoint.open(Path(n.locators["path"]), n.locators["name"])
        elif n.operation == "adapter.load":
            adapters[n.key] = Adapter.open(Path(n.locators["path"]), n.locators["name"])
    return checkpoints, adapters


def trained_on(node: Node, base: str | None) -> str:
    """What an adapter of a task vector names as its base: the model it was taken from, or what its adapters name."""
    named = [loads_from(n) for n in node.inputs if n.key == base]
    said = {base_of_adapter(n) for n in node.inputs if n.operation == "adapter.load"}
    return named[0] if named else said.pop() if len(said) == 1 else ""


def digests_of(node: Node) -> dict[str, str]:
    """The digest of every model and adapter that takes part, by its key in the plan."""
    return {n.key: str(n.options["identity"]) for n in node.inputs if "identity" in n.options}


def learned_by(node: Node, value: Value) -> dict[str, dict[str, float]]:
    """The learned coefficients that an edit uses: by task vector, by block."""
    found: dict[str, dict[str, float]] = {}
    for one in node.inputs:
        if one.result == "coefficients":
            found.update(Coefficients.of(value(one), one).by_vector())
    return found


def settled(term: Json, inputs: tuple[Node, ...], value: Value | None) -> Json:
    """A term in which learned coefficients are replaced by their numbers, or where these are not known by 1 in their
    blocks."""
    if isinstance(term, list):
        return [settled(t, inputs, value) for t in term]
    if not isinstance(term, Mapping):
        return term
    if term.get("is") == "Learned":
        source = next(n for n in inputs if n.key == term["of"])
        if value is None:
            return {"is": "Within", "blocks": source.options["blocks"]}
        return Coefficients.of(value(source), source).term(int(term["vector"]))  # type: ignore[arg-type]
    return {name: settled(part, inputs, value) for name, part in term.items()}


@contextmanager
def materialised(
    node: Node, value: Value, receipts: dict[str, dict[str, Any]] | None = None
) -> Iterator[Path]:
    """The edited model as a folder, there while inside: exactly what an export of it would be. Raises WeightsError.

    value     gives the results of the node's inputs
    receipts  gets the receipt, by the node's key
    """
    with TemporaryDirectory(prefix="steerlang-") as temporary:
        folder = Path(temporary) / "model"
        found = export_checkpoint(plan_of(node, value), folder)
        if receipts is not None:
            receipts[node.key] = found
        yield folder

