"""Which composition a run uses, opened and closed again."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from torch import Tensor, nn

from steerlang.diagnostics import codes
from steerlang.weights.blocks import BlockIndex

from .composition import Composition, DenseComposition, targets_of
from .errors import LearningError
from .pool import Pool
from .product import ProductComposition, split_targets
from .settings import Settings
from .tangent import TangentComposition
from .vectors import Target


@contextmanager
def composed(
    module: nn.Module, pool: Pool, index: BlockIndex, keep: Tensor | None, settings: Settings
) -> Iterator[tuple[Composition, tuple[str, ...]]]:
    """The composition of a run, with what is worth noting of it; the module is restored when this is left."""
    targets, shadowed = targets_of(module, pool, index, keep)
    if not targets:
        message = "no task vector reaches a block: there is nothing to learn"
        raise LearningError(message, "look at `include` and `exclude` of the blocks", codes.PATTERN_EMPTY)
    notes = tuple(f"`{tensor}` is tied to another tensor in the model: its coefficients stay 0" for tensor in shadowed)
    shape = (len(pool.names), len(index.names))
    with _made(module, pool, targets, shape, settings).opened() as opened:
        yield opened, notes


def _made(
    module: nn.Module, pool: Pool, targets: list[Target], shape: tuple[int, int], settings: Settings
) -> DenseComposition | ProductComposition:
    if settings.linearize:
        return TangentComposition(module, pool, targets, shape, settings.memory)
    if settings.adapters == "product":
        targets, layers = split_targets(module, pool, targets)
        dense = DenseComposition(module, pool, targets, shape, settings.memory)
        return ProductComposition(dense, layers, shape) if layers else dense
    return DenseComposition(module, pool, targets, shape, settings.memory)
