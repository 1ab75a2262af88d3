"""Plots of an inspection as PNG, SVG or PDF. matplotlib is imported when a plot is drawn, and shows no window."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from .inspection import QUALITY_HEADS, Inspected, Inspection

FORMATS = ("png", "svg", "pdf")
_MOST_LEGEND = 8
_HEIGHT, _WIDTH = 3.4, 5.2


def draw(found: Inspection, path: Path) -> Path:
    """Writes the plots of all vectors into one file, whose ending says the format. Raises OSError.

    Lengths beside those of the states; cosines between the layers of the first vector; the extraction report; cosines
    between vectors. Panels with nothing to show are left out.
    """
    from matplotlib import rc_context
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    panels = [p for p in (_lengths, _layers, _quality, _between) if p(None, found)]
    columns = min(2, len(panels))
    rows = -(-len(panels) // columns)
    # Fixed, so that equal inspections give equal files.
    style: Any = {"svg.hashsalt": "steerlang", "font.size": 9, "axes.spines.top": False, "axes.spines.right": False}
    with rc_context(style):
        figure = Figure(figsize=(_WIDTH * columns, _HEIGHT * rows), layout="constrained")
        FigureCanvasAgg(figure)
        for i, panel in enumerate(panels):
            panel(figure.add_subplot(rows, columns, i + 1), found)
        path.parent.mkdir(parents=True, exist_ok=True)
        plain: dict[str, Any] = {"Date": None} if path.suffix == ".svg" else {}
        figure.savefig(path, dpi=150, metadata=plain)
    return path


def _lengths(axes: Any, found: Inspection) -> bool:
    """Lengths of the directions by layer, and the mean norms of the states that were read."""
    if axes is None:
        return True
    states = [v for v in found.vectors if any(v.table.state_norms)]
    for i, vector in enumerate(found.vectors):
        table, color = vector.table, f"C{i % 10}"
        axes.plot(table.layers, table.norms, "o-", ms=3.5, lw=1.5, color=color, label=_name(vector))
    if states:
        table = states[0].table
        axes.plot(table.layers, table.state_norms, "--", color="0.45", lw=1.2, label="mean of the states")
    values = [n for v in found.vectors for n in (*v.table.norms, *v.table.state_norms) if n > 0]
    if values and max(values) > 20 * min(values):
        axes.set_yscale("log")
    else:
        axes.set_ylim(bottom=0)
    _frame(axes, "length by layer", "length", found.vectors)
    return True


def _layers(axes: Any, found: Inspection) -> bool:
    """Cosines between the layers of the first vector."""
    vector = found.vectors[0]
    if axes is None:
        return len(vector.table.layers) > 1
    rows = [[float("nan") if x is None else x for x in row] for row in vector.cosines]
    image = axes.imshow(rows, cmap="RdBu", vmin=-1, vmax=1, origin="lower", aspect="equal")
    layers = vector.table.layers
    step = max(1, len(layers) // 8)
    places = list(range(0, len(layers), step))
    axes.set_xticks(places, [str(layers[i]) for i in places])
    axes.set_yticks(places, [str(layers[i]) for i in places])
    axes.figure.colorbar(image, ax=axes, shrink=0.85, label="cosine")
    axes.set(title=f"{_name(vector)}: cosines between layers", xlabel="layer", ylabel="layer")
    axes.spines[["left", "bottom"]].set_visible(False)
    return True


def _quality(axes: Any, found: Inspection) -> bool:
    """The extraction report of the first vector that has one."""
    vector = next((v for v in found.vectors if _measures(v)), None)
    if vector is None:
        return False
    if axes is None:
        return True
    for name, values in _measures(vector).items():
        points = [(layer, x) for layer, x in zip(vector.table.layers, values, strict=True) if x is not None]
        axes.plot([p[0] for p in points], [p[1] for p in points], "o-", ms=3.5, lw=1.5, label=QUALITY_HEADS[name])
    axes.axhline(0.5, color="0.7", lw=0.8, ls=":")
    low = min(x for values in _measures(vector).values() for x in values if x is not None)
    axes.set_ylim(min(0.0, low) - 0.03, 1.03)
    axes.legend(frameon=False, fontsize=8)
    axes.set(title=f"{_name(vector)}: extraction report", xlabel="layer")
    _whole_layers(axes)
    return True


def _measures(vector: Inspected) -> dict[str, tuple[float | None, ...]]:
    quality = vector.table.quality or {}
    found = {name: quality[name] for name in QUALITY_HEADS if name in quality}
    return {name: values for name, values in found.items() if any(x is not None for x in values)}


def _between(axes: Any, found: Inspection) -> bool:
    """Cosines between vectors, by layer."""
    pairs = [b for b in found.between if b.layers]
    if axes is None or not pairs:
        return bool(pairs)
    for b in pairs:
        points = [(layer, x) for layer, x in zip(b.layers, b.cosines, strict=True) if x is not None]
        axes.plot([p[0] for p in points], [p[1] for p in points], "o-", ms=3.5, lw=1.5, label=f"{b.first}, {b.second}")
    axes.axhline(0, color="0.7", lw=0.8)
    axes.set_ylim(-1.05, 1.05)
    if len(pairs) <= _MOST_LEGEND:
        axes.legend(frameon=False, fontsize=8)
    axes.set(title="cosines between vectors", xlabel="layer", ylabel="cosine")
    _whole_layers(axes)
    return True


def _frame(axes: Any, title: str, y: str, vectors: Sequence[Inspected]) -> None:
    axes.set(title=title, xlabel="layer", ylabel=y)
    if len(vectors) <= _MOST_LEGEND:
        axes.legend(frameon=False, fontsize=8)
    _whole_layers(axes)


def _whole_layers(axes: Any) -> None:
    from matplotlib.ticker import MaxNLocator

    axes.xaxis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1))


def _name(vector: Inspected) -> str:
    return vector.table.name if len(vector.table.name) <= 30 else f"…{vector.table.name[-29:]}"
