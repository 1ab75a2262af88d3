"""Where values come from: models (`hf`) and data (`jsonl`, `csv`, `lines`, …)."""

from __future__ import annotations

from typing import Any

from steerlang.diagnostics import codes, error
from steerlang.graph.facts import Absent, ModelFacts, ModelReference, Trouble
from steerlang.graph.node import Json
from steerlang.language.lowering import Lowering
from steerlang.language.parameter_types import Choice, Text, Value
from steerlang.language.signature import Call, Function, Parameter
from steerlang.language.types import DATA, MODEL, PAIRS, TEXT, TEXTS, list_of
from steerlang.language.values import POISON, ModelValue

from .reports import absent, report
from .tables import COLUMNS, OPTIONS, form, inline_pairs, inline_texts, table
from .tasks import WRITERS

# ---- models --------------------------------------------------------------------------------------------------------

TASKS = {
    "causal": "a language model",
    "image_text_to_text": "a language model that sees images",
    "image_classification": "an image encoder with a classifier",
    "clip": "an image and a text encoder trained together: classes are said in words",
    "sequence_classification": "a text encoder or language model with a classifier",
    "text_embedding": "a text encoder, whose mean state stands for a text",
}
_DTYPES = {
    "auto": "as the configuration of the model says",
    "float32": "32-bit floats",
    "bfloat16": "16-bit floats with the range of float32",
    "float16": "16-bit floats",
}


def _hf(call: Call, low: Lowering) -> Any:
    id, where = call["id"], call.where("id")
    asked = None if call["task"] == "auto" else call["task"]
    reference = ModelReference(id, call["revision"], asked, low.folder, low.options.remote_code)
    found = low.facts.model(reference)
    if isinstance(found, Absent):
        return absent(found, reference, where, low)
    if isinstance(found, Trouble):
        report(found, call.where("task") if found.code is codes.UNFIT_TASK else where, low)
        return POISON
    # What no task here fits is taken for a language model, and said where it is used for what it cannot do.
    task = asked or (found.task if found.task in TASKS and _is_whole(found) else "causal")
    if task in WRITERS and (found.layers is None or found.width is None):
        low.report(
            error(
                codes.UNREADABLE_MODEL,
                where,
                f"`{id}` does not say how many layers it has or how wide they are",
                help="its config.json needs the number of layers and the hidden size",
            )
        )
        return POISON
    identity = found.digest() if low.options.hashing else f"unhashed:{found.path}"
    options: dict[str, Json] = {"identity": identity, "task": task, "dtype": _dtype(call["dtype"], found.dtype)}
    locators = {"path": str(found.path), "name": id}
    node = low.node("model.load", options, (), "model", virtual=True, locators=locators, source=id)
    return ModelValue(node, node, found, id, reference, found.layers or 0, found.width or 0, task)


def _is_whole(found: ModelFacts) -> bool:
    """Whether a model has all that its task needs: without a processor one that sees images only reads texts."""
    return found.task != "image_text_to_text" or found.has_processor


def _dtype(asked: str, stored: str | None) -> str:
    """The precision a model runs in: `auto` is that of its configuration, so that it is the same on every machine."""
    if asked != "auto":
        return asked
    return stored if stored in _DTYPES else "float32"


# ---- data ----------------------------------------------------------------------------------------------------------

_PATH = Parameter("path", Text(holds="file"), "the file, relative to the program")


def _file(name: str, help: str) -> Function:
    return Function(name, help, "sources", (_PATH,), (*COLUMNS, *OPTIONS), form, table(name), gives=DATA)


FUNCTIONS = (
    Function(
        "hf",
        "a model in Hugging Face format: a folder beside the program, or an id",
        "sources",
        (Parameter("id", Text(holds="model"), "a folder relative to the program, or a Hugging Face id"),),
        (
            Parameter("revision", Text(optional=True), "a branch, tag or commit of the id", None),
            Parameter("dtype", Choice(_DTYPES), "the precision it runs in", "auto"),
            Parameter("task", Choice({"auto": "as its files say", **TASKS}), "what the model does", "auto"),
        ),
        MODEL,
        _hf,
    ),
    _file("jsonl", "rows of a JSON-lines file"),
    _file("json", "rows of a JSON file: a list of objects"),
    _file("csv", "rows of a comma-separated file with a header line"),
    _file("tsv", "rows of a tab-separated file with a header line"),
    _file("parquet", "rows of a Parquet file (needs the package pyarrow)"),
    Function("lines", "one text a line", "sources", (_PATH,), OPTIONS, TEXTS, table("lines")),
    Function(
        "texts",
        "texts written in place",
        "sources",
        (Parameter("rows", Value((list_of(TEXT),)), "the texts"),),
        OPTIONS,
        TEXTS,
        inline_texts,
    ),
    Function(
        "pairs",
        "pairs written in place: away from the first, towards the second",
        "sources",
        (Parameter("rows", Value((list_of(list_of(TEXT)),), "a list of pairs of texts"), "the pairs"),),
        OPTIONS,
        PAIRS,
        inline_pairs,
    ),
)
