"""Edited models: from the node that describes an edit to a plan over checkpoints, and to a folder one can load."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from steerlang.exports.checkpoint import export_checkpoint
from steerlang.graph.node import Node
from steerlang.weights.checkpoint import Checkpoint
from steerlang.weights.expression import from_json
from steerlang.weights.planning import EditPlan, plan_edit


def plan_of(node: Node, dtype: str | None = None) -> EditPlan:
    """What a `model.edit` node does to every tensor. Raises WeightsError; reads headers only."""
    checkpoints = {n.key: Checkpoint.open(Path(n.locators["path"]), n.locators["name"]) for n in node.inputs}
    expression: Any = from_json(node.options["expression"])
    return plan_edit(expression, checkpoints, dtype=dtype)


def digests_of(node: Node) -> dict[str, str]:
    """The digest of every model that takes part, by its key in the plan."""
    return {n.key: str(n.options["identity"]) for n in node.inputs}


@contextmanager
def materialised(node: Node) -> Iterator[Path]:
    """The edited model as a folder, there while inside: exactly what an export of it would be. Raises WeightsError."""
    with TemporaryDirectory(prefix="steerlang-") as temporary:
        folder = Path(temporary) / "model"
        export_checkpoint(plan_of(node), folder)
        yield folder
