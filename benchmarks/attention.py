"""What attention over the tokens so far takes when one token is generated: many rows at once, or a few at a time.

    python benchmarks/attention.py

It bounds what a sweep can gain by running its points as rows of one batch.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import torch
from measuring import Table, median, one_thread, take_turns, write
from torch import Tensor
from torch.nn.functional import scaled_dot_product_attention

HEADS, SIZE, TOKENS, LAYERS, ROUNDS = 8, 8, 37, 12, 15
MANY, FEW = 128, 16

Attention = Callable[[Tensor, Tensor, Tensor, Tensor], Tensor]


def fused(q: Tensor, k: Tensor, v: Tensor, seen: Tensor) -> Tensor:
    return scaled_dot_product_attention(q, k, v, attn_mask=seen)


def products(q: Tensor, k: Tensor, v: Tensor, seen: Tensor) -> Tensor:
    weights = (q * SIZE**-0.5 @ k.transpose(-1, -2)).masked_fill_(~seen, float("-inf"))
    return weights.softmax(-1) @ v


def einsum(q: Tensor, k: Tensor, v: Tensor, seen: Tensor) -> Tensor:
    weights = torch.einsum("bhd,bhtd->bht", q[:, :, 0] * SIZE**-0.5, k).masked_fill_(~seen[:, :, 0], float("-inf"))
    return torch.einsum("bht,bhtd->bhd", weights.softmax(-1), v)[:, :, None]


def elements(q: Tensor, k: Tensor, v: Tensor, seen: Tensor) -> Tensor:
    weights = (k * (q * SIZE**-0.5)).sum(-1).masked_fill_(~seen[:, :, 0], float("-inf")).softmax(-1)
    return (v * weights.unsqueeze(-1)).sum(-2, keepdim=True)


WAYS: dict[str, Attention] = {
    "the library's": fused, "matrix products": products, "einsum": einsum, "element by element": elements,
}  # fmt: skip


def layers(rows: int) -> list[tuple[Tensor, Tensor, Tensor, Tensor]]:
    """Query, keys, values and mask of every layer, as a cache with room holds them."""
    made = torch.Generator().manual_seed(rows)
    room = (rows, HEADS, TOKENS + 1, SIZE)
    seen = torch.ones(rows, 1, 1, TOKENS, dtype=torch.bool)
    seen[::3, :, :, 0] = False  # padding on the left
    found = []
    for _ in range(LAYERS):
        k, v = (torch.randn(room, generator=made)[:, :, :TOKENS] for _ in range(2))
        found.append((torch.randn(rows, HEADS, 1, SIZE, generator=made), k, v, seen))
    return found


def run(way: Attention, inputs: list[tuple[Tensor, Tensor, Tensor, Tensor]], times: int) -> None:
    with torch.inference_mode():
        for _ in range(times):
            for given in inputs:
                way(*given)


def main() -> None:
    one_thread()
    many, few = layers(MANY), layers(FEW)
    for way in WAYS.values():
        torch.testing.assert_close(way(*many[0]), fused(*many[0]), rtol=1e-4, atol=1e-5)
    acts = {name: partial(run, way, many, 8) for name, way in WAYS.items()}
    times = take_turns({**acts, "few": partial(run, fused, few, 8 * MANY // FEW)}, ROUNDS)
    table = Table(
        f"Attention of one new token over {TOKENS}, {HEADS} heads of {SIZE}: {MANY} rows",
        ("how", "ms a layer"),
    )
    for name in acts:
        table.add(f"{name}, {MANY} rows at once", 1e3 * median(times, name) / 8 / LAYERS)
    table.add(f"the library's, {MANY // FEW} times {FEW} rows", 1e3 * median(times, "few") / 8 / LAYERS)
    write("attention", [table])


if __name__ == "__main__":
    main()
