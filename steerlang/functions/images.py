"""Images that a table names, with or without the class of each."""

from __future__ import annotations

import os
from typing import Any

from steerlang.diagnostics import codes, error
from steerlang.language.lowering import Lowering
from steerlang.language.parameter_types import Choice, Text
from steerlang.language.signature import Call, Function, Parameter
from steerlang.language.types import IMAGES
from steerlang.language.values import POISON

from .classes import CLASSES, TEMPLATES
from .tables import BESIDE, LIMIT, WHERE, named_columns, read_rows

_BROKEN = {
    "error": "the program stops, and their rows are named",
    "skip": "their rows are left out and counted; each image is decoded once more to find out",
}
_FORMATS = {".csv": "csv", ".tsv": "tsv", ".jsonl": "jsonl", ".json": "json", ".parquet": "parquet"}


def _images(call: Call, low: Lowering) -> Any:
    format = _FORMATS.get(os.path.splitext(call["path"])[1].lower())
    if format is None:
        endings = ", ".join(f"`{e}`" for e in _FORMATS)
        message = f"`{call['path']}` is no table of images that can be read"
        help = f"name a file that ends in one of {endings}, with a column of paths of images"
        low.report(error(codes.ARGUMENT_TYPE, call.where("path"), message, help=help))
        return POISON
    if call["prompt"] is not None and call["question"] is not None:
        message, help = "the prompt is said twice", "give one text for every row (`prompt`), or a column (`question`)"
        low.report(error(codes.ARGUMENT_TYPE, call.where("question"), message, help=help))
        return POISON
    columns = named_columns(call, ("image", "label"))
    columns |= {"prompt": call["question"]} if call["question"] is not None else {}
    more = {name: call[name] for name, default in (("prompt", None), ("broken", "error")) if call[name] != default}
    return read_rows(call, low, format, columns, IMAGES, more)


FUNCTIONS = (
    Function(
        "images",
        "images that a table names by their paths, which start from the folder of the table",
        "sources",
        (
            Parameter(
                "path", Text(holds="file"), "the table (CSV, TSV, JSON lines, JSON, Parquet), relative to the program"
            ),
        ),
        (
            Parameter("image", Text(holds="column"), "the column of paths of images", "file"),
            Parameter("label", Text(optional=True, holds="column"), "the column of classes, by name or number", None),
            Parameter(
                "prompt", Text(optional=True), "what is asked of every image; `{column}` stands for the row's own", None
            ),
            Parameter(
                "question", Text(optional=True, holds="column"), "the column of what is asked of each image", None
            ),
            Parameter("system", Text(optional=True), "a system message before each prompt", None),
            CLASSES,
            *BESIDE,
            TEMPLATES,
            LIMIT,
            WHERE,
            Parameter("broken", Choice(_BROKEN), "what becomes of images that cannot be read", "error"),
        ),
        IMAGES,
        _images,
    ),
)
