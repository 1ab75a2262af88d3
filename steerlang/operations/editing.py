"""Edited models: from the node that describes an edit to a plan over checkpoints, and to a folder one can load."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from steerlang.exports.checkpoint import export_checkpoint
from steerlang.graph.node import Json, Node
from steerlang.weights.adapters import Adapter
from steerlang.weights.checkpoint import Checkpoint
from steerlang.weights.expression import from_json
from steerlang.weights.low_rank import plan_vector
from steerlang.weights.planning import EditPlan, plan_edit


def plan_of(node: Node, dtype: str | None = None, exclude: tuple[Json, ...] = ()) -> EditPlan:
    """What a `model.edit` node does to every tensor. Raises WeightsError; reads headers only."""
    checkpoints, adapters = opened(node)
    described: Any = node.options["expression"]
    expression: Any = from_json({**described, "exclude": [*described["exclude"], *exclude]})
    return plan_edit(expression, checkpoints, adapters, dtype=dtype)


def vector_plan_of(node: Node, base: str | None) -> EditPlan:
    """What a `taskvector` node is on every tensor of its base. Raises WeightsError; reads headers only."""
    checkpoints, adapters = opened(node)
    change: Any = from_json(node.options["term"])
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
    named = [n.locators["name"] for n in node.inputs if n.key == base]
    said = {n.locators["trained_on"] for n in node.inputs if n.operation == "adapter.load"}
    return named[0] if named else said.pop() if len(said) == 1 else ""


def digests_of(node: Node) -> dict[str, str]:
    """The digest of every model and adapter that takes part, by its key in the plan."""
    return {n.key: str(n.options["identity"]) for n in node.inputs if "identity" in n.options}


@contextmanager
def materialised(node: Node, receipts: dict[str, dict[str, Any]] | None = None) -> Iterator[Path]:
    """The edited model as a folder, there while inside: exactly what an export of it would be. Raises WeightsError.

    receipts  gets the receipt, by the node's key
    """
    with TemporaryDirectory(prefix="steerlang-") as temporary:
        folder = Path(temporary) / "model"
        found = export_checkpoint(plan_of(node), folder)
        if receipts is not None:
            receipts[node.key] = found
        yield folder
