"""Places in a model where states are read and written."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

from torch import Tensor, nn

SiteKind = Literal[
    "residual", "residual_in", "attention", "mlp", "embedding", "final_norm", "heads", "module"
]


@dataclass(frozen=True)
class Site:
    """One kind of place.

    * ``residual``: a block's output, before any final norm. ``residual_in``: what enters the block.
    * ``attention``, ``mlp``: what the block adds to the residual stream, before it is added.
    * ``embedding``: what enters block 0 (token and position embeddings, scaled and normed as the model does).
    * ``final_norm``: the output of the norm after the last block.
    * ``heads``: what the attention heads give side by side, which is what the output projection is given.
    * ``module``: the output of the module called ``path``, where ``{l}`` stands for the layer.
    """

    kind: SiteKind
    path: str = ""

    def __str__(self) -> str:
        return f'module("{self.path}")' if self.kind == "module" else self.kind


RESIDUAL = Site("residual")
RESIDUAL_IN = Site("residual_in")
ATTENTION = Site("attention")
MLP = Site("mlp")
EMBEDDING = Site("embedding")
FINAL_NORM = Site("final_norm")
HEADS = Site("heads")


def module_site(path: str) -> Site:
    """The output of any module, by its dotted name; ``{l}`` stands for the layer."""
    return Site("module", path)


@dataclass(frozen=True)
class Point:
    """A site at a layer. ``embedding`` and ``final_norm`` have no layer: it is 0."""

    site: Site
    layer: int = 0

    def __str__(self) -> str:
        return (
            str(self.site)
            if self.site.kind in ("embedding", "final_norm")
            else f"{self.site} of layer {self.layer}"
        )


def points(site: Site, layers: Iterable[int]) -> tuple[Point, ...]:
    """One point a layer."""
    return tuple(Point(site, layer) for layer in layers)


@dataclass(frozen=True, eq=False)
class Place:
    """A point resolved in a model: the module, and whether its first input or its output is meant."""

    module: nn.Module
    reads_input: bool
    name: str
    # The block after whose run the place has been passed; depth for the final norm.
    block: int


def first_tensor(output: object) -> Tensor | None:
    """The states in a module's output: itself, or the first of a tuple; None when there is none."""
    if isinstance(output, tuple | list):
        output = output[0] if output else None
    return output if isinstance(output, Tensor) else None


def first_input(args: tuple[object, ...], kwargs: dict[str, object]) -> Tensor | None:
    """The states given to a block: the first argument, or the one called ``hidden_states``."""
    value = args[0] if args else kwargs.get("hidden_states")
    return value if isinstance(value, Tensor) else None
