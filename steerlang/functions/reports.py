"""What the world answered, shown where the program asked."""

from __future__ import annotations

from steerlang.graph.facts import Trouble
from steerlang.language.lowering import Lowering
from steerlang.source import Span


def report(found: Trouble, where: Span, low: Lowering) -> None:
    """A trouble and those found with it, each as a diagnostic at `where`."""
    for one in found.all():
        low.report(one.at(where))
