"""How demonstrations will be read: the rendered text with the token that is read marked, before anything runs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from steerlang.data.words import first_word
from steerlang.graph.facts import Facts, Rendered
from steerlang.graph.node import Node
from steerlang.language.values import ModelValue

_LONGEST = 90


@dataclass(frozen=True)
class Reading:
    """One text, the token that is read in 【】, and its length in tokens where the tokenizer could be asked."""

    text: str
    tokens: int | None


def readings(capture: Node, model: ModelValue, rows: Sequence[Mapping[str, Any]], facts: Facts) -> list[Reading]:
    """Every row of a capture as it will be read."""
    if rows and "image" in rows[0]:
        return [Reading(f"{_cut(str(r.get('prompt', '')))}  (beside `{r['image']}`)", None) for r in rows]
    role = str(capture.options["role"])
    texts = [str(r[role] if role in r else r.get("text", r.get("prompt", ""))) for r in rows]
    found = facts.rendered(model.reference, texts)
    if found is None:
        return [
            Reading(f"{_cut(t)}  (the token that is read shows once `steerlang[run]` is installed)", None)
            for t in texts
        ]
    selector: Any = capture.options["tokens"]
    return [Reading(_marked(r, selector), len(r.ids)) for r in found]


def _marked(rendered: Rendered, selector: Mapping[str, Any]) -> str:
    positions = _positions(rendered, selector)
    if positions is None:
        return f"{_cut(rendered.text)}  ({selector['select']} of all {len(rendered.ids)} tokens)"
    if not positions:
        return f"{_cut(rendered.text)}  (no such token: this row is left out)"
    first, last = positions[0], positions[-1]
    start, end = rendered.offsets[first][0], rendered.offsets[last][1]
    if start == end:
        return f"【{rendered.tokens[first]}】{_cut(rendered.text)}"
    return f"{_cut(rendered.text[:start], left=True)}【{rendered.text[start:end]}】{_cut(rendered.text[end:])}"


def _positions(rendered: Rendered, selector: Mapping[str, Any]) -> list[int] | None:
    """Tokens that are read, ascending; None where all are."""
    count, name = len(rendered.ids), selector["select"]
    if name in ("mean", "all", "assistant", "generated"):
        return None  # the assistant's part of a chat is known once its template is applied
    fixed = {
        "last": count - 1,
        "first": 0,
        "index": selector.get("position", 0),
        "from_end": count - selector.get("position", 1),
    }
    if name in fixed:
        return [fixed[name]] if 0 <= fixed[name] < count else []
    if name == "span":
        return list(range(selector["start"], selector["end"] + 1)) if selector["end"] < count else []
    at = _token_at(rendered, selector["text"]) if "text" in selector else _word_at(rendered, selector["words"])
    if at is None:
        return []
    return {"at": [at], "predicting": [at - 1] if at else [], "before": list(range(at))}[name]


def _token_at(rendered: Rendered, text: str) -> int | None:
    """The first token of the first occurrence of a text."""
    if text in rendered.tokens:  # special tokens stand in no place of the text
        return rendered.tokens.index(text)
    place = rendered.text.find(text)
    if place < 0:
        return None
    return next((i for i, (a, b) in enumerate(rendered.offsets) if a <= place < b), None)


def _word_at(rendered: Rendered, words: Sequence[str]) -> int | None:
    """The first token of the first of some words."""
    place = first_word(rendered.text, words)
    if place is None:
        return None
    return next((i for i, (a, b) in enumerate(rendered.offsets) if a < place[1] and b > place[0]), None)


def _cut(text: str, left: bool = False) -> str:
    shown = text.replace("\n", "⏎")
    if len(shown) <= _LONGEST:
        return shown
    return "…" + shown[-_LONGEST:] if left else shown[:_LONGEST] + "…"
