"""The page a `report` writes: what the run found, with where it came from."""

from __future__ import annotations

import datetime
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

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


def write_report(run: Run, report: ReportValue) -> Path:
    """Write the page of a run. Raises OSError, or ExportRefused where a file of other making stands."""
    path = Path(report.path)
    if path.exists() and _MARK not in path.read_text(encoding="utf-8", errors="replace")[:2000]:
        raise ExportRefused(path)
    title = report.options["title"]
    date = datetime.datetime.now(datetime.timezone.utc).strftime("%Y-%m-%d %H:%M UTC")
    found = gather(run)
    about = replace(background_of(run), pictures=pictures_of(found))
    text = page(found, about, title=title if isinstance(title, str) else None, date=date)
    return write_page(path, text)
