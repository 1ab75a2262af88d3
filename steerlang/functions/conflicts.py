"""Actions on one model that cannot both have their way."""

from __future__ import annotations

from collections.abc import Sequence

from steerlang.diagnostics import Diagnostic, Label, codes, error
from steerlang.graph.node import Json
from steerlang.language.lowering import Lowering
from steerlang.language.values import AppliedAction

from .order import place_text

# Tokens of these two selectors are never the same ones: `at` names a token by its text, and no prompt ends on an image.
_APART = frozenset(
    {("at", "last_prompt"), ("at", "generated"), ("generated", "image"), ("image", "last_prompt")}
)


def without_conflicts(actions: Sequence[AppliedAction], low: Lowering) -> bool:
    """Whether no two actions set the same thing at one place; an action that a later one undoes is warned of.

    `replace` sets the whole state, `clamp` one component of it. Gates or schedules that differ are taken at their word:
    the later action is meant to have its way where it acts.
    """
    for later, second in enumerate(actions):
        for first in actions[:later]:
            layer = _shared(first, second)
            if layer is None:
                continue
            if _sets_the_same(first, second):
                low.report(_conflict(first, second, layer))
                return False
            if second.action.operator == "replace" and _covers(second, first):
                low.report(_undone(first, second, layer))
    return True


def _shared(first: AppliedAction, second: AppliedAction) -> int | None:
    """A layer at which both act on the same tokens under the same condition."""
    one, other = first.action, second.action
    alike = first.document.get("schedule") == second.document.get("schedule") and _gate(first) == _gate(second)
    if one.site != other.site or not alike or _apart(one.tokens, other.tokens):
        return None
    common = sorted(set(first.layers) & set(second.layers))
    return common[0] if common else None


def _gate(applied: AppliedAction) -> Json:
    """An action's gate, with its vectors by their keys instead of their numbers."""
    gate = applied.action.when
    return None if gate is None else [applied.document["when"], *(r.vector.node.key for r in gate.readings)]


def _sets_the_same(first: AppliedAction, second: AppliedAction) -> bool:
    one, other = first.action, second.action
    if one.operator == other.operator == "clamp":
        return one.vectors[0].node == other.vectors[0].node
    return one.operator == other.operator == "replace"


def _covers(second: AppliedAction, first: AppliedAction) -> bool:
    """Whether the second acts on every token and layer that the first acts on."""
    tokens = second.action.tokens
    everywhere = tokens == first.action.tokens or (isinstance(tokens, dict) and tokens["select"] == "all")
    return everywhere and set(first.layers) <= set(second.layers)


def _apart(one: Json, other: Json) -> bool:
    if not isinstance(one, dict) or not isinstance(other, dict):
        return False
    names = (str(one["select"]), str(other["select"]))
    return tuple(sorted(names)) in _APART or (names == ("at", "at") and one != other)


def _conflict(first: AppliedAction, second: AppliedAction, layer: int) -> Diagnostic:
    what = "the state" if second.action.operator == "replace" else "the component along one vector"
    return error(
        codes.CONFLICTING_ACTIONS,
        second.action.span,
        f"two actions set {what} at {place_text(second.action.site, layer)}, on the same tokens",
        help="leave one of them out, or let them act at other layers or tokens, or under other conditions (`when`)",
        secondary=(Label(first.action.span, "the first of them"),),
    )


def _undone(first: AppliedAction, second: AppliedAction, layer: int) -> Diagnostic:
    return Diagnostic(
        codes.UNDONE_ACTION,
        f"what `{first.action.operator}` does at {place_text(second.action.site, layer)} is lost: "
        "`replace` sets the whole state after it",
        Label(first.action.span),
        help=("put it after `replace`, or leave it out",),
        secondary=(Label(second.action.span, "the state is replaced here"),),
    )
