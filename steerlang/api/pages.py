"""The page a `report` writes: what the run found, with where it came from."""

from __future__ import annotations

import datetime
from pathlib import Path
from typing import TYPE_CHECKING

from steerlang.exports.files import ExportRefused
from steerlang.language.compiling import cells_of
from steerlang.language.values import ModelValue, ReportValue
from steerlang.operations.origins import identity_of
from steerlang.reports.gathering import gather
from steerlang.reports.html import page, write_page

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
    text = page(gather(run), title=title if isinstance(title, str) else None, date=date, provenance=_provenance(run))
    return write_page(path, text)


def _provenance(run: Run) -> dict[str, str]:
    """Versions, and what the program read: id and digest of each model."""
    from .running import versions

    found = versions()
    tables = run.program.compiled.tables.values()
    models = [(label, c.value) for t in tables for label, c in cells_of(t) if isinstance(c.value, ModelValue)]
    # An edited model is called as the program calls it: what it is made of is long, and stands in the program.
    called = {
        m.base.key: label for label, m in reversed(models) if m.node is m.base and m.base.operation != "model.load"
    }
    for _, model in models:
        found[f"model {called.get(model.base.key, model.name)}"] = identity_of(model.base)
    return found
