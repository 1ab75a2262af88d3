"""What differs between two programs, as text."""

from __future__ import annotations

from typing import TYPE_CHECKING

from steerlang.reports.layout import Screen, columns

if TYPE_CHECKING:
    from steerlang.api.comparing import ProgramDifference


def render_difference(names: tuple[str, str], found: ProgramDifference, screen: Screen) -> str:
    """A line a definition that is gone, new or renamed, and below each changed one its options, old → new."""
    if found.equal:
        return f"{screen.clean(names[0])} and {screen.clean(names[1])} mean the same\n"
    arrow = "→" if screen.unicode else "->"
    lines = [f"{screen.paint('-', 'red')} {kind} {screen.paint(name, 'bold')}" for name, kind in found.removed]
    lines += [f"{screen.paint('+', 'green')} {kind} {screen.paint(name, 'bold')}" for name, kind in found.added]
    lines += [f"{screen.paint('=', 'dim')} {a} {arrow} {screen.paint(b, 'bold')}, renamed" for a, b in found.renamed]
    for definition in found.changed:
        lines.append(f"{screen.paint('~', 'yellow')} {definition.kind} {screen.paint(definition.name, 'bold')}")
        rows = [[c.option, _cut(c.first, screen), arrow, _cut(c.second, screen)] for c in definition.changes]
        lines += ["  " + line for line in columns(rows, [False] * 4)]
    if found.affected:
        lines.append(f"made of these: {', '.join(found.affected)}")
    return "\n".join(lines) + "\n"


def _cut(value: str | None, screen: Screen) -> str:
    return "-" if value is None else screen.cut(screen.clean(value), max(30, screen.width // 2 - 16))
