"""The page a `report` writes: what the run found, with where it came from."""

from __future__ import annotations

import datetime
from collections.abc import Callable, Mapping
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

from steerlang.diagnostics import Diagnostic, codes, error
from steerlang.exports.files import ExportRefused
from steerlang.language.values import ReportValue
from steerlang.reports.gathering import gather
from steerlang.reports.html import page, write_page

from .backgrounds import background_of
from .pictures import pictures_of

if TYPE_CHECKING:
    from .results import Run

# Every page carries this; a file without it was made by something else.
_MARK = '<meta name="generator" content="steerlang">'


def write_report(run: Run, report: ReportValue) -> Path | Diagnostic:
    """Write the page, or the picture, of a run; what keeps a picture from being drawn, where something does.

    Raises OSError, or ExportRefused where a file of other making stands.
    """
    return _WRITERS[report.form](run, report)


def _picture(run: Run, report: ReportValue) -> Path | Diagnostic:
    """The boards of concepts of a run."""
    if find_spec("matplotlib") is None:
        message, help = "pictures need `matplotlib`", "install it with `pip install 'steerlang[plots]'`"
        return error(codes.MISSING_EXTRA, report.span, message, help=help)
    found = gather(run).boards
    if not found:
        message = "there are no words and no samples of concepts to draw"
        help = "ask for them: `metric seen = ground_samples([dict, shifted], top = 8)`, `ground_words(…)`"
        return error(codes.NOTHING_TO_DRAW, report.span, message, help=help)
    from steerlang.reports.board_plots import draw_boards, is_drawn

    path = Path(report.path)
    if path.exists() and not is_drawn(path):
        raise ExportRefused(path)
    return draw_boards(found, path)


def _page(run: Run, report: ReportValue) -> Path:
    path = Path(report.path)
    if path.exists() and _MARK not in path.read_text(encoding="utf-8", errors="replace")[:2000]:
        raise ExportRefused(path)
    title = report.options["title"]
    date = datetime.datetime.now(datetime.timezone.utc).strftime("%Y-%m-%d %H:%M UTC")
    found = gather(run)
    about = replace(background_of(run), pictures=pictures_of(found))
    text = page(found, about, title=title if isinstance(title, str) else None, date=date)
    return write_page(path, text)


_WRITERS: Mapping[str, Callable[[Any, ReportValue], Path | Diagnostic]] = {"page": _page, "concepts": _picture}
