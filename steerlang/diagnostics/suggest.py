"""The names someone may have meant."""

from __future__ import annotations

from collections.abc import Iterable


def nearest(word: str, candidates: Iterable[str], limit: int = 3) -> list[str]:
    """Candidates within a Damerau distance of `max(1, len(word) / 3)`, nearest first, then in alphabetical order.

    Case counts, but less than anything else: a candidate that differs in case alone comes first.
    """
    most = max(1, len(word) // 3)
    scored = []
    for candidate in sorted(set(candidates)):
        if len(word) < 2 and candidate.lower() != word.lower():
            continue  # a single letter is near every other
        if candidate == word or abs(len(candidate) - len(word)) > most:
            continue
        score = 0 if candidate.lower() == word.lower() else distance(word, candidate)
        if score <= most:
            scored.append((score, candidate))
    return [candidate for _, candidate in sorted(scored)[:limit]]


def did_you_mean(word: str, candidates: Iterable[str]) -> tuple[str, ...]:
    """The help line for a misspelt word, ready for `Diagnostic.help`; empty when nothing is near."""
    near = nearest(word, candidates)
    if not near:
        return ()
    return ("did you mean " + " or ".join(f"`{name}`" for name in near) + "?",)


def distance(left: str, right: str) -> int:
    """Edits from one word to the other: insert, delete, replace, or swap two neighbours (Damerau, restricted)."""
    before: list[int] = []
    previous = list(range(len(right) + 1))
    for i, a in enumerate(left, 1):
        current = [i]
        for j, b in enumerate(right, 1):
            cost = min(previous[j] + 1, current[j - 1] + 1, previous[j - 1] + (a != b))
            if i > 1 and j > 1 and a == right[j - 2] and left[i - 2] == b:
                cost = min(cost, before[j - 2] + 1)
            current.append(cost)
        before, previous = previous, current
    return previous[-1]
