"""Rows of files and rows written in place: columns, options, and what is checked before anything is read for real."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from steerlang.data import CARRIED, Demonstration, ProblemKind, RowOptions, check_options, demonstrations
from steerlang.data.demonstrations import filters_of, of_pairs, of_texts
from steerlang.diagnostics import codes, error
from steerlang.graph.facts import DataFacts, Trouble
from steerlang.graph.node import Json
from steerlang.language import typed as t
from steerlang.language.lowering import Lowering
from steerlang.language.parameter_types import Choice, Flag, ListOf, Number, Text, Value
from steerlang.language.signature import Call, Mismatch, Parameter
from steerlang.language.types import FILTER, IMAGES, LABELLED, PAIRS, TEXTS, Type
from steerlang.language.values import POISON, DataValue
from steerlang.source import Span

from .classes import CLASSES, classes_of, reading_of_labels
from .reports import report

ROLES = ("text", "source", "target", "label", "prompt")
_ROLE_HELP = {
    "text": "the column of texts",
    "source": "the column a direction points away from",
    "target": "the column a direction points towards",
    "label": "the column of labels",
    "prompt": "the column of prompts",
}
_COLUMN = Text(optional=True, holds="column")
BESIDE = (
    Parameter("references", _COLUMN, "the column of reference texts: lists, or split at `|`", None),
    Parameter("answer_type", _COLUMN, "the column that says of what type each answer is", None),
    Parameter("id", _COLUMN, "the column of ids of rows (default: they are counted from 0)", None),
)
_STRIP = {
    "none": "texts as they stand",
    "outer": "blanks at both ends removed",
    "punctuation": "the 32 ASCII punctuation characters removed, then outer blanks (Liu et al., 2023, code)",
}
LIMIT = Parameter("limit", Number(1, integer=True, optional=True), "keeps this many rows, the first ones", None)
WHERE = Parameter("where", ListOf(Value((FILTER,)), single=True), "keeps rows that pass every filter", ())
OPTIONS = (
    Parameter("strip", Choice(_STRIP), "what is removed from each text", "none"),
    Parameter("template", Text(optional=True), "a text put around each text, with `{text}` where it stands", None),
    Parameter("chat", Flag(), "whether texts are a user's chat messages (replies, beside a `prompt`)", False),
    Parameter("system", Text(optional=True), "a system message before each text; implies `chat`", None),
    LIMIT,
    WHERE,
)
COLUMNS = (*(Parameter(r, _COLUMN, _ROLE_HELP[r], None) for r in ROLES), CLASSES, *BESIDE)


_HANDED_ON = ("strip", "template", "chat", "system", "limit")


def form(given: Mapping[str, t.Typed]) -> Type | Mismatch:
    """The form of a table's rows, by the columns that are named."""
    named = {r for r in ROLES if not (isinstance(given[r], t.Constant) and given[r].default)}  # type: ignore[union-attr]
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


def table(format: str) -> Any:
    def lower(call: Call, low: Lowering) -> Any:
        columns = named_columns(call, ROLES) if format != "lines" else {"text": "text"}
        form = _form_of(columns)
        return read_rows(call, low, format, columns, form)

    return lower


def named_columns(call: Call, roles: Iterable[str]) -> dict[str, str]:
    """The columns that a call names, by role: some roles, and those of `BESIDE`."""
    return {r: call[r] for r in (*roles, *(p.name for p in BESIDE)) if call[r] is not None}


def _form_of(columns: Mapping[str, str]) -> Type:
    if {"source", "target"} <= columns.keys():
        return PAIRS
    return LABELLED if "label" in columns else TEXTS


def read_rows(
    call: Call, low: Lowering, format: str, columns: Mapping[str, str], form: Type,
    more: Mapping[str, Json] | None = None,
) -> Any:  # fmt: skip
    """Rows of a file, with its columns, labels and images looked at now. `more`: options of rows that not all data
    has."""
    found = low.facts.data(call["path"], format, low.folder, columns, _row_options(call, more))
    if not isinstance(found, DataFacts):
        for one in found:
            report(one, _place(call, one, columns), low)
        return POISON
    classes = classes_of(call, found, low)
    if classes is POISON:
        return POISON
    identity = found.digest() if low.options.hashing else f"unhashed:{found.path}"
    options: dict[str, Json] = {"digest": identity, "format": format, "columns": dict(columns), **_document(call)}
    options |= reading_of_labels(call, found, classes)
    if form == IMAGES:
        # Where nothing is said of prompts, rows are what they were before there were any.
        options = {name: value for name, value in options.items() if name != "system" or value is not None}
        options |= dict(more or {})
    node = low.node("data.rows", options, (), "rows", locators={"path": str(found.path)}, source=call["path"])
    # How many are left of images that may be broken is known once all have been decoded.
    count = None if (more or {}).get("broken") == "skip" else found.kept
    rows = (count, tuple(found.examples), _chats(call))
    named = frozenset((*CARRIED, "image")) & columns.keys()
    labelled, replies = "label" in columns, _replies(call, columns)
    return DataValue(node, form, *rows, classes, labelled=labelled, replies=replies, carried=named)


def _place(call: Call, found: Trouble, columns: Mapping[str, str]) -> Span:
    """A column at fault is shown where it is named, anything else at the path."""
    for role, column in columns.items():
        name = "question" if role == "prompt" and "question" in call.values else role
        if column == found.column and call.is_written(name):
            return call.where(name)
    if call.is_written("where") and found.column in [f["column"] for f in call["where"]]:
        return call.where("where")
    return call.where("path")


def _row_options(call: Call, more: Mapping[str, Any] | None = None) -> RowOptions:
    options = {n: call[n] for n in _HANDED_ON if n in call.values} | dict(more or {})
    return RowOptions(**options, where=filters_of(call["where"]))


def _document(call: Call) -> dict[str, Any]:
    return {n: call[n] for n in _HANDED_ON if n in call.values} | {"where": list(call["where"])}


def _replies(call: Call, columns: Mapping[str, str]) -> bool:
    """Whether rows are chats with the assistant's reply: a prompt, and what is said to it."""
    return _chats(call) and "prompt" in columns and bool({"text", "source"} & columns.keys())


def _chats(call: Call) -> bool:
    return bool(call.values.get("chat") or call.values.get("system") is not None)


def inline_texts(call: Call, low: Lowering) -> Any:
    rows = [{"text": text} for text in call["rows"]]
    return _inline(rows, TEXTS, call, low)


def inline_pairs(call: Call, low: Lowering) -> Any:
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
