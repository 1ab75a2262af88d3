"""How wide the states at a point are: the model's width, or for a module by name what one token shows."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import torch
from torch import nn

from steerlang.models.errors import BadBatch, SiteUnavailable
from steerlang.models.layout import Layout
from steerlang.models.sites import Point, first_tensor


def widths(layout: Layout, points: Iterable[Point]) -> dict[Point, int]:
    """The width at each point. Runs the decoder on one token if there are modules by name among them.

    At ``heads`` it is that of all heads side by side, which need not be the model's.
    """
    wanted = tuple(dict.fromkeys(points))
    found = {point: layout.width for point in wanted if point.site.kind not in ("module", "heads")}
    for point in wanted:
        if point.site.kind == "heads":
            layout.place(point)  # says why there are none
            found[point] = layout.head_outputs[point.layer].width
    by_name = [point for point in wanted if point.site.kind == "module"]
    if by_name:
        found |= _observed(layout, by_name)
    return found


def common_width(layout: Layout, points: Iterable[Point]) -> int:
    """The width all points share. Raises BadBatch when they do not."""
    found = widths(layout, points)
    different = sorted(set(found.values()))
    if len(different) > 1:
        raise BadBatch(
            f"the places read have different widths: {different}", "ask for them in requests of their own"
        )
    return different[0] if different else layout.width


def _observed(layout: Layout, points: Iterable[Point]) -> dict[Point, int]:
    found: dict[Point, int] = {}
    handles: list[Any] = []

    def listen(point: Point) -> None:
        def hook(module: nn.Module, args: Any, output: Any) -> None:
            states = first_tensor(output)
            if states is not None:
                found[point] = states.shape[-1]

        handles.append(layout.place(point).module.register_forward_hook(hook))

    device = next(layout.root.parameters()).device
    try:
        for point in points:
            listen(point)
        with torch.inference_mode():
            layout.run(torch.zeros(1, 1, dtype=torch.long, device=device), use_cache=False)
    finally:
        for handle in handles:
            handle.remove()
    silent = next((point for point in points if point not in found), None)
    if silent is not None:
        raise SiteUnavailable(
            f"{silent} gave no states when the model ran", "name a module that the text passes"
        )
    return found
