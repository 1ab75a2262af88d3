"""Where values come from: models (`hf`) and data (`jsonl`, `csv`, `lines`, …)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from steerlang.data import Demonstration, ProblemKind, RowOptions, check_options, demonstrations
from steerlang.data.demonstrations import Contains, Equals, of_pairs, of_texts
from steerlang.diagnostics import codes, error
from steerlang.graph.facts import Absent, DataFacts, ModelReference, Trouble
from steerlang.graph.node import Json
from steerlang.language import typed as t
from steerlang.language.lowering import Lowering
from steerlang.language.parameter_types import Choice, Data, Flag, ListOf, Number, Text, Value
from steerlang.language.signature import Call, Function, Mismatch, Parameter
from steerlang.language.types import FILTER, LABELLED, MODEL, PAIRS, TEXT, TEXTS, Type, list_of
from steerlang.language.values import POISON, DataValue, ModelValue
from steerlang.source import Span

from .reports import absent, report

# ---- models --------------------------------------------------------------------------------------------------------

_TASKS = {"causal": "a language model"}
_DTYPES = {
    "auto": "as the configuration of the model says",
    "float32": "32-bit floats",
    "bfloat16": "16-bit floats with the range of float32",
    "float16": "16-bit floats",
}


def _hf(call: Call, low: Lowering) -> Any:
    id, where = call["id"], call.where("id")
    reference = ModelReference(id, call["revision"], call["task"], low.folder, low.options.remote_code)
    found = low.facts.model(reference)
    if isinstance(found, Absent):
        return absent(found, reference, where, low)
    if isinstance(found, Trouble):
        report(found, where, low)
        return POISON
    if found.layers is None or found.width is None:
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
    options: dict[str, Json] = {"identity": identity, "task": call["task"], "dtype": _dtype(call["dtype"], found.dtype)}
    locators = {"path": str(found.path), "name": id}
    node = low.node("model.load", options, (), "model", virtual=True, locators=locators, source=id)
    return ModelValue(node, node, found, id, reference, found.layers, found.width)


def _dtype(asked: str, stored: str | None) -> str:
    """The precision a model runs in: `auto` is that of its configuration, so that it is the same on every machine."""
    if asked != "auto":
        return asked
    return stored if stored in _DTYPES else "float32"


# ---- data ----------------------------------------------------------------------------------------------------------

_ROLES = ("text", "source", "target", "label", "prompt")
_ROLE_HELP = {
    "text": "the column of texts",
    "source": "the column a direction points away from",
    "target": "the column a direction points towards",
    "label": "the column of labels",
    "prompt": "the column of prompts",
}
_STRIP = {
    "none": "texts as they stand",
    "outer": "blanks at both ends removed",
    "punctuation": "the 32 ASCII punctuation characters removed, then outer blanks (Liu et al., 2023, code)",
}
_OPTIONS = (
    Parameter("strip", Choice(_STRIP), "what is removed from each text", "none"),
    Parameter("template", Text(optional=True), "a text put around each text, with `{text}` where it stands", None),
    Parameter("chat", Flag(), "whether texts are user messages of the model's chat template", False),
    Parameter("system", Text(optional=True), "a system message before each text; implies `chat`", None),
    Parameter("limit", Number(1, integer=True, optional=True), "keeps this many rows, the first ones", None),
    Parameter("where", ListOf(Value((FILTER,)), single=True), "keeps rows that pass every filter", ()),
)
_COLUMNS = tuple(Parameter(r, Text(optional=True), _ROLE_HELP[r], None) for r in _ROLES)


def _form(given: Mapping[str, t.Typed]) -> Type | Mismatch:
    """The form of a table's rows, by the columns that are named."""
    named = {r for r in _ROLES if not (isinstance(given[r], t.Constant) and given[r].default)}  # type: ignore[union-attr]
    if {"source", "target"} <= named:
        return PAIRS
    if named & {"source", "target"}:
        other = "target" if "source" in named else "source"
        return Mismatch(f"pairs need both sides, and `{other}` is not named", f'name its column: `{other} = "…"`')
    if "label" in named:
        return LABELLED
    if named & {"text", "prompt"}:
        return TEXTS
    return Mismatch(
        "no column is named, so it is not known what to read",
        'name one column of texts (`text = "…"`) or the two sides of pairs (`source = "…", target = "…"`)',
    )


def _table(format: str) -> Any:
    def lower(call: Call, low: Lowering) -> Any:
        columns = {r: call[r] for r in _ROLES if call[r] is not None} if format != "lines" else {"text": "text"}
        form = _form_of(columns)
        return _rows(call, low, format, columns, form)

    return lower


def _form_of(columns: Mapping[str, str]) -> Type:
    if {"source", "target"} <= columns.keys():
        return PAIRS
    return LABELLED if "label" in columns else TEXTS


def _rows(call: Call, low: Lowering, format: str, columns: Mapping[str, str], form: Type) -> Any:
    found = low.facts.data(call["path"], format, low.folder, columns, _row_options(call))
    if not isinstance(found, DataFacts):
        for one in found:
            report(one, _place(call, one, columns), low)
        return POISON
    identity = found.digest() if low.options.hashing else f"unhashed:{found.path}"
    options: dict[str, Json] = {"digest": identity, "format": format, "columns": dict(columns), **_document(call)}
    node = low.node("data.rows", options, (), "rows", locators={"path": str(found.path)}, source=call["path"])
    return DataValue(node, form, found.kept, tuple(found.examples), _chats(call))


def _place(call: Call, found: Trouble, columns: Mapping[str, str]) -> Span:
    """A column at fault is shown where it is named, anything else at the path."""
    for role, column in columns.items():
        if column == found.column and call.is_written(role):
            return call.where(role)
    if call.is_written("where") and found.column in [f["column"] for f in call["where"]]:
        return call.where("where")
    return call.where("path")


def _row_options(call: Call) -> RowOptions:
    filters = tuple(
        Contains(f["column"], f["value"]) if f["select"] == "contains" else Equals(f["column"], f["value"])
        for f in call["where"]
    )
    return RowOptions(
        strip=call["strip"],
        template=call["template"],
        system=call["system"],
        chat=call["chat"],
        limit=call["limit"],
        where=filters,
    )


def _document(call: Call) -> dict[str, Any]:
    names = ("strip", "template", "chat", "system", "limit")
    return {n: call[n] for n in names} | {"where": list(call["where"])}


def _chats(call: Call) -> bool:
    return bool(call["chat"] or call["system"] is not None)


def _inline_texts(call: Call, low: Lowering) -> Any:
    rows = [{"text": text} for text in call["rows"]]
    return _inline(rows, TEXTS, call, low)


def _inline_pairs(call: Call, low: Lowering) -> Any:
    rows = []
    for i, pair in enumerate(call["rows"]):
        if not isinstance(pair, list) or len(pair) != 2 or not all(isinstance(x, str) for x in pair):
            low.report(
                error(
                    codes.BAD_ROW,
                    call.entry("rows", i),
                    "each pair is a list of two texts",
                    help='write `pairs([["so rude", "very kind"], …])`',
                )
            )
            return POISON
        rows.append({"source": pair[0], "target": pair[1]})
    return _inline(rows, PAIRS, call, low)


def _inline(rows: list[dict[str, str]], form: Type, call: Call, low: Lowering) -> Any:
    if not rows:
        low.report(error(codes.EMPTY_DATA, call.where("rows"), "the list holds no rows", help="give at least one"))
        return POISON
    for i, row in enumerate(rows):
        if any(not text.strip() for text in row.values()):
            low.report(
                error(
                    codes.BAD_ROW,
                    call.entry("rows", i),
                    f"entry {i + 1} of the list is empty",
                    help="take it out or fill it",
                )
            )
            return POISON
    columns = {role: role for role in rows[0]}
    kept = _kept(rows, columns, call, low)
    if kept is None:
        return POISON
    node = low.node("data.rows", {"rows": rows, "columns": columns, **_document(call)}, (), "rows")  # type: ignore[dict-item]
    return DataValue(node, form, len(kept), kept, _chats(call))


def _kept(
    rows: list[dict[str, str]], columns: Mapping[str, str], call: Call, low: Lowering
) -> tuple[Demonstration, ...] | None:
    """What is left of rows written in place, or None where something is wrong with their options."""
    options = _row_options(call)
    wrong = check_options(options, tuple(columns), columns)
    for problem in wrong:
        code = codes.MISSING_COLUMN if problem.kind is ProblemKind.COLUMN else codes.OUT_OF_BOUNDS
        where = next((n for n in ("template", "where") if call.is_written(n)), "rows")
        low.report(error(code, call.where(where), problem.message, help=problem.help))
    if wrong:
        return None
    pairs = "source" in columns
    given = of_pairs((r["source"], r["target"]) for r in rows) if pairs else of_texts(r["text"] for r in rows)
    kept, empty = demonstrations(given, columns, options)
    if empty:
        low.report(error(codes.BAD_ROW, call.where("rows"), empty[0].message, help=empty[0].help or "give other texts"))
        return None
    if not kept:
        low.report(error(codes.EMPTY_DATA, call.where("where"), "no row of the list is left", help="loosen `where`"))
        return None
    return tuple(kept)


# ---- parts of data -------------------------------------------------------------------------------------------------


def _sample(call: Call, low: Lowering) -> Any:
    data: DataValue = call["data"]
    if data.count is not None and call["k"] > data.count:
        low.report(
            error(
                codes.OUT_OF_BOUNDS,
                call.where("k"),
                f"`{call['k']}` rows cannot be drawn from {data.count}",
                help=f"give at most {data.count}",
            )
        )
        return POISON
    node = low.node("data.sample", {"k": call["k"], "seed": call["seed"]}, (data.node,), "rows")
    return replace(data, node=node, count=call["k"])


def _split(call: Call, low: Lowering) -> Any:
    data: DataValue = call["data"]
    options = {"fraction": call["fraction"], "part": call["part"], "seed": call["seed"]}
    node = low.node("data.split", options, (data.node,), "rows")
    return replace(data, node=node, count=None)  # equal rows stay together, so the size is not known beforehand


def _same_form(given: Mapping[str, t.Typed]) -> Type | Mismatch:
    return given["data"].type


_SEED = Parameter("seed", Number(0, integer=True), "which random choice", 0)
_ANY_ROWS = Data((TEXTS, PAIRS, LABELLED))
_PATH = Parameter("path", Text(), "the file, relative to the program")


def _file(name: str, help: str) -> Function:
    return Function(name, help, "sources", (_PATH,), (*_COLUMNS, *_OPTIONS), _form, _table(name))


FUNCTIONS = (
    Function(
        "hf",
        "a model in Hugging Face format: a folder beside the program, or an id",
        "sources",
        (Parameter("id", Text(), "a folder relative to the program, or a Hugging Face id"),),
        (
            Parameter("revision", Text(optional=True), "a branch, tag or commit of the id", None),
            Parameter("dtype", Choice(_DTYPES), "the precision it runs in", "auto"),
            Parameter("task", Choice(_TASKS), "what the model does", "causal"),
        ),
        MODEL,
        _hf,
    ),
    _file("jsonl", "rows of a JSON-lines file"),
    _file("json", "rows of a JSON file: a list of objects"),
    _file("csv", "rows of a comma-separated file with a header line"),
    _file("tsv", "rows of a tab-separated file with a header line"),
    _file("parquet", "rows of a Parquet file (needs the package pyarrow)"),
    Function("lines", "one text a line", "sources", (_PATH,), _OPTIONS, TEXTS, _table("lines")),
    Function(
        "texts",
        "texts written in place",
        "sources",
        (Parameter("rows", Value((list_of(TEXT),)), "the texts"),),
        _OPTIONS,
        TEXTS,
        _inline_texts,
    ),
    Function(
        "pairs",
        "pairs written in place: away from the first, towards the second",
        "sources",
        (Parameter("rows", Value((list_of(list_of(TEXT)),), "a list of pairs of texts"), "the pairs"),),
        _OPTIONS,
        PAIRS,
        _inline_pairs,
    ),
    Function(
        "sample",
        "some rows, drawn without replacement",
        "sources",
        (Parameter("data", _ANY_ROWS, "the rows"),),
        (
            Parameter("k", Number(1, integer=True), "how many"),
            _SEED,
        ),
        _same_form,
        _sample,
    ),
    Function(
        "split",
        "one of two parts that share no row",
        "sources",
        (Parameter("data", _ANY_ROWS, "the rows"),),
        (
            Parameter("fraction", Number(0, 1, exclusive=True, below=True), "the share of the first part"),
            Parameter("part", Choice({"first": "the first part", "second": "the rest"}), "which part"),
            _SEED,
        ),
        _same_form,
        _split,
    ),
)
