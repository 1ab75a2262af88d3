"""What a plan says of dictionaries of concepts and of their shifts, before anything ran."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from steerlang.functions.shifting import rows_of
from steerlang.language.values import ConceptsValue, ShiftValue, StatesValue
from steerlang.reports.findings import selector_text


def concepts_lines(value: ConceptsValue) -> Iterator[str]:
    """`5 concepts at layer 3, site residual, width 160`, how they are made, and of which states."""
    site = selector_text(value.site)
    yield f"{value.k} concepts at layer {value.layer}, site {site}, width {value.width}"
    node = value.node
    if node.operation == "concepts.decompose":  # of others, what they are made of stands with its own name
        options: Any = node.options
        method = options["method"]
        chosen = "".join(f", {k} = {v}" for k, v in method["options"].items())
        yield f"method {method['name']} (version {method['version']}){chosen}, seed {options['seed']}"
    shifted = "shifted; " if not value.fitted else ""
    yield f"{shifted}activations on {_states(value.states)}"


def shift_lines(value: ShiftValue) -> Iterator[str]:
    """From which states to which, and how."""
    node = value.node
    factor: Any = 1
    if node.operation == "shift.scaled":
        factor, node = node.options["factor"], node.inputs[0]
    yield f"{value.dictionary.k} vectors at layer {value.dictionary.layer}, from {_states(value.before)}"
    yield f"to {_states(value.after)}"
    times = f", times {factor:g}" if factor != 1 else ""
    yield f"reduce = {node.options['reduce']}, assign = {node.options['assign']}{times}"


def _states(states: StatesValue) -> str:
    count = "texts" if states.count is None else f"at most {states.count} samples"
    generated = ", generated" if rows_of(states.node) is not states.node.inputs[1] else ""
    return f"{count} of `{states.model.name}`, tokens {selector_text(states.tokens)}{generated}"
