"""What the world answered, shown where the program asked."""

from __future__ import annotations

from typing import Any

from steerlang.diagnostics import Diagnostic, Label, codes, error
from steerlang.graph.facts import Absent, ModelReference, Trouble
from steerlang.language.lowering import Lowering
from steerlang.language.values import POISON
from steerlang.source import Span


def report(found: Trouble, where: Span, low: Lowering) -> None:
    """A trouble and those found with it, each as a diagnostic at `where`."""
    for one in found.all():
        low.report(one.at(where))


def absent(found: Absent, reference: ModelReference, where: Span, low: Lowering) -> Any:
    """A model or adapter that is not on this machine: said, and noted to be fetched. What uses it is not checked."""
    low.absent.append(reference)
    meant = tuple(f"did you mean the folder `{x}`?" for x in found.nearby[:1])
    if low.options.locked:
        message = f"`{found.id}` cannot be used: {found.reason}"
        help = (*meant, "fetch it first (`hf download`), or give the path of a folder")
        low.report(error(codes.MODEL_NOT_ON_DISK, where, message, help=help))
    else:
        message = f"`{found.id}` and what depends on it are not checked: {found.reason}"
        help = (*meant, "`steerlang run` fetches it; `--locked` makes this an error")
        low.report(Diagnostic(codes.NOT_CHECKED, message, Label(where), help=help))
    return POISON


def counted(count: int, what: str) -> str:
    """`1 scale`, `2 scales`."""
    return f"{count} {what}" if count == 1 else f"{count} {what}s"
