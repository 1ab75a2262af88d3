"""Which two modules of a block give what it adds to the residual stream: out = in + a + m, found by their outputs."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import torch
from torch import Tensor

from steerlang.models.closeness import close
from steerlang.models.layout import BlockParts, LayoutOverride


def find_parts(
    entered: Tensor,
    left: Tensor,
    seen: Mapping[str, Tensor],
    before: BlockParts | None,
    override: LayoutOverride,
) -> BlockParts:
    """Names of attention and MLP, from the outputs of a block's modules in the order they ran.

    ``entered``, ``left`` ``[3, T, D]`` are the block's input and output, ``before`` the answer for the block before
    (tried first: most models repeat one block). Outermost names win, then the earlier module.
    """
    if override.attention is not None or override.mlp is not None:
        return _by_hand(seen, override)
    if before is not None and before.attention in seen and before.mlp in seen:
        pair = (str(before.attention), str(before.mlp))
        if _adds_up(entered, left, seen[pair[0]], seen[pair[1]]):
            return BlockParts(*pair)
    pair_found = _search(entered, left, seen)
    if pair_found is None:
        return BlockParts(None, None, _explain(entered, left, seen))
    first, second = pair_found
    # Rows 0 and 1 enter alike after the first token, but only in the first block: there, the part whose outputs
    # differ is the one that mixes tokens.
    if torch.equal(entered[0, 1:], entered[1, 1:]) and not _mixes(seen[first]) and _mixes(seen[second]):
        first, second = second, first
    return BlockParts(first, second)


def _by_hand(seen: Mapping[str, Tensor], override: LayoutOverride) -> BlockParts:
    missing = [name for name in (override.attention, override.mlp) if name is not None and name not in seen]
    if missing:
        listing = ", ".join(seen) or "none"
        return BlockParts(
            None, None, f"{missing[0]} gives no states of the model's width in this block ({listing} do)"
        )
    return BlockParts(override.attention, override.mlp, "it was not named by hand")


def _search(entered: Tensor, left: Tensor, seen: Mapping[str, Tensor]) -> tuple[str, str] | None:
    names = list(seen)
    best: tuple[tuple[float, ...], tuple[str, str]] | None = None
    for i, first in enumerate(names):
        for j in range(i + 1, len(names)):
            second = names[j]
            if not _adds_up(entered, left, seen[first], seen[second]):
                continue
            inexact = 0.0 if _to_the_bit(entered, left, seen[first], seen[second]) else 1.0
            rank = (inexact, float(first.count(".") + second.count(".")), float(i), float(j))
            if best is None or rank < best[0]:
                best = rank, (first, second)
    return None if best is None else best[1]


def _adds_up(entered: Tensor, left: Tensor, first: Tensor, second: Tensor) -> bool:
    """|in + a + m − out| within the rounding of two additions, element by element, and far below a and m."""
    total = entered.double() + first.double() + second.double()
    error = (total - left.double()).abs()
    eps = torch.finfo(left.dtype).eps
    allowed = 4 * eps * (entered.abs() + first.abs() + second.abs() + left.abs()).double()
    if bool((error > allowed).any()):
        return False
    smaller = min(float(first.double().norm()), float(second.double().norm()))
    return float(error.norm()) <= 0.5 * smaller or _to_the_bit(entered, left, first, second)


def _to_the_bit(entered: Tensor, left: Tensor, first: Tensor, second: Tensor) -> bool:
    """Whether one of the two orders in which blocks add (one after the other, or both at once) gives out exactly."""
    return torch.equal((entered + first) + second, left) or torch.equal((second + first) + entered, left)


def _mixes(output: Tensor) -> bool:
    """Whether tokens after the first see a difference in the first: rows 0 and 1 differ there only."""
    return not close(output[0, 1:], output[1, 1:])


def _explain(entered: Tensor, left: Tensor, seen: Mapping[str, Tensor]) -> str:
    norm = next((name for name, out in seen.items() if torch.equal(out, left)), None)
    if norm is not None:
        return f"the block's output is that of its module {norm}, after the residual add"
    outermost = sorted(seen, key=lambda name: name.count("."))
    alone = next((name for name in outermost if torch.equal(entered + seen[name], left)), None)
    if alone is not None:
        return f"the block adds the output of {alone} alone, and has no attention beside an MLP"
    scaled = _scaled_pair(entered, left, seen) if left.dtype == torch.float32 else None
    return scaled or f"no two of its modules' outputs add up to what the block adds ({_listing(seen)})"


def _scaled_pair(entered: Tensor, left: Tensor, seen: Mapping[str, Tensor]) -> str | None:
    """Says so when out = in + α·a + β·m for some pair: blocks with multipliers add no module's output as it is."""
    added = (left.double() - entered.double()).flatten()
    names = sorted(seen, key=lambda name: name.count("."))
    for i, first in enumerate(names):
        for second in names[i + 1 :]:
            columns = torch.stack([seen[first].double().flatten(), seen[second].double().flatten()], dim=1)
            factors = torch.linalg.lstsq(columns, added[:, None]).solution
            if bool(
                (columns @ factors - added[:, None]).norm() <= 10 * torch.finfo(left.dtype).eps * left.norm()
            ):
                a, b = (float(f) for f in factors)
                return f"the block adds {a:.4g} × the output of {first} and {b:.4g} × that of {second}"
    return None


def _listing(names: Iterable[str]) -> str:
    shown = list(names)
    return ", ".join(shown[:8]) + (f" and {len(shown) - 8} more" if len(shown) > 8 else "")
