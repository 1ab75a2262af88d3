"""Weak and strong views of rows, for learning without labels: random changes that leave the class as it is.

Images (pixels as the model reads them, in units of one standard deviation of their processor):
    weak    moved by at most a sixteenth of the side in each direction, the edge repeated
    strong  moved by at most an eighth, contrast times 0.7 … 1.3, brightness ± 0.3, noise of deviation 0.2, and a square
            of a fifth of the side greyed out
Texts:
    weak    as they are
    strong  a tenth of the tokens, but the first and the last, left out

FixMatch (Sohn et al., 2020) flips images too; letters and digits do not keep their class then, so nothing is flipped.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import torch
from torch import Tensor
from torch.nn import functional

from steerlang.learning import Strength, View
from steerlang.models.encoding import Batch, Inputs
from steerlang.weights import randomness


def viewed(batch: Batch, rows: list[int], view: View) -> Batch:
    """The batch of the given rows as a view of it; equal rows and views give equal inputs."""
    if view.strength is Strength.PLAIN:
        return batch
    changed = []
    for row, inputs in zip(rows, batch.rows, strict=True):
        key = randomness.key_of(view.draw, view.strength.value, str(row))
        chance = torch.Generator().manual_seed(key >> 1)
        changed.append(_CHANGES[view.strength, "pixel_values" in inputs](inputs, chance))
    return Batch(tuple(changed))


def _moved(pixels: Tensor, most: int, chance: torch.Generator) -> Tensor:
    """`[C, H, W]` moved by at most `most` pixels, the edge repeated where nothing is left."""
    right, down = (int(torch.randint(-most, most + 1, (), generator=chance)) for _ in range(2))
    height, width = pixels.shape[-2:]
    padded = functional.pad(pixels[None], (most, most, most, most), mode="replicate")[0]
    return padded[:, most + down : most + down + height, most + right : most + right + width]


def _uniform(low: float, high: float, chance: torch.Generator) -> float:
    return low + (high - low) * float(torch.rand((), generator=chance))


def _weak_image(inputs: Inputs, chance: torch.Generator) -> Inputs:
    pixels = inputs["pixel_values"]
    return {**inputs, "pixel_values": _moved(pixels, max(1, pixels.shape[-1] // 16), chance)}


def _strong_image(inputs: Inputs, chance: torch.Generator) -> Inputs:
    pixels = inputs["pixel_values"]
    side = pixels.shape[-1]
    moved = _moved(pixels, max(1, side // 8), chance)
    mean = moved.mean()
    changed = (moved - mean) * _uniform(0.7, 1.3, chance) + mean + _uniform(-0.3, 0.3, chance)
    changed = changed + 0.2 * torch.randn(changed.shape, generator=chance)
    square = max(1, side // 5)
    top, left = (int(torch.randint(0, n - square + 1, (), generator=chance)) for n in changed.shape[-2:])
    changed[:, top : top + square, left : left + square] = mean
    return {**inputs, "pixel_values": changed}


def _same(inputs: Inputs, _: torch.Generator) -> Inputs:
    return inputs


def _strong_text(inputs: Inputs, chance: torch.Generator) -> Inputs:
    length = inputs["input_ids"].shape[0]
    kept = torch.rand(length, generator=chance) >= 0.1
    kept[0] = kept[-1] = True
    return {name: tensor[kept] for name, tensor in inputs.items()}


_CHANGES: Mapping[tuple[Strength, bool], Callable[[Inputs, torch.Generator], Inputs]] = {
    (Strength.WEAK, True): _weak_image,
    (Strength.WEAK, False): _same,
    (Strength.STRONG, True): _strong_image,
    (Strength.STRONG, False): _strong_text,
}
