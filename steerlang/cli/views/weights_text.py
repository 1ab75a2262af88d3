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
    heads = ["block", "entries changed", "relative size", "largest change"]
    rows = [_row(block, screen) for block in changed]
    if found.kind != "checkpoint":
        heads.append("cosine")
        rows = [[*row, "-" if b.cosine is None else f"{b.cosine:.4f}"] for row, b in zip(rows, changed, strict=True)]
    lines = columns([heads, *rows], [False] + [True] * (len(heads) - 1), indent="") if changed else []
    lines += [f"{name}: {screen.clean(a)} and {screen.clean(b)}" for name, a, b in found.facts]
    for name, tensors in zip(names, (found.only_first, found.only_second), strict=True):
        lines += _listed(f"only in {screen.clean(name)}", tensors, screen)
    lines += _listed("in other forms", [f"{name}: {forms}" for name, forms in found.other_form], screen)
    if found.equal:
        said = f"the {_WORDS[found.kind]} are the same, bit by bit"
        return "\n".join([*(lines if found.facts else []), said]) + "\n"
    return "\n".join([*lines, f"{len(changed)} of {len(found.blocks)} blocks differ"]) + "\n"


_WORDS = {"checkpoint": "weights", "adapter": "products of the adapters", "vector": "directions"}


def _row(block: BlockDifference, screen: Screen) -> list[str]:
    size = f"{block.norm / block.base_norm:.3g}" if block.base_norm else "-"
    return [screen.clean(block.name), f"{block.changed:,} of {block.count:,}", size, f"{block.largest:.3g}"]


def _listed(title: str, names: Sequence[str], screen: Screen) -> list[str]:
    shown = [f"  {screen.clean(name)}" for name in names[:NAMED]]
    more = [f"  and {len(names) - NAMED} more"] if len(names) > NAMED else []
    return [f"{title}:", *shown, *more] if names else []
