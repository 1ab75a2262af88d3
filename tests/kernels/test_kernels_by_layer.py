"""The report made one layer after another is the report made on all layers at once."""

from __future__ import annotations

import pytest
import torch

from steerlang.kernels.extraction import mean_difference
from steerlang.kernels.quality import by_layer, quality


@pytest.mark.parametrize(("sources", "targets"), [(30, 30), (20, 31), (3, 3), (1, 1)])
def test_layer_by_layer_gives_the_same_numbers(sources: int, targets: int) -> None:
    generator = torch.Generator().manual_seed(0)
    x, y = (torch.randn(n, 5, 16, generator=generator) for n in (sources, targets))
    found, report = by_layer(mean_difference, x, y, seed=3)
    whole = mean_difference(x, y)
    torch.testing.assert_close(found.directions, whole.directions)
    torch.testing.assert_close(found.variance_explained, whole.variance_explained, equal_nan=True)
    for name, expected in vars(quality(mean_difference, x, y, seed=3, whole=whole)).items():
        made = getattr(report, name)
        assert (made is None) == (expected is None), name
        if expected is not None:
            torch.testing.assert_close(made, expected, equal_nan=True)


def test_the_largest_projection_is_over_both_sides_on_the_unit_direction() -> None:
    generator = torch.Generator().manual_seed(1)
    x, y = (torch.randn(n, 3, 8, generator=generator) for n in (6, 9))
    found, report = by_layer(mean_difference, x, y, seed=0)
    for layer in range(3):
        v = found.directions[layer].double()
        along = [abs(float(h[layer].double() @ v / v.norm())) for h in (*x, *y)]
        assert report.max_projection[layer].item() == pytest.approx(max(along), rel=1e-5)
