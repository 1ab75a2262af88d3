"""Boards of concepts as one picture: PNG, SVG or PDF. matplotlib is imported when a picture is drawn."""

from __future__ import annotations

import base64
import warnings
from collections.abc import Sequence
from io import BytesIO
from pathlib import Path
from textwrap import wrap
from typing import Any

from .board import Board, ShownConcept

# Inches: a cell, the heads of rows, images and lines of text in a cell.
_CELL, _HEAD, _THUMB, _LINE, _PAD = 3.0, 1.35, 0.62, 0.17, 0.14
_TITLE, _A_ROW = 0.45, 4
_WORDS, _TEXT, _NOTE = 40, 50, 20  # characters a line
_MOST_TEXTS = 4
_MARK = "steerlang"


def draw_boards(boards: Sequence[Board], path: Path) -> Path:
    """Writes boards one below the other into a file whose ending says the format. Raises OSError."""
    from matplotlib import rc_context
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    width = _HEAD + _CELL * max(len(board.columns) for board in boards) + _PAD
    height = sum(map(_height, boards)) + _PAD
    # Fixed, so that equal boards give equal files.
    style: Any = {"svg.hashsalt": _MARK, "font.size": 9, "svg.fonttype": "none"}
    with rc_context(style):
        figure = Figure(figsize=(width, height))
        FigureCanvasAgg(figure)
        canvas = _Canvas(figure, width, height)
        top = height - _PAD
        for board in boards:
            top = _draw(board, canvas, top)
        path.parent.mkdir(parents=True, exist_ok=True)
        with warnings.catch_warnings():
            # A character that the font lacks is drawn as a box, and is no fault of the program's.
            warnings.filterwarnings("ignore", "Glyph", UserWarning)
            figure.savefig(path, dpi=150, metadata=_METADATA[path.suffix])
    return path


def is_drawn(path: Path) -> bool:
    """Whether a file is a picture of ours, which may be replaced."""
    return _MARK.encode() in path.read_bytes()


_METADATA: dict[str, Any] = {
    ".png": {"Software": _MARK}, ".svg": {"Creator": _MARK, "Date": None},
    ".pdf": {"Creator": _MARK, "CreationDate": None},
}  # fmt: skip


class _Canvas:
    """Places texts and images in inches from the lower left."""

    def __init__(self, figure: Any, width: float, height: float) -> None:
        self._figure, self._width, self._height = figure, width, height

    def text(self, x: float, top: float, words: str, **style: Any) -> None:
        # Words are words: no dollar sign in them begins a formula.
        self._figure.text(
            x / self._width, top / self._height, words, va="top", ha="left", parse_math=False, **style
        )

    def image(self, x: float, top: float, side: float, uri: str) -> None:
        from matplotlib.image import imread

        kind, _, data = uri.partition(",")
        place = (x / self._width, (top - side) / self._height, side / self._width, side / self._height)
        axes = self._figure.add_axes(place)
        axes.imshow(imread(BytesIO(base64.b64decode(data)), format=kind[len("data:image/") :].split(";")[0]))
        axes.axis("off")

    def rule(self, top: float) -> None:
        from matplotlib.lines import Line2D

        y = top / self._height
        self._figure.add_artist(Line2D([0.01, 0.99], [y, y], lw=0.6, color="0.8"))


def _height(board: Board) -> float:
    return _TITLE + sum(_row_height(board, i) for i in range(len(board.rows)))


def _row_height(board: Board, i: int) -> float:
    note = len(wrap(board.notes[i], _NOTE)) if i < len(board.notes) else 0
    cells = [_cell_height(concept) for concept in board.rows[i] if concept is not None]
    return max([*cells, (note + 1) * _LINE]) + 2 * _PAD


def _cell_height(concept: ShownConcept) -> float:
    pictures = len([s for s in concept.samples if s.image])
    rows = -(-pictures // _A_ROW)
    lines = len(_words(concept)) + (0 if pictures else len(_texts(concept)))
    return lines * _LINE + rows * (_THUMB + 0.04) + 0.04


def _words(concept: ShownConcept) -> list[str]:
    return wrap(", ".join(concept.words), _WORDS)


def _texts(concept: ShownConcept) -> list[str]:
    return [line for s in concept.samples[:_MOST_TEXTS] for line in wrap(f"· {s.text}", _TEXT, subsequent_indent="  ")]


def _draw(board: Board, canvas: _Canvas, top: float) -> float:
    """Draws a board whose upper edge is at `top`; where its lower edge is."""
    for i, name in enumerate(board.columns):
        canvas.text(_HEAD + i * _CELL, top, name, weight="bold", size=10)
    top -= _TITLE - _PAD
    for i, row in enumerate(board.rows):
        canvas.rule(top)
        height = _row_height(board, i)
        canvas.text(_PAD, top - _PAD, str(i), weight="bold", size=10)
        if i < len(board.notes):
            canvas.text(_PAD, top - _PAD - _LINE, "\n".join(wrap(board.notes[i], _NOTE)), size=7, color="0.35")
        for column, concept in enumerate(row):
            if concept is not None:
                _concept(concept, i, canvas, _HEAD + column * _CELL, top - _PAD)
        top -= height
    return top - _PAD


def _concept(concept: ShownConcept, row: int, canvas: _Canvas, x: float, top: float) -> None:
    words = _words(concept)
    if words:
        canvas.text(x, top, "\n".join(words), size=8)
    if concept.number != row:
        canvas.text(x - 0.3, top, f"({concept.number})", size=7, color="0.35")
    top -= len(words) * _LINE + 0.04
    pictures = [s for s in concept.samples if s.image]
    for i, sample in enumerate(pictures):
        step = _THUMB + 0.04
        canvas.image(x + (i % _A_ROW) * step, top - (i // _A_ROW) * step, _THUMB, sample.image)
    if not pictures:
        canvas.text(x, top, "\n".join(_texts(concept)), size=7, linespacing=1.35)
