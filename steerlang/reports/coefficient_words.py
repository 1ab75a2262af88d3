"""How coefficients were found, in words."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from .findings import number


def coefficient_facts(found: Mapping[str, Any], steps: int) -> dict[str, str]:
    """What a page says of `found`, as learning and searching give it; `steps` is how many steps were made."""
    trials: Sequence[Mapping[str, Any]] = found.get("trials") or ()
    facts = {name: str(found[name]) for name in ("objective", "why") if found.get(name)}
    chosen, why = found.get("chosen"), facts.get("why", "")
    if isinstance(chosen, int):
        point = f"step {chosen} of {steps}" if steps else _scale(trials, chosen)
        # What a search says of a scale that was found is what its place in the grid says.
        said = "" if point and why.startswith("the best of ") else why
        point = ": ".join(x for x in (point, said) if x)
        facts |= {"coefficients": "; ".join(x for x in (point, _pool(str(found.get("kept", "")))) if x)}
    if found.get("feasible") is False:
        facts["constraint"] = "not kept by any: the coefficients are 0"
    return {name: facts[name] for name in ("objective", "coefficients", "why", "constraint") if facts.get(name)}


def _scale(trials: Sequence[Mapping[str, Any]], chosen: int) -> str:
    """The scale of a search and its place in the grid; empty where none was searched."""
    scales = [(t.get("step"), t.get("scale")) for t in trials]
    if not scales or any(scale is None for _, scale in scales):
        return ""
    place = next((i for i, (step, _) in enumerate(scales) if step == chosen), None)
    if place is None:
        return ""
    return f"scale {number(scales[place][1])} ({ordinal(place + 1)} of {len(scales)})"


def _pool(kept: str) -> str:
    """Which task vectors took part: `kept` is the rule that chose them, or `all`."""
    if not kept:
        return ""
    return "all task vectors took part" if kept == "all" else f"task vectors chosen by {kept.replace('_', ' ')}"


def ordinal(n: int) -> str:
    """`1st`, `2nd`, `11th`."""
    ending = "th" if n % 100 in (11, 12, 13) else {1: "st", 2: "nd", 3: "rd"}.get(n % 10, "th")
    return f"{n}{ending}"
