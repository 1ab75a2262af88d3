"""Linear artificial tomography: the principal direction of differences of states that were paired at random."""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor

from steerlang.kernels.errors import TooFewPairs
from steerlang.kernels.extraction import Extraction, check_states, principal, require_variation, sign

Pairing = Literal["random", "demonstrations"]


def lat(x: Tensor, y: Tensor, pairing: Pairing = "random", seed: int = 0) -> Extraction:
    """First right singular vector of differences made unit length, per layer (Zou et al. 2023, LAT). Length 1.

    * ``random``: all states of both sides are shuffled (seeded, the same shuffle in every layer) and cut into pairs;
      ⌊(n + m)/2⌋ differences. About half join a state of each side, with either sign, so the mean difference is no part
      of the mean and nothing is centred.
    * ``demonstrations``: the differences of the pairs themselves (n = m), as in the reference code, whose shuffled
      order within pairs changes signs alone.

    Differences of length 0 are left out. Sign: the majority of demonstrations has Δ_i·v > 0, ties and unpaired sides go
    by the mean difference. Variance explained: σ₁²/Σσ². x ``[n, L, D]``, y ``[m, L, D]``; n + m ≥ 4. Raises
    TooFewPairs, NoVariation.
    """
    check_states(x, y, paired=pairing == "demonstrations")
    if x.shape[0] + y.shape[0] < 4:
        raise TooFewPairs("lat", min(x.shape[0], y.shape[0]), 2)
    delta = _random_pairs(x, y, seed) if pairing == "random" else y.double() - x.double()
    rows = torch.nn.functional.normalize(delta, dim=-1, eps=1e-30).transpose(0, 1)  # [L, pairs, D]
    v, largest, total = principal(rows)
    require_variation(largest.sqrt(), rows)
    mean = sign(((y.double().mean(0) - x.double().mean(0)) * v).sum(-1))
    votes = torch.zeros_like(mean)
    if x.shape == y.shape:
        votes = torch.einsum("nld,ld->nl", y.double() - x.double(), v).sign().sum(0)
    turned = v * torch.where(votes == 0, mean, votes.sign())[:, None]
    return Extraction(turned.float(), (largest / total).float())


def _random_pairs(x: Tensor, y: Tensor, seed: int) -> Tensor:
    """Differences of states paired at random ``[pairs, L, D]``, float64."""
    states = torch.cat([x, y]).double()
    order = torch.randperm(len(states), generator=torch.Generator().manual_seed(seed))
    half = len(states) // 2
    return states[order[:half]] - states[order[half : 2 * half]]
