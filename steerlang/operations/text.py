"""Rows and the metrics of text that need no model."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

from steerlang.data import RowOptions, demonstrations, read_table, sample, sample_by, split
from steerlang.data.classes import class_of
from steerlang.data.demonstrations import filters_of, of_pairs, of_texts
from steerlang.data.table import Row
from steerlang.data.templates import in_text
from steerlang.data.text_metrics import contains_rate, distinct, distinct_each, word_share
from steerlang.data.words import WordList
from steerlang.diagnostics import codes
from steerlang.engine.operation import Context, Task
from steerlang.engine.payload import Payload
from steerlang.graph.node import Node

from .base import Single, fail, inputs
from .broken import whole_images
from .metric import Metric, mean_of


def _rows(task: Task, _: Context) -> Payload:
    rows = rows_of(task.node)
    if task.node.options.get("broken") != "skip":
        return Payload("rows", rows=tuple(rows))
    whole, broken = whole_images(rows, Path(task.node.locators["path"]))
    meta: dict[str, Any] = {"broken": broken, "of": len(rows)}
    return Payload("rows", meta, rows=tuple(whole))


def rows_of(node: Node) -> list[dict[str, Any]]:
    """The demonstrations a `data.rows` node stands for."""
    options: Any = node.options
    rows = _inline(options["rows"]) if "rows" in options else _file(node)
    made, problems = demonstrations(rows, options["columns"], _row_options(options))
    if problems:
        first = problems[0]
        raise fail(codes.BAD_ROW, f"line {first.line}: {first.message}" if first.line else first.message, first.help)
    return [_named(dict(row), options) for row in made]


def _named(row: dict[str, Any], options: Any) -> dict[str, Any]:
    """The row with the name of its class for its label, where the program lists the classes."""
    if "classes" in options and "label" in row:
        row["label"] = class_of(row["label"], options["classes"], options["label_by"])
    return row


def _inline(rows: list[dict[str, str]]) -> tuple[Row, ...]:
    if rows and "source" in rows[0]:
        return of_pairs((r["source"], r["target"]) for r in rows)
    return of_texts(r["text"] for r in rows)


def _file(node: Node) -> tuple[Row, ...]:
    options: Any = node.options
    path = Path(node.locators["path"])
    table = read_table(path, options["format"], options["columns"])
    if table.problems:
        problem = table.problems[0]
        raise fail(codes.BAD_ROW, f"{path.name}, line {problem.line}: {problem.message}", problem.help)
    return table.rows


def _row_options(options: Any) -> RowOptions:
    names = ("strip", "template", "prompt", "chat", "system", "limit", "broken")
    return RowOptions(**{n: options[n] for n in names if n in options}, where=filters_of(options["where"]))


def _sample(task: Task, _: Context) -> Payload:
    options: Any = task.node.options
    rows = inputs(task)[0].rows
    if options.get("by") == "label":
        return Payload("rows", rows=_of_each(rows, options))
    if options["k"] > len(rows):
        raise fail(
            codes.OUT_OF_BOUNDS, f"{options['k']} rows cannot be drawn from {len(rows)}", f"give at most {len(rows)}"
        )
    return Payload("rows", rows=sample(rows, options["k"], options["seed"]))


def _of_each(rows: tuple[dict[str, Any], ...], options: Any) -> tuple[dict[str, Any], ...]:
    """k rows of each class."""
    counts = Counter(in_text(row["label"]) for row in rows)
    short = next((name for name in options["classes"] if counts[name] < options["k"]), None)
    if short is not None:
        message = f"{options['k']} rows of class `{short}` cannot be drawn: it has {counts[short]}"
        raise fail(codes.OUT_OF_BOUNDS, message, f"give at most {counts[short]}" if counts[short] else "leave it out")
    return sample_by(rows, options["k"], options["seed"], lambda row: in_text(row["label"]))


def _unlabelled(task: Task, _: Context) -> Payload:
    rows = inputs(task)[0].rows
    return Payload("rows", rows=tuple({k: v for k, v in row.items() if k != "label"} for row in rows))


def _split(task: Task, _: Context) -> Payload:
    options: Any = task.node.options
    parts = split(inputs(task)[0].rows, options["fraction"], options["seed"])
    return Payload("rows", rows=parts[0] if options["part"] == "first" else parts[1])


def _instructed(task: Task, _: Context) -> Payload:
    """Prompts of a model that is told something in words. `shown` keeps the prompt without it."""
    prompt = str(task.node.options["prompt"])
    return Payload("rows", rows=tuple(_with_instruction(row, prompt) for row in inputs(task)[0].rows))


def _with_instruction(row: dict[str, Any], prompt: str) -> dict[str, Any]:
    column = "text" if "text" in row else "prompt"
    text = str(row[column])
    if "{text}" in prompt:
        return {**row, column: prompt.replace("{text}", text), "shown": text}
    if row.get("chat"):
        before = row.get("system")
        return {**row, "system": prompt if before is None else f"{before}\n{prompt}", "shown": text}
    return {**row, column: f"{prompt}\n{text}", "shown": text}


def text_of(row: dict[str, Any]) -> str:
    """The text a row holds, whatever its column was called."""
    return str(row["text"] if "text" in row else row["prompt"])


def _replies(payload: Payload) -> list[str]:
    return [str(r["completion"]) for r in payload.rows]


def _words(payload: Payload) -> WordList:
    return WordList.of(text_of(r) for r in payload.rows)


def _word_share(task: Task, _: Context) -> Payload:
    samples, words = inputs(task)
    return mean_of(word_share(_replies(samples), _words(words))).payload()


def _contains_rate(task: Task, _: Context) -> Payload:
    samples, words = inputs(task)
    match: Any = task.node.options["match"]
    return mean_of(contains_rate(_replies(samples), _words(words), match)).payload()


def _distinct(task: Task, _: Context) -> Payload:
    n: Any = task.node.options["n"]
    replies = _replies(inputs(task)[0])
    return Metric(distinct(replies, n), None, len(replies), tuple(distinct_each(replies, n))).payload()


OPERATIONS = {
    "data.rows": Single(_rows),
    "data.sample": Single(_sample),
    "data.split": Single(_split),
    "data.unlabelled": Single(_unlabelled),
    "data.instructed": Single(_instructed),
    "metric.word_share": Single(_word_share),
    "metric.contains_rate": Single(_contains_rate),
    "metric.distinct": Single(_distinct),
}
