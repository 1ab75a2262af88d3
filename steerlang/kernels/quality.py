"""How good an extracted direction is: the report every extraction carries, per layer."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields
from typing import Any

import torch
from torch import Tensor
from torch.nn.functional import cosine_similarity

from steerlang.kernels.errors import NumericsError
from steerlang.kernels.extraction import Extraction
from steerlang.kernels.metrics import auc

Extract = Callable[[Tensor, Tensor], Extraction]
TRAIN_SHARE = 0.7
LEAST_HELD_OUT = 2


@dataclass(frozen=True)
class Quality:
    """All tensors float32 ``[L]``, one number a layer; None where there are too few demonstrations to say.

    * ``direction_norm``: ‖v‖, in the units of the states.
    * ``state_norm``: mean of ‖h‖ over both sides; ``direction_norm/state_norm`` is the strength of scale 1.
    * ``max_projection``: the largest |h·v̂| over both sides, v̂ the direction at length 1; 0 where v is zero.
    * ``variance_explained``: as the method defines it.
    * ``cosine_to_mean_difference``: near 0 means that the method threw the contrast away.
    * ``split_half_cosine``: cosine of the directions from two disjoint halves; near 1 means enough data.
    * ``held_out_auc``: separation of unseen y from unseen x along a direction fitted on the rest; 0.5 is chance.
    """

    direction_norm: Tensor
    state_norm: Tensor
    max_projection: Tensor
    variance_explained: Tensor
    cosine_to_mean_difference: Tensor
    split_half_cosine: Tensor | None
    held_out_auc: Tensor | None


def quality(extract: Extract, x: Tensor, y: Tensor, *, seed: int, whole: Extraction | None = None) -> Quality:
    """The report of ``extract`` on x ``[n, L, D]`` and y ``[m, L, D]``; pairs (n = m) are split together.

    ``whole`` is ``extract(x, y)`` where the caller has it. A method that drops leading rows (`icv` drops the embedding
    row) is compared on the rows it kept.
    """
    found = extract(x, y) if whole is None else whole
    rows = found.directions.shape[0]
    seen_x, seen_y = x[:, -rows:], y[:, -rows:]
    mean_delta = (seen_y.double().mean(0) - seen_x.double().mean(0)).float()
    total = seen_x.norm(dim=-1).double().sum(0) + seen_y.norm(dim=-1).double().sum(0)
    return Quality(
        direction_norm=found.directions.norm(dim=-1),
        state_norm=(total / (x.shape[0] + y.shape[0])).float(),
        max_projection=_max_projection(found.directions, seen_x, seen_y),
        variance_explained=found.variance_explained,
        cosine_to_mean_difference=cosine_similarity(found.directions, mean_delta, dim=-1),
        split_half_cosine=_split_half(extract, x, y, seed),
        held_out_auc=_held_out(extract, x, y, seed),
    )


def _max_projection(directions: Tensor, *sides: Tensor) -> Tensor:
    """max |h·v̂| over the rows of all sides ``[n, L, D]``, for each direction ``[L, D]``."""
    unit = torch.nn.functional.normalize(directions, dim=-1, eps=1e-30)
    return torch.stack([torch.einsum("nld,ld->nl", side.float(), unit).abs().amax(0) for side in sides]).amax(0)


def by_layer(extract: Extract, x: Tensor, y: Tensor, *, seed: int) -> tuple[Extraction, Quality]:
    """`extract` and its report, one layer after another, for methods that look at each layer alone.

    The same numbers; what is copied and converted on the way is one layer of the states and not all of them.
    """
    found, reports = [], []
    for layer in range(x.shape[1]):
        at = slice(layer, layer + 1)
        try:
            found.append(extract(x[:, at], y[:, at]))
        except NumericsError as refused:
            refused.row = layer
            raise
        reports.append(quality(extract, x[:, at], y[:, at], seed=seed, whole=found[-1]))
    joined = {f.name: _joined([getattr(report, f.name) for report in reports]) for f in fields(Quality)}
    whole = {f.name: _joined([getattr(e, f.name) for e in found]) for f in fields(Extraction)}
    return Extraction(**whole), Quality(**joined)


def _joined(numbers: Sequence[Tensor | None]) -> Any:
    """The numbers of all layers; None where they could not be said."""
    said = [n for n in numbers if n is not None]
    return torch.cat(said) if said else None


def _split_half(extract: Extract, x: Tensor, y: Tensor, seed: int) -> Tensor | None:
    order_x, order_y = _orders(x.shape[0], y.shape[0], seed)
    half_x, half_y = len(order_x) // 2, len(order_y) // 2
    if min(half_x, half_y) < 1:
        return None
    try:
        one = extract(x[order_x[:half_x]], y[order_y[:half_y]])
        two = extract(x[order_x[half_x:]], y[order_y[half_y:]])
    except NumericsError:
        return None  # a half is too small for the method
    return cosine_similarity(one.directions, two.directions, dim=-1)


def _held_out(extract: Extract, x: Tensor, y: Tensor, seed: int) -> Tensor | None:
    order_x, order_y = _orders(x.shape[0], y.shape[0], seed)
    cut_x, cut_y = round(TRAIN_SHARE * len(order_x)), round(TRAIN_SHARE * len(order_y))
    if min(len(order_x) - cut_x, len(order_y) - cut_y) < LEAST_HELD_OUT or min(cut_x, cut_y) < 1:
        return None
    try:
        fitted = extract(x[order_x[:cut_x]], y[order_y[:cut_y]]).directions
    except NumericsError:
        return None
    rows = fitted.shape[0]
    along_x = torch.einsum("nld,ld->ln", x[order_x[cut_x:], -rows:].float(), fitted)
    along_y = torch.einsum("nld,ld->ln", y[order_y[cut_y:], -rows:].float(), fitted)
    return torch.tensor([auc(pos, neg) for pos, neg in zip(along_y, along_x, strict=True)])


def _orders(n: int, m: int, seed: int) -> tuple[Tensor, Tensor]:
    """Seeded shuffles of both sides; the same one when they are paired, so that a pair is never split."""
    generator = torch.Generator().manual_seed(seed)
    first = torch.randperm(n, generator=generator)
    return first, first if n == m else torch.randperm(m, generator=generator)
