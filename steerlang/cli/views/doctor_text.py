"""`doctor` as text."""

from __future__ import annotations

from typing import TYPE_CHECKING

from steerlang.reports.layout import Screen, columns

if TYPE_CHECKING:
    from steerlang.cli.examination import Examination


def render_examination(found: Examination, screen: Screen) -> str:
    lines: list[str] = []
    for section, facts in found.sections.items():
        lines.append(screen.paint(section, "bold"))
        lines += columns([[f.name, _value(f.value)] for f in facts], [False, False])
        lines.append("")
    return "\n".join(lines) + "\n"


def _value(value: object) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    return "-" if value is None else str(value)
