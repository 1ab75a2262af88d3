"""Correlations on the page."""

from __future__ import annotations

from .board import Scatter
from .findings import number
from .html_parts import Page, base_name, named
from .svg import Point, Series, chart

# More names than this hide the points.
_MOST_NAMES = 40


def scatters(page: Page) -> str:
    """Each correlation as a chart."""
    return "\n".join(_chart(page, scatter) for scatter in page.findings.scatters)


def _chart(page: Page, scatter: Scatter) -> str:
    named_too = len(scatter.points) <= _MOST_NAMES
    points = tuple(Point(x, y, None, name if named_too else "") for name, x, y in scatter.points)
    title = f"{scatter.kind} {number(scatter.value)} over {len(points)} pairs"
    drawn = chart([Series(scatter.name, points, joined=False)], title, scatter.x_name, scatter.y_name)
    return f"<h3>{named(page, base_name(scatter.name))}</h3>\n{drawn}" if drawn else ""
