"""`verify` and `diff` as text."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from steerlang.reports.layout import Screen, columns

if TYPE_CHECKING:
    from steerlang.weights.comparing import BlockDifference, CheckpointDifference
    from steerlang.weights.verifying import Finding

NAMED = 5  # tensors that are named one by one


def verification(folder: str, findings: Sequence[Finding], screen: Screen) -> str:
    """What is wrong with a folder, one line each."""
    if not findings:
        return f"{screen.clean(folder)}: everything is as the receipt says\n"
    lines = [f"{screen.paint(screen.sign('no'), 'red')} {screen.clean(f.message)}" for f in findings]
    problems = "1 problem" if len(findings) == 1 else f"{len(findings)} problems"
    return "\n".join([*lines, f"{screen.clean(folder)}: {problems}"]) + "\n"


def difference(names: tuple[str, str], found: CheckpointDifference, screen: Screen) -> str:
    """A row for every block that differs, then what only one side has."""
    changed = [block for block in found.blocks if block.changed]
    heads = ("block", "entries changed", "relative size", "largest change")
    lines = columns([heads, *(_row(block, screen) for block in changed)], [False, True, True, True], indent="") \
        if changed else []
    for name, tensors in zip(names, (found.only_first, found.only_second), strict=True):
        lines += _listed(f"only in {screen.clean(name)}", tensors, screen)
    lines += _listed("in other forms", [f"{name}: {forms}" for name, forms in found.other_form], screen)
    if found.equal:
        return "the weights are the same, bit by bit\n"
    return "\n".join([*lines, f"{len(changed)} of {len(found.blocks)} blocks differ"]) + "\n"


def _row(block: BlockDifference, screen: Screen) -> tuple[str, str, str, str]:
    size = f"{block.norm / block.base_norm:.3g}" if block.base_norm else "-"
    return screen.clean(block.name), f"{block.changed:,} of {block.count:,}", size, f"{block.largest:.3g}"


def _listed(title: str, names: Sequence[str], screen: Screen) -> list[str]:
    shown = [f"  {screen.clean(name)}" for name in names[:NAMED]]
    more = [f"  and {len(names) - NAMED} more"] if len(names) > NAMED else []
    return [f"{title}:", *shown, *more] if names else []
