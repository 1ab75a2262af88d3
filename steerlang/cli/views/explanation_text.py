"""An explained definition as text."""

from __future__ import annotations

from typing import TYPE_CHECKING

from steerlang.reports.layout import Screen, columns

if TYPE_CHECKING:
    from steerlang.api.explaining import Explained, Setting


WIDE = 130  # where lines of help have room


def render_explained(found: Explained, screen: Screen, details: bool = True) -> str:
    """Its head, what it resolves to, then one row an option: name, value, where the value comes from."""
    lines = [f"{found.kind} {screen.paint(found.name, 'bold')}  {screen.paint(found.place, 'dim')}"]
    lines += [f"  {screen.paint('# ' + screen.clean(line), 'dim')}" for line in found.description.splitlines()]
    lines.append("  = " + screen.cut(screen.clean(found.text), max(40, screen.width - 4)))
    for explanation in found.resolved:
        if explanation.label != found.name:
            lines += ["", f"  {screen.clean(explanation.label)}"]
        elif explanation.lines:
            lines.append("")
        lines += ["  " + screen.clean(line) for line in (*explanation.lines, *(explanation.details if details else ()))]
    if found.settings:
        lines += ["", *columns([_row(s, screen) for s in found.settings], [False] * (4 if screen.width >= WIDE else 3))]
    links = (("uses", found.uses), ("used by", found.used_by))
    shown = [f"  {words} {', '.join(names)}" for words, names in links if names]
    lines += ["", *shown] if shown else []
    return "\n".join(lines) + "\n"


def _row(setting: Setting, screen: Screen) -> list[str]:
    place = setting.place.partition(":")[2]
    origin = setting.origin if not place or setting.origin == "default" else f"{setting.origin} ({place})"
    cells = [setting.path, screen.cut(screen.clean(setting.value), 40), origin]
    if screen.width < WIDE:
        return cells
    help = f"{setting.help} (in {setting.unit})" if setting.unit else setting.help
    return [*cells, screen.paint(screen.cut(help, screen.width - 90), "dim")]
