"""Boards of concepts on the page: words and images, dictionaries side by side."""

from __future__ import annotations

from html import escape

from .board import Board, ShownConcept, ShownSample
from .html_parts import Page, base_name, named, plural

_MOST_TEXTS = 4
_MOST_ROWS = 40  # with images, so many rows of three dictionaries are some 3 MB


def boards(page: Page) -> str:
    return "\n".join(_board(page, board) for board in page.findings.boards)


def _board(page: Page, board: Board) -> str:
    heads = "".join(f'<th scope="col">{_called(page, column)}</th>' for column in board.columns)
    rows = "\n".join(_row(board, i) for i in range(min(len(board.rows), _MOST_ROWS)))
    left = len(board.rows) - _MOST_ROWS
    cut = f'\n<p class="soft">{plural(left, "more concept")}</p>' if left > 0 else ""
    about = "Each row is a concept; matched concepts of another model stand beside it." if board.matched else (
        "Each row is a concept; dictionaries that were made apart stand beside each other by number alone."
        if len(board.columns) > 1 else "Each row is a concept."
    )  # fmt: skip
    return (
        f'<h3>{named(page, base_name(board.name))}</h3>\n<p class="soft about">{about}</p>\n'
        f'<div class="wide"><table class="board">\n<thead><tr><th scope="col">concept</th>{heads}</tr></thead>\n'
        f"<tbody>\n{rows}\n</tbody></table></div>{cut}"
    )


def _called(page: Page, column: str) -> str:
    return named(page, column)


def _row(board: Board, i: int) -> str:
    note = f'<span class="soft">{escape(board.notes[i])}</span>' if i < len(board.notes) else ""
    cells = "".join(f"<td>{_concept(concept, i)}</td>" for concept in board.rows[i])
    return f'<tr><th scope="row"><span class="number">{i}</span>{note}</th>{cells}</tr>'


def _concept(concept: ShownConcept | None, row: int) -> str:
    if concept is None:
        return '<span class="soft">none</span>'
    number = f'<span class="tag">concept {concept.number}</span> ' if concept.number != row else ""
    words = f'<p class="words">{number}{escape(", ".join(concept.words))}</p>' if concept.words or number else ""
    pictures = [s for s in concept.samples if s.image]
    texts = [] if pictures else list(concept.samples[:_MOST_TEXTS])
    thumbs = f'<div class="thumbs">{"".join(map(_thumb, pictures))}</div>' if pictures else ""
    said = "".join(f"<li>{escape(sample.text)}</li>" for sample in texts)
    return words + thumbs + (f"<ul>{said}</ul>" if said else "")


def _thumb(sample: ShownSample) -> str:
    words = escape(f"{sample.text} ({sample.activation:.3g})", quote=True)
    return f'<img src="{sample.image}" alt="{words}" title="{words}" loading="lazy">'
