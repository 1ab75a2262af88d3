"""What is known of a steered model before it is baked: which of its actions weights can hold at all.

Whether the architecture has the weights for it shows when the model is loaded; what no weights can do is said here.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from steerlang.graph.node import Node

_KNOWN = frozenset({"operator", "version", "layers", "scales", "vectors", "site", "tokens", "options"})
_SITES = {
    "add": ("residual", "mlp", "attention", "embedding"),
    "ablate": ("residual", "residual_in", "mlp", "attention", "embedding"),
}
_OPTIONS = frozenset({"unit", "norm"})


def why_not_constant(node: Node) -> tuple[str, str] | None:
    """What keeps a `model.steer` node out of weights, and what to do about it; None where nothing is known to."""
    operators: set[str] = set()
    for action in _actions(node):
        found = _why_not(action)
        if found is not None:
            return found
        operators.add(str(action["operator"]))
    if len(operators) > 1:
        return "additions and ablations cannot be baked together", "bake a model with one of them"
    return None


def _actions(node: Node) -> Iterator[Mapping[str, Any]]:
    while node.operation == "model.steer":
        documents: Any = node.options["actions"]
        yield from documents
        node = node.inputs[0]


def _why_not(action: Mapping[str, Any]) -> tuple[str, str] | None:
    operator, options = str(action["operator"]), action["options"]
    if operator not in _SITES:
        return f"what `{operator}` does depends on the state it meets", "weights can hold `add` and `ablate`"
    if options.get("norm", "free") != "free":
        return f"`norm = {options['norm']}` depends on the state it meets", "leave `norm` out"
    extra = [k for k in action if k not in _KNOWN and action[k] is not None]
    extra += [k for k in options if k not in _OPTIONS and options[k] is not None]
    if extra:
        return f"`{extra[0]}` decides while the model runs, and weights cannot", f"leave `{extra[0]}` out"
    if action["tokens"].get("select") != "all":
        return f"it steers the tokens `{action['tokens'].get('select')}`, and weights act on all", "use `tokens = all`"
    site = action["site"].get("select")
    if site not in _SITES[operator]:
        return f"no weights are known that write what `{operator}` changes at `{site}`", "act on `residual`"
    if operator == "ablate" and any(s != 1.0 for s in action["scales"]):
        return "an ablation in part leaves some of the direction at every layer", "use `strength = 1`"
    return None
