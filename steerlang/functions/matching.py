"""Whether two checkpoints have the same tensors, as their headers say."""

from __future__ import annotations

from steerlang.diagnostics import codes, error
from steerlang.diagnostics.suggest import nearest
from steerlang.language.lowering import Lowering
from steerlang.language.values import ModelValue
from steerlang.source import Span


def matched(tuned: ModelValue, base: ModelValue, span: Span, low: Lowering, *, common: bool = False) -> bool:
    """Whether both checkpoints have the same tensors in the same shapes, as their headers say.

    common  whether they may have other numbers of tokens
    """
    if tuned.facts.layers != base.facts.layers:
        message = (
            f"`{tuned.name}` has {tuned.facts.layers} layers and `{base.name}` has {base.facts.layers} layers, as "
            "their configurations say"
        )
        low.report(error(codes.PROVENANCE_MISMATCH, span, message, help="take models of one architecture"))
        return False
    ours, theirs = tuned.facts.tensors, base.facts.tensors
    for name in sorted(set(ours) ^ set(theirs)):
        has, lacks = (tuned, base) if name in ours else (base, tuned)
        if (has.facts.tied or lacks.facts.tied) and _may_be_tied(name, has):
            continue  # stored once in one of them, twice in the other
        close = nearest(name, list(lacks.facts.tensors))
        help = (
            f"did `{lacks.name}` name it `{close[0]}`?"
            if close
            else "say `subtract(…, missing = skip)` to leave it alone"
        )
        low.report(
            error(codes.UNREADABLE_MODEL, span, f"`{name}` is in `{has.name}` but not in `{lacks.name}`", help=help)
        )
        return False
    for name in sorted(set(ours) & set(theirs)):
        if ours[name].shape != theirs[name].shape:
            tokens = _token_counts(name, tuned, base)
            if tokens and common:
                continue
            if tokens:
                message = f"`{tuned.name}` has {tokens[0]:,} tokens and `{base.name}` {tokens[1]:,} (`{name}`)"
                help = "say `subtract(…, vocabulary = common)` if the first tokens of both are the same"
                low.report(error(codes.WIDTH_MISMATCH, span, message, help=help))
                return False
            shapes = f"{list(ours[name].shape)} in `{tuned.name}`, {list(theirs[name].shape)} in `{base.name}`"
            low.report(
                error(
                    codes.WIDTH_MISMATCH,
                    span,
                    f"`{name}` has two shapes: {shapes}",
                    help="subtract models of one architecture and vocabulary",
                )
            )
            return False
    return True


def _token_counts(name: str, tuned: ModelValue, base: ModelValue) -> tuple[int, int] | None:
    """The rows of two tensors that differ in their number of tokens alone; None where it is something else."""
    ours, theirs = tuned.facts.tensors[name].shape, base.facts.tensors[name].shape
    if not ours or len(ours) != len(theirs) or ours[1:] != theirs[1:]:
        return None
    said, other = base.facts.vocabulary, tuned.facts.vocabulary
    # The weights may be padded beyond the configured number of tokens, and the configuration may not have been kept up.
    fits = said is not None and theirs[0] >= said > theirs[0] // 2 and (theirs[0] == said or ours[0] == other)
    return (ours[0], theirs[0]) if fits else None


def _may_be_tied(name: str, model: ModelValue) -> bool:
    """Whether a tensor has the form of the embedding, which the head may share."""
    facts = model.facts
    return facts.tensors[name].shape == (facts.vocabulary, facts.width)
