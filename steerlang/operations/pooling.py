"""What a `learn` or `search` node asks for, from headers alone: task vectors as terms, the model, the blocks."""

from __future__ import annotations

from typing import Any

from steerlang.graph.node import Node
from steerlang.weights.blocks import Blocks, index_blocks
from steerlang.weights.expression import Edit, Sum, Vector, from_json
from steerlang.weights.planning import plan_edit

from .coefficients import names_of
from .editing import Value, opened, settled


def terms_of(node: Node, value: Value | None = None) -> dict[str, Vector]:
    """The task vectors by name. `value` as in `editing.plan_of`."""
    found: Any = from_json(settled(node.options["vectors"], node.inputs, value))
    return dict(zip(names_of(node), found, strict=True))


def base_of(node: Node) -> Node:
    """The checkpoint that coefficients are found on."""
    on = node.options["on"]
    assert isinstance(on, int)
    return node.inputs[on]


def blocks_of(node: Node) -> Blocks:
    """What gets a coefficient of its own."""
    found: Blocks = from_json(node.options["blocks"])
    return found


def check_pool(node: Node) -> None:
    """Raises WeightsError where task vectors do not fit the model, a pattern matches nothing, or two overlap."""
    count_blocks(node)


def count_blocks(node: Node) -> int:
    """How many blocks have a coefficient of their own. Raises WeightsError as `check_pool` does."""
    terms = tuple(terms_of(node).values())
    checkpoints, adapters = opened(node)
    plan = plan_edit(Edit(base_of(node).key, Sum(terms)), checkpoints, adapters)
    return len(index_blocks(blocks_of(node), plan.base, plan.editable).names)
