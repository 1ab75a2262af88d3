"""`cache` as text."""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from steerlang.reports.findings import size
from steerlang.reports.layout import Screen, columns

if TYPE_CHECKING:
    from steerlang.engine.upkeep import Cleared, Problem, Stored

SHOWN = 12  # characters of a key
DAY = 86400.0


def listing(root: Path, results: Sequence[Stored], screen: Screen) -> str:
    rows = [("key", "result", "operation", "size", "used")]
    rows += [_row(s, screen) for s in results]
    lines = columns(rows, [False, False, False, True, True], indent="") if results else []
    total = sum(s.bytes for s in results)
    return "\n".join([*lines, f"{_results(len(results))} in {root}, {size(total)}"]) + "\n"


def _row(stored: Stored, screen: Screen) -> tuple[str, str, str, str, str]:
    record = stored.record
    name = record.labels[0] if record is not None and record.labels else "-"
    what = record.operation if record is not None else f"damaged: {stored.damage}"
    return stored.key[:SHOWN], screen.cut(screen.clean(name), 32), what, size(stored.bytes), _ago(stored.used)


def _ago(moment: float) -> str:
    days = int(max(0.0, time.time() - moment) / DAY)
    return "today" if days == 0 else ("yesterday" if days == 1 else f"{days} days ago")


def verification(count: int, problems: Sequence[Problem], screen: Screen) -> str:
    lines = [f"{screen.paint(p.key[:SHOWN], 'red')}  {p.message}" for p in problems]
    if not problems:
        return f"{_results(count)} checked, none damaged\n"
    lines.append(f"{_results(count)} checked, {len(problems)} damaged: they are made again when needed")
    return "\n".join(lines) + "\n"


def clearing(cleared: Cleared) -> str:
    verb = "would be removed" if cleared.dry_run else "removed"
    leftovers = f" and {len(cleared.leftovers)} leftovers" if cleared.leftovers else ""
    return f"{_results(len(cleared.keys))}{leftovers} {verb}, {size(cleared.bytes)}\n"


def _results(count: int) -> str:
    return "1 result" if count == 1 else f"{count} results"
