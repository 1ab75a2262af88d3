"""What the parts of the terminal's form share."""

from __future__ import annotations

from .layout import Screen


def heading(name: str, screen: Screen, note: str = "") -> str:
    return screen.paint(name, "bold") + (f"  {screen.paint(note, 'dim')}" if note else "")


def more(count: int, screen: Screen) -> list[str]:
    """A line on what is left out; none where nothing is."""
    return [f"  {screen.sign('ellipsis')} and {count} more; `--format json` gives all"] if count > 0 else []
