"""Files that a program writes: vectors for other uses, pages to look at."""

from __future__ import annotations

import os
from typing import Any

from steerlang.diagnostics import codes, error
from steerlang.graph.facts import Trouble
from steerlang.language.lowering import Lowering
from steerlang.language.parameter_types import Choice, Flag, ListOf, Number, Text, Value
from steerlang.language.signature import Call, Function, Parameter
from steerlang.language.types import (
    COEFFICIENTS,
    EXPORT,
    METRIC,
    MODEL,
    PATTERN,
    REPORT,
    SAMPLES,
    SIZE,
    TASKVECTOR,
    VECTOR,
)
from steerlang.language.values import (
    POISON,
    AdapterValue,
    CheckpointValue,
    CoefficientsSetValue,
    ExportValue,
    ModelValue,
    ReportValue,
    TaskVectorValue,
)

from .baking import why_not_constant
from .reports import report


def _path(call: Call, low: Lowering) -> str | None:
    """Where the file will lie; a relative path starts at the program and may not leave its project."""
    found = low.facts.resolve_path(call["to"], low.folder)
    if isinstance(found, Trouble):
        report(found, call.where("to"), low)
        return None
    return str(found)


def target(call: Call, low: Lowering, ending: str) -> str | None:
    """Where a file will lie whose name ends as its format does."""
    path = _path(call, low)
    if path is None or path.endswith(ending):
        return path
    low.report(
        error(
            codes.ARGUMENT_TYPE,
            call.where("to"),
            f"`{call['to']}` does not end in `{ending}`",
            help=f"this writes a `{ending}` file: name it so",
        )
    )
    return None


def _file(ending: str) -> Any:
    def lower(call: Call, low: Lowering) -> Any:
        path = target(call, low, ending)
        return POISON if path is None else ExportValue(call["value"].node, path, call["overwrite"], call.span)

    return lower


def _coefficients(call: Call, low: Lowering) -> Any:
    value = call["value"]
    if not isinstance(value, CoefficientsSetValue) or value.node is None:
        message = "these coefficients are written in the program already"
        help = "export what `learn` or `search` finds"
        low.report(error(codes.ARGUMENT_TYPE, call.where("value"), message, help=help))
        return POISON
    return _file(".json")(call, low)


def _html(call: Call, low: Lowering) -> Any:
    path = _path(call, low)
    return POISON if path is None else ReportValue(path, {"title": call["title"]}, call.span)


_PICTURES = (".png", ".svg", ".pdf")


def _concept_board(call: Call, low: Lowering) -> Any:
    path = _path(call, low)
    if path is not None and os.path.splitext(path)[1] not in _PICTURES:
        endings = ", ".join(f"`{e}`" for e in _PICTURES)
        message = f"`{call['to']}` is no kind of picture that can be drawn"
        low.report(error(codes.ARGUMENT_TYPE, call.where("to"), message, help=f"let its name end in one of {endings}"))
        return POISON
    return POISON if path is None else ReportValue(path, {}, call.span, "concepts")


def _checkpoint(call: Call, low: Lowering) -> Any:
    model: ModelValue = call["model"]
    steered = model.node is not model.base
    if steered and (reason := why_not_constant(model.node)) is not None:
        message = f"this steered model cannot be a checkpoint: {reason[0]}"
        low.report(error(codes.NOT_CONSTANT, call.where("model"), message, help=reason[1]))
        return POISON
    if call["form"] == "adapter" and not steered:
        message = f"`{model.name}` is not steered: there is nothing to put into an adapter"
        low.report(error(codes.ARGUMENT_TYPE, call.where("form"), message, help="leave `form` out"))
        return POISON
    if not steered and model.node.operation != "model.edit":
        message = f"`{model.name}` is a checkpoint already"
        low.report(
            error(codes.ARGUMENT_TYPE, call.where("model"), message, help="export an edited or a steered model")
        )
        return POISON
    path = _path(call, low)
    if path is None:
        return POISON
    dtype = None if call["dtype"] == "base" else call["dtype"]
    exclude = tuple(call["exclude"])
    if exclude and steered:
        message = "a steered model is written whole"
        low.report(error(codes.ARGUMENT_TYPE, call.where("exclude"), message, help="leave `exclude` out"))
        return POISON
    how = (call["max_shard_size"], dtype, exclude, call["overwrite"], call.span, call["form"])
    return CheckpointValue(model.node, model.name, path, *how)


def _adapter(call: Call, low: Lowering) -> Any:
    vector: TaskVectorValue = call["vector"]
    path = _path(call, low)
    if path is None:
        return POISON
    rank = None if call["rank"] is None else int(call["rank"])
    return AdapterValue(vector.node, path, vector.base, rank, call["dtype"], call["overwrite"], call.span)


_FACTORS = {
    "float32": "32-bit floats",
    "bfloat16": "16-bit floats with the range of float32",
    "float16": "16-bit floats",
}
_STORED = {
    "base": "as the base stores it",
    "float32": "32-bit floats",
    "bfloat16": "16-bit floats with the range of float32",
    "float16": "16-bit floats",
}
_FORMS = {
    "weights": "a model by itself: biases for additions, orthogonalised weights for ablations",
    "adapter": "a PEFT adapter that adds: for architectures without biases",
}
TO = Parameter("to", Text(holds="output"), "where it is written, relative to the program")
OVERWRITE = Parameter("overwrite", Flag(), "whether a file made by something else may be replaced", False)

FUNCTIONS = (
    Function(
        "vector_file",
        "a vector as a safetensors file with its provenance",
        "exports",
        (Parameter("value", Value((VECTOR,)), "the vector"),),
        (TO, OVERWRITE),
        EXPORT,
        _file(".safetensors"),
    ),
    Function(
        "samples_file",
        "samples as JSON lines",
        "exports",
        (Parameter("value", Value((SAMPLES,)), "the samples"),),
        (TO, OVERWRITE),
        EXPORT,
        _file(".jsonl"),
    ),
    Function(
        "metric_file",
        "a measured number as JSON",
        "exports",
        (Parameter("value", Value((METRIC,)), "the metric"),),
        (TO, OVERWRITE),
        EXPORT,
        _file(".json"),
    ),
    Function(
        "coefficients_file",
        "coefficients as JSON, by task vector and block",
        "exports",
        (Parameter("value", Value((COEFFICIENTS,)), "coefficients that `learn` or `search` found"),),
        (TO, OVERWRITE),
        EXPORT,
        _coefficients,
    ),
    Function(
        "checkpoint",
        "an edited or steered model as a complete Hugging Face folder, with a receipt",
        "exports",
        (Parameter("model", Value((MODEL,)), "the edited or steered model"),),
        (
            TO,
            Parameter("max_shard_size", Value((SIZE,)), "the largest file of weights", 5 * 2**30, "bytes"),
            Parameter("form", Choice(_FORMS), "what a steered model is written as", "weights"),
            Parameter("dtype", Choice(_STORED), "what its numbers are stored in", "base"),
            Parameter(
                "exclude", ListOf(Value((PATTERN,)), single=True), "tensors that are not written, by their names", ()
            ),
            OVERWRITE,
        ),
        EXPORT,
        _checkpoint,
    ),
    Function(
        "adapter",
        "a task vector as a LoRA adapter that PEFT loads; exact for weighted sums of adapters",
        "exports",
        (Parameter("vector", Value((TASKVECTOR,)), "the task vector"),),
        (
            TO,
            Parameter(
                "rank", Number(1, integer=True, optional=True), "what each matrix is cut to; none: exact, or an error",
                None,
            ),
            Parameter("dtype", Choice(_FACTORS), "what the factors are stored in", "float32"),
            OVERWRITE,
        ),
        EXPORT,
        _adapter,
    ),
    Function(
        "html",
        "one page with the program, its metrics and samples",
        "exports",
        (),
        (
            TO,
            Parameter("title", Text(optional=True), "the heading of the page", None),
        ),
        REPORT,
        _html,
    ),
    Function(
        "concept_board",
        "a picture of concepts: words, and images or texts that activate each most, dictionaries side by side",
        "exports",
        (),
        (TO,),
        REPORT,
        _concept_board,
    ),
)
