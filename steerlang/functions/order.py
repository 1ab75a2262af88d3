"""Which of two places of a model comes first in a forward pass, as far as it is known before the model is loaded."""

from __future__ import annotations

from collections.abc import Mapping

from steerlang.graph.node import Json

# Within a block. Attention and MLP come in either order, or side by side; what a module of any name is, nobody knows.
_WITHIN: Mapping[str, int] = {"residual_in": 0, "heads": 1, "attention": 1, "mlp": 1, "module": 1, "residual": 2}
# Before and after all blocks.
_OUTSIDE: Mapping[str, int] = {"embedding": -1, "final_norm": 1}


def comes_after(site: Json, layer: int, other: Json, other_layer: int) -> bool:
    """Whether the first place surely comes after the second."""
    return _place(site, layer) > _place(other, other_layer)


def place_text(site: Json, layer: int) -> str:
    """`residual` of layer 3, as messages say it."""
    name = _name(site)
    return f"`{name}`" if name in _OUTSIDE else f"`{name}` of layer {layer}"


def _place(site: Json, layer: int) -> tuple[int, int, int]:
    name = _name(site)
    if name in _OUTSIDE:
        return (_OUTSIDE[name], 0, 0)
    return (0, layer, _WITHIN.get(name, 1))


def _name(site: Json) -> str:
    return str(site["select"]) if isinstance(site, dict) else str(site)
