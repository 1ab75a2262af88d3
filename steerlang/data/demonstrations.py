"""Demonstrations: rows of a data file turned into what methods read.

A demonstration is a JSON object with `id` (that of its row where a column of ids is named, else the row's index among
the good rows of the source, from 0), `line` (where it stands in the file, 0 for data written in the program), the roles
it has (`text`, `source`, `target`, `label`, `prompt`, `image`, `references`, `answer_type`) and, where asked for,
`chat` and `system`: these are carried along, because the chat template is the tokenizer's and is applied when the model
is there. `references` is a list of texts, however the file writes it.
"""

from __future__ import annotations

import string
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, Union

from .roles import ROLES, TEXT_ROLES, references_of
from .table import ProblemKind, Row, RowProblem
from .templates import Template, in_text, parse_template, unknown_places
from .words import contains_word

Demonstration = Mapping[str, object]
Rows = tuple[Demonstration, ...]
Strip = Literal["none", "outer", "punctuation"]

_PUNCTUATION = str.maketrans("", "", string.punctuation)


@dataclass(frozen=True, slots=True)
class Contains:
    """Keeps rows whose column holds `word` as a whole word, whatever the case."""

    column: str
    word: str

    def keeps(self, cells: Mapping[str, object]) -> bool:
        return contains_word(in_text(cells.get(self.column, "")), self.word)


@dataclass(frozen=True, slots=True)
class Equals:
    """Keeps rows whose column equals `value`. A number equals the text that writes it: cells of CSV files are texts."""

    column: str
    value: str | int | float | bool

    def keeps(self, cells: Mapping[str, object]) -> bool:
        cell = cells.get(self.column)
        if _is_number(cell) and _is_number(self.value):
            return cell == self.value
        return cell is not None and in_text(cell) == in_text(self.value)


def _is_number(value: object) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)


@dataclass(frozen=True, slots=True)
class OneOf:
    """Keeps rows whose column equals one of some values, as `Equals` compares them."""

    column: str
    values: tuple[str, ...]

    def keeps(self, cells: Mapping[str, object]) -> bool:
        cell = cells.get(self.column)
        return cell is not None and in_text(cell) in frozenset(self.values)


Filter = Union[Contains, Equals, OneOf]
_FILTERS: Mapping[str, Callable[[Mapping[str, Any]], Filter]] = {
    "contains": lambda f: Contains(f["column"], f["value"]),
    "equals": lambda f: Equals(f["column"], f["value"]),
    "one_of": lambda f: OneOf(f["column"], tuple(f["values"])),
}


def filters_of(documents: Iterable[Mapping[str, Any]]) -> tuple[Filter, ...]:
    """Filters from their documents, as a program lowers them."""
    return tuple(_FILTERS[document["select"]](document) for document in documents)


@dataclass(frozen=True, slots=True)
class RowOptions:
    """What is done to rows, in this order: `where`, `limit`, `strip`, `template`.

    strip     `none`; `outer` (blanks at both ends); `punctuation` (the 32 ASCII punctuation characters deleted, then
              outer blanks: what the in-context-vector code does)
    template  a text with `{text}` and `{column}` places, put around each of `text`, `source`, `target` and `prompt`
              by itself; `{text}` is always the text it stands around
    prompt    a prompt for every row, which may hold `{column}` places: instead of a column of prompts
    broken    whether rows whose image cannot be read are an `error`, or left out (`skip`)
    """

    strip: Strip = "none"
    template: str | None = None
    prompt: str | None = None
    system: str | None = None
    chat: bool = False
    limit: int | None = None
    where: tuple[Filter, ...] = field(default=())
    broken: Literal["error", "skip"] = "error"


def check_options(options: RowOptions, columns: Iterable[str], roles: Iterable[str] = ()) -> list[RowProblem]:
    """What is wrong with the options for a table of these columns: templates, places and filters that do not fit it."""
    known, problems = tuple(columns), []
    if options.template is not None:
        problems += _template_problems("template", options.template, known)
        parsed = parse_template(options.template)
        if isinstance(parsed, Template) and "text" not in parsed.names and {"source", "target"} & set(roles):
            message = "the template has no `{text}`, so both sides of every pair would read the same"
            problems.append(RowProblem(0, None, message, "put `{text}` where each side stands"))
        elif isinstance(parsed, Template) and not parsed.names:
            message = "the template has no place, so every row would read the same"
            problems.append(RowProblem(0, None, message, "put `{text}` where the text stands"))
    if options.prompt is not None:
        problems += _template_problems("prompt", options.prompt, known)
    for one in options.where:
        if one.column not in known:
            message = f"`where` asks for column `{one.column}`, which the data does not have"
            problems.append(RowProblem(0, one.column, message, _columns_help(known), ProblemKind.COLUMN))
    if options.limit is not None and options.limit < 1:
        problems.append(RowProblem(0, None, f"a limit of {options.limit} keeps no rows"))
    return problems


def _template_problems(what: str, text: str, columns: Sequence[str]) -> list[RowProblem]:
    parsed = parse_template(text)
    if isinstance(parsed, str):
        return [RowProblem(0, None, f"in the {what}, {parsed}", "write a brace itself as `{{` or `}}`")]
    unknown = unknown_places(parsed, columns)
    if what == "prompt" and "text" in parsed.names and "text" not in columns:
        unknown = (*unknown, "text")
    return [
        RowProblem(0, name, f"the {what} has a place `{{{name}}}`, which is no column of the data",
                   _columns_help(columns), ProblemKind.COLUMN)
        for name in unknown
    ]  # fmt: skip


def _columns_help(columns: Sequence[str]) -> str:
    return "columns: " + ", ".join(f"`{column}`" for column in columns) if columns else ""


def demonstrations(
    rows: Iterable[Row], columns: Mapping[str, str], options: RowOptions | None = None
) -> tuple[Rows, tuple[RowProblem, ...]]:
    """The demonstrations that `rows` make, and the rows that come out empty.

    `columns` maps roles to columns that every row has (what `read_table` was told). Options must have passed
    `check_options`.
    """
    options = options or RowOptions()
    made: list[Demonstration] = []
    problems: list[RowProblem] = []
    lines: dict[object, int] = {}
    template = _parsed(options.template)
    prompt = _parsed(options.prompt)
    for index, row in _kept(rows, options):
        result = _demonstration(index, row, columns, options, template, prompt)
        if isinstance(result, RowProblem):
            problems.append(result)
        elif result["id"] in lines:
            message = f"has the id `{result['id']}` of line {lines[result['id']]}"
            problems.append(RowProblem(row.line, columns.get("id"), message, "an id names one row"))
        else:
            lines[result["id"]] = row.line
            made.append(result)
    return tuple(made), tuple(problems)


def _parsed(text: str | None) -> Template | None:
    if text is None:
        return None
    template = parse_template(text)
    if isinstance(template, str):
        raise ValueError(f"not a template: {template}")
    return template


def passing(rows: Iterable[Row], options: RowOptions) -> Iterator[Row]:
    """Rows that pass the filters, whatever the limit."""
    return (row for row in rows if all(one.keeps(row.cells) for one in options.where))


def _kept(rows: Iterable[Row], options: RowOptions) -> Iterator[tuple[int, Row]]:
    """Rows that pass the filters, up to the limit, with their index in the source."""
    count = 0
    for index, row in enumerate(rows):
        if options.limit is not None and count >= options.limit:
            return
        if all(one.keeps(row.cells) for one in options.where):
            count += 1
            yield index, row


def _demonstration(
    index: int, row: Row, columns: Mapping[str, str], options: RowOptions, template: Template | None,
    prompt: Template | None,
) -> Demonstration | RowProblem:  # fmt: skip
    result: dict[str, object] = {"id": index, "line": row.line}
    values: dict[str, object] = {role: row.cells[column] for role, column in columns.items()}
    if prompt is not None:
        values["prompt"] = prompt.fill(in_text(row.cells.get("text", "")), row.cells)
    for role in ROLES:
        if role not in values:
            continue
        value = values[role]
        if role in TEXT_ROLES:
            text = stripped(str(value), options.strip)
            if not text:
                return RowProblem(row.line, columns.get(role), f"`{role}` is empty after `strip = {options.strip}`")
            value = template.fill(text, row.cells) if template is not None else text
        result[role] = list(references_of(value) or ()) if role == "references" else value
    if options.chat or options.system is not None:
        result["chat"] = True
    if options.system is not None:
        result["system"] = options.system
    return result


def stripped(text: str, how: Strip) -> str:
    """`text` as option `strip` leaves it."""
    if how == "punctuation":
        return text.translate(_PUNCTUATION).strip()
    return text.strip() if how == "outer" else text


def of_texts(texts: Iterable[str], role: str = "text") -> tuple[Row, ...]:
    """Rows of texts written in a program."""
    return tuple(Row(0, {role: text}) for text in texts)


def of_pairs(pairs: Iterable[tuple[str, str]]) -> tuple[Row, ...]:
    """Rows of (source, target) written in a program."""
    return tuple(Row(0, {"source": source, "target": target}) for source, target in pairs)
