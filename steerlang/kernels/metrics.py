"""Numbers that compare distributions and samples: divergence, likelihood, separability, intervals."""

from __future__ import annotations

import torch
from torch import Tensor

from steerlang.kernels.errors import NumericsError, ShapeMismatch


def kl_divergence(p_logits: Tensor, q_logits: Tensor) -> Tensor:
    """KL(p ‖ q) = Σ_v p_v (log p_v − log q_v) in nats, per row: ``[..., V]``, ``[..., V]`` → ``[...]``, float32."""
    if p_logits.shape != q_logits.shape:
        raise ShapeMismatch(
            f"logits of two shapes: {tuple(p_logits.shape)} and {tuple(q_logits.shape)}",
            "compare models with the same vocabulary on the same tokens",
        )
    p = p_logits.float().log_softmax(-1)
    q = q_logits.float().log_softmax(-1)
    # xlogy-like: a token of probability 0 under p adds nothing, whatever q says of it.
    return torch.where(p == -torch.inf, 0.0, p.exp() * (p - q)).sum(-1)


def token_log_likelihoods(logits: Tensor, targets: Tensor, chunk: int = 4096) -> Tensor:
    """log softmax(logits)[target] in nats, float32: logits ``[M, V]``, targets ``[M]`` → ``[M]``.

    Works in chunks of rows, so that no float32 copy of all logits exists at once.
    """
    parts = [
        rows.float().log_softmax(-1).gather(-1, wanted[:, None])[:, 0]
        for rows, wanted in zip(torch.split(logits, chunk), torch.split(targets, chunk), strict=True)
    ]
    return torch.cat(parts) if parts else torch.empty(0)


def auc(positive: Tensor, negative: Tensor) -> float:
    """P(positive > negative) + ½ P(equal) over all pairs, 0.5 = no separation; 1-D inputs (Mann–Whitney U / nm)."""
    if positive.numel() == 0 or negative.numel() == 0:
        raise NumericsError("an AUC needs values of both kinds", "give at least one value on each side")
    ordered = negative.sort().values
    below = torch.searchsorted(ordered, positive, right=False)
    not_above = torch.searchsorted(ordered, positive, right=True)
    return float((below + not_above).double().mean() / (2 * negative.numel()))


def bootstrap_interval(
    values: Tensor, *, seed: int, level: float = 0.95, resamples: int = 2000
) -> tuple[float, float]:
    """Percentile interval of the mean of ``values [n]`` over seeded resamples with replacement (Efron 1979).

    Returns (low, high), in the units of the values. The same seed gives the same interval.
    """
    if values.ndim != 1 or values.numel() == 0:
        raise NumericsError(
            "a bootstrap interval needs a row of at least one value", "check that the metric has rows"
        )
    generator = torch.Generator().manual_seed(seed)
    n = values.numel()
    data = values.double().cpu()
    rounds = max(1, 4_000_000 // n)  # bounds the index table at some 32 MB
    means = []
    for start in range(0, resamples, rounds):
        count = min(rounds, resamples - start)
        picks = torch.randint(n, (count, n), generator=generator)
        means.append(data[picks].mean(-1))
    tail = (1 - level) / 2
    bounds = torch.cat(means).quantile(torch.tensor([tail, 1 - tail], dtype=torch.float64))
    return float(bounds[0]), float(bounds[1])
