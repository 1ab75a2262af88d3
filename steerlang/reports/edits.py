"""Receipts of edited weights as tables, on a terminal and on a page."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape
from typing import Any

from .findings import EditTable, number
from .layout import Screen, columns

MOST_PAIRS = 5
MOST_EDITS = 12


def edit_table(name: str, receipt: Mapping[str, Any]) -> EditTable:
    """The table of one receipt: of an edited model or of an adapter."""
    counts = {k: int(n) for k, n in receipt["counts"].items() if n}
    if "adapter" in receipt:
        found = receipt["adapter"]
        norm = sum(n * n for n in found["norms"].values()) ** 0.5
        ranks = sorted(set(found["ranks"].values()))
        return EditTable(name, counts, norm, cut=found["error"], by_block=dict(found["norms"]), ranks=tuple(ranks))
    numbers = receipt["numbers"]
    change = numbers["change"]
    return EditTable(
        name, counts, change["norm"], change["survived"], change["unmoved"], change.get("cut"),
        {v["name"]: (v["norm"], dict(v["by_block"])) for v in numbers["vectors"]},
        tuple((*p["between"], p["cosine"], p["conflict"]) for p in numbers["pairs"]),
        {block: own["norm"] for block, own in change["by_block"].items()},
    )  # fmt: skip


def edits(tables: Sequence[EditTable], screen: Screen) -> list[list[str]]:
    """A row for every edit; below it norms of its task vectors, and how they lie to each other."""
    if not tables:
        return []
    rows: list[tuple[str, ...]] = [("", "tensors", "norm", "survives", "cut loses")]
    rows += [_row(t, screen) for t in tables[:MOST_EDITS]]
    filled = [i for i in range(5) if i < 3 or any(row[i] for row in rows[1:])]
    table = columns([[row[i] for i in filled] for row in rows], [False, False, True, True, True][: len(filled)])
    lines = [screen.paint("weights", "bold"), screen.paint(table[0], "dim"), *table[1:]]
    if len(tables) > MOST_EDITS:
        lines.append(f"  {screen.sign('ellipsis')} and {len(tables) - MOST_EDITS} more; `--format json` gives all")
    # Sweeps edit by the same task vectors again and again: these are shown once.
    seen: dict[str, float] = {}
    for t in tables:
        for vector, (norm, _) in t.vectors.items():
            seen.setdefault(vector, norm)
    facts = [(f"norm of {screen.clean(vector)}", number(norm)) for vector, norm in seen.items()]
    pairs = {(a, b): (cosine, conflict) for t in tables for a, b, cosine, conflict in t.pairs}
    for (a, b), (cosine, conflict) in list(pairs.items())[:MOST_PAIRS]:
        facts.append((f"{screen.clean(a)} and {screen.clean(b)}", _pair(cosine, conflict)))
    if len(pairs) > MOST_PAIRS:
        facts.append((f"{screen.sign('ellipsis')} and {len(pairs) - MOST_PAIRS} more pairs", ""))
    return [[*lines, *columns(facts, [False, False])]]


def _row(table: EditTable, screen: Screen) -> tuple[str, ...]:
    counts = ", ".join(f"{n} {what.replace('_', ' ')}" for what, n in table.counts.items())
    return (screen.cut(table.name, 32), counts, number(table.norm), _share(table.survived), _share(table.cut))


def _share(value: float | None) -> str:
    return f"{100 * value:.1f}%" if value is not None else ""


def _pair(cosine: float | None, conflict: float | None) -> str:
    parts = [f"cosine {cosine:.3f}"] if cosine is not None else []
    return ", ".join([*parts, f"signs conflict in {_share(conflict)}"] if conflict is not None else parts)


def edits_document(table: EditTable) -> dict[str, Any]:
    """The table as JSON values."""
    return {
        "name": table.name,
        "counts": dict(table.counts),
        "norm": table.norm,
        "survived": table.survived,
        "unmoved": table.unmoved,
        "cut": table.cut,
        "finite": True,  # what is not finite is an error, and writes nothing
        "by_block": dict(table.by_block),
        "vectors": [{"name": n, "norm": norm, "by_block": blocks} for n, (norm, blocks) in table.vectors.items()],
        "pairs": [
            {"between": [a, b], "cosine": cosine, "conflict": conflict} for a, b, cosine, conflict in table.pairs
        ],
        "ranks": list(table.ranks),
    }


def edits_html(tables: Sequence[EditTable]) -> str:
    """The content of the page's section on weights."""
    from .html_parts import grid

    if not tables:
        return ""
    rows = [
        [
            t.name, ", ".join(f"{n} {what.replace('_', ' ')}" for what, n in t.counts.items()), number(t.norm),
            _share(t.survived), _share(t.unmoved), _share(t.cut),
        ]
        for t in tables
    ]  # fmt: skip
    heads = ["", "tensors", "norm of the change", "survives the dtype", "entries left unmoved", "lost by the cut"]
    return "\n".join([grid(heads, rows, 2), *map(_details, tables)])


def _details(table: EditTable) -> str:
    """Norms by block, one column a task vector, and how task vectors lie to each other: two tables, folded away."""
    from .html_parts import grid

    blocks = list(dict.fromkeys([*table.by_block, *(b for _, own in table.vectors.values() for b in own)]))
    heads = ["block", "change", *table.vectors]
    rows = [
        [b, number(table.by_block.get(b)), *(number(own.get(b)) for _, own in table.vectors.values())] for b in blocks
    ]
    whole = ["all", number(table.norm), *(number(norm) for norm, _ in table.vectors.values())]
    name = f"<code>{escape(table.name)}</code>"
    shown = _fold(f"norms of {name} by block", grid(heads, [whole, *rows], 1))
    pairs = [[a, b, number(cosine), _share(conflict)] for a, b, cosine, conflict in table.pairs]
    if pairs:
        lying = grid(["task vector", "and", "cosine", "signs that conflict"], pairs, 2)
        shown += _fold(f"cosines and sign conflicts of the task vectors of {name}", lying)
    return shown


def _fold(summary: str, content: str) -> str:
    return f"<details><summary>{summary}</summary>\n{content}\n</details>\n"
