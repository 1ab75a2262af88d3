"""What a run should make its author wonder about."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from steerlang.diagnostics import Diagnostic, Label, codes
from steerlang.diagnostics.codes import Severity
from steerlang.engine.payload import Payload
from steerlang.graph.node import Node
from steerlang.language.compiling import cells_of
from steerlang.language.layers import spelled
from steerlang.language.values import DataValue, ModelValue, SamplesValue, StatesValue, VectorValue
from steerlang.operations.vector import SteeringVector

from .made import made_by

if TYPE_CHECKING:
    from .results import Run

# Pairs that end on the same token give directions a twentieth as long as their states and shorter; pairs that end on
# the words that differ, a third.
_SHORT = 0.02
# As for scales in units of the states: beyond this the state is mostly the vector.
_STRONG = 2.0
_LISTED = 10
_JUDGED = frozenset({"capture", "extract", "extract.function_vector", "extract.task_vector_icl"})


def doubtful_vectors(run: Run) -> Iterator[Diagnostic]:
    """Warnings of what was read: vectors that are short, have no length at a layer, or were made of some pairs only, or
    of examples that do not help; activations that some texts are missing from."""
    for label, _, payload, where in made_by(run, (VectorValue, StatesValue), _JUDGED):
        if payload.kind == "states":
            yield from _left_out(label, payload, where)
        else:
            vector = SteeringVector.of(payload)
            yield from _of_vector(label, vector, where)
            yield from _without_effect(label, vector, where)


def _left_out(label: str, states: Payload, where: Label) -> Iterator[Diagnostic]:
    """Warnings of activations that some texts are missing from."""
    found: Any = states.meta["found"]
    if not all(found):
        yield Diagnostic(
            codes.TOKEN_NOT_FOUND,
            f"`{label}` holds {sum(found)} of {len(found)} texts: the others lack the token that is read",
            where,
            help=("they are left out of what is made of it; another selector may find all",),
            level=Severity.WARNING,
        )


def _without_effect(label: str, vector: SteeringVector, where: Label) -> Iterator[Diagnostic]:
    """A warning of a vector made of examples that do not help the model."""
    likely: Any = vector.provenance.get("answer_probability")
    if likely is None:
        return
    compared = "shuffled" if "shuffled" in likely else "alone"
    if likely["examples"] <= likely[compared]:
        form = "after examples with other rows' answers" if compared == "shuffled" else "without examples"
        yield Diagnostic(
            codes.NO_CONTEXT_EFFECT,
            f"`{label}` was made of examples that do not help: the answer is no likelier than {form}",
            where,
            help=("the model may not learn this from context; look at `accuracy` in the vector's provenance",),
        )


def partly_steered(run: Run) -> Iterator[Diagnostic]:
    """Warnings of samples in some of whose prompts the text at which tokens are steered does not occur."""
    for table in run.program.compiled.tables.values():
        for label, cell in cells_of(table):
            payload = run.payload(cell.value.node) if isinstance(cell.value, SamplesValue) else None
            if payload is None:
                continue
            unmatched: Any = payload.meta.get("unmatched", {})
            for text, count in unmatched.items():
                yield Diagnostic(
                    codes.TOKEN_NOT_FOUND,
                    f"`{text}`, at which tokens of `{label}` are steered, "
                    f"is not in {count} of {len(payload.rows)} prompts",
                    Label(cell.symbol.span),
                    help=("these prompts are not steered there: leave them out, or steer other tokens",),
                    level=Severity.WARNING,
                )


def broken_images(run: Run) -> Iterator[Diagnostic]:
    """Warnings of images that could not be read and were left out."""
    for table in run.program.compiled.tables.values():
        for label, cell in cells_of(table):
            payload = run.payload(cell.value.node) if isinstance(cell.value, DataValue) else None
            broken: Any = payload.meta.get("broken") if payload is not None else None
            if payload is None or not broken:
                continue
            said = tuple(f"line {b['line']}: `{b['image']}` {b['why']}" for b in broken[:_LISTED])
            more = len(broken) - len(said)
            yield Diagnostic(
                codes.BAD_IMAGE,
                f"{len(broken)} of {payload.meta['of']} images of `{label}` cannot be read and are left out",
                Label(cell.symbol.span),
                notes=(*said, *((f"and {more} more",) if more else ())),
                help=("save them again as PNG or JPEG, or take their rows out",),
                level=Severity.WARNING,
            )


def idle_gates(run: Run) -> Iterator[Diagnostic]:
    """Warnings of samples on whose prompts the gates of a model were never open, or always."""
    for table in run.program.compiled.tables.values():
        for label, cell in cells_of(table):
            payload = run.payload(cell.value.node) if isinstance(cell.value, SamplesValue) else None
            gate: Any = payload.meta.get("gate") if payload is not None else None
            if not gate or gate["of"] < 2 or 0 < gate["open"] < gate["of"]:
                continue
            none = gate["open"] == 0
            what = "none" if none else "all"
            effect = "this is the base model's text" if none else "the gate changes nothing here"
            yield Diagnostic(
                codes.IDLE_GATE,
                f"the gate of `{label}` was open on {what} of {gate['of']} prompts: {effect}",
                Label(cell.symbol.span),
                help=("sweep over the threshold and measure `open_share` of texts of both kinds",),
            )


def _of_vector(label: str, vector: SteeringVector, where: Label) -> Iterator[Diagnostic]:
    found = _judge(label, vector)
    if found is not None:
        help = "look at the token that is read (`steerlang plan`): pairs should differ there"
        yield Diagnostic(codes.SHORT_DIRECTION, found, where, help=(help,))
    used, dropped = vector.provenance.get("pairs"), vector.provenance.get("left_out")
    if isinstance(used, int) and isinstance(dropped, int) and dropped:
        yield Diagnostic(
            codes.TOKEN_NOT_FOUND,
            f"`{label}` was made of {used} of {used + dropped} pairs: the others lack the token that is read",
            where,
            help=("look at the rendered pairs with `steerlang plan`, or read another token",),
            level=Severity.WARNING,
        )


def strong_actions(run: Run) -> Iterator[Diagnostic]:
    """A warning for each definition of a model to whose states something is added that is longer than they are: the
    replies are then the vector's, or empty. Scales in units of the states are judged where the program is checked."""
    for table in run.program.compiled.tables.values():
        models = [(label, c.value) for label, c in cells_of(table) if isinstance(c.value, ModelValue)]
        found = [(_largest_share(run, model), label) for label, model in models]
        share, label = max(found, default=(0.0, ""))
        if share > _STRONG:
            yield Diagnostic(
                codes.LARGE_SCALE,
                f"`{label}` adds a vector {share:.3g} times as long as the states it is added to",
                Label(table.symbol.span),
                help=("a share below 0.5 is usually enough; `unit = residual` makes the scale that share",),
            )


def _largest_share(run: Run, model: ModelValue) -> float:
    """The largest length that an `add` gives its vectors, as a share of the states that they were read from."""
    node, found = model.node, 0.0
    while node is not model.base and node.inputs:
        documents: Any = node.options.get("actions", ())
        for document in documents:
            if document["operator"] == "add" and document["options"].get("unit") in ("raw", "unit"):
                found = max(found, _share(run, document, node))
        node = node.inputs[0]
    return found


def _share(run: Run, document: Mapping[str, Any], node: Node) -> float:
    found = 0.0
    for scale, i in zip(document["scales"], document["vectors"], strict=True):
        payload = run.payload(node.inputs[1 + i])
        if payload is None:
            continue
        vector = SteeringVector.of(payload).at(tuple(document["layers"]))
        lengths = vector.norms if document["options"]["unit"] == "raw" else (vector.norms > 0) * 1.0
        shares = [abs(scale) * float(n) / float(s) for n, s in zip(lengths, vector.state_norms, strict=True) if s]
        found = max(found, *shares, 0.0)
    return found


def _judge(label: str, vector: SteeringVector) -> str | None:
    shares = [float(n / s) if s else 0.0 for n, s in zip(vector.norms, vector.state_norms, strict=True)]
    none = tuple(layer for layer, n in zip(vector.layers, vector.norms, strict=True) if n == 0)
    if none:
        return f"`{label}` has no length at layers {spelled(none)}: both sides read the same there"
    if vector.method.get("name") != "mean_difference" or max(shares) >= _SHORT:
        return None  # other methods give unit length, or add directions of unit length
    return f"`{label}` is at most {max(shares):.1%} as long as the states it was read from"
