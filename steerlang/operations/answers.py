"""What replies answer: agreement with people's answers, and counts of answers, of their types and of words."""

from __future__ import annotations

from typing import Any

from steerlang.data.answers import answer_of, known_types, type_of, vqa_score
from steerlang.data.text_metrics import changed
from steerlang.data.words import WordList
from steerlang.engine.operation import Context, Task
from steerlang.engine.payload import Payload

from .base import Single, inputs
from .metric import mean_of
from .metric_tables import counted, grouped

Rows = tuple[dict[str, Any], ...]


def _samples(task: Task) -> Rows:
    return inputs(task)[0].rows


def _answers(task: Task) -> list[str]:
    part: Any = task.node.options["part"]
    return [answer_of(row["completion"], part) for row in _samples(task)]


def _vqa_accuracy(task: Task, _: Context) -> Payload:
    """The mean agreement of replies with the answers people gave, and that of each type of answers where asked for."""
    options: Any = task.node.options
    rows = _samples(task)
    leave_out = options["scoring"] == "leave_one_out"
    scores = [vqa_score(a, r["references"], leave_out) for a, r in zip(_answers(task), rows, strict=True)]
    if options["by"] == "answer_type":
        return grouped(scores, [str(r["answer_type"]) for r in rows], "answer_type").payload()
    return mean_of(scores).payload()


def _answer_counts(task: Task, _: Context) -> Payload:
    """How many replies give each answer; replies without any are left out."""
    return counted([{answer: 1.0} if answer else {} for answer in _answers(task)], "answer").payload()


def _answer_type_counts(task: Task, _: Context) -> Payload:
    """How many replies give an answer of each type, by what types the references have among all samples."""
    known = known_types((r["references"], str(r["answer_type"])) for r in _samples(task))
    return counted([{type_of(answer, known): 1.0} for answer in _answers(task)], "answer_type").payload()


def _keyword_counts(task: Task, _: Context) -> Payload:
    """How many replies hold a word of each class, as a whole word."""
    classes: Any = task.node.options["classes"]
    lists = {name: WordList.of(words) for name, words in classes}
    found = [
        {name: 1.0 for name, words in lists.items() if words.any_in(row["completion"])} for row in _samples(task)
    ]
    return counted(found, "class", tuple(lists)).payload()


def _changed_rate(task: Task, _: Context) -> Payload:
    """The share of replies that differ from those of a baseline to the same prompts."""
    ours, base = inputs(task)
    return mean_of(changed(*([str(r["completion"]) for r in p.rows] for p in (ours, base)))).payload()


OPERATIONS = {
    "metric.vqa_accuracy": Single(_vqa_accuracy),
    "metric.answer_counts": Single(_answer_counts),
    "metric.answer_type_counts": Single(_answer_type_counts),
    "metric.keyword_counts": Single(_keyword_counts),
    "metric.changed_rate": Single(_changed_rate),
}
