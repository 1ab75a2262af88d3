"""What replies answer: accuracy on questions, counts of answers, of their types and of words, and what is changed."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from steerlang.data.words import word_list_problems
from steerlang.diagnostics import codes, error
from steerlang.diagnostics.suggest import did_you_mean
from steerlang.graph.facts import Trouble
from steerlang.graph.node import Json
from steerlang.language.lowering import Lowering
from steerlang.language.parameter_types import Choice, Text, Value
from steerlang.language.signature import Call, Function, Parameter
from steerlang.language.types import METRIC, SAMPLES, WORD_CLASSES
from steerlang.language.values import POISON, MetricValue, SamplesValue, WordClassesValue

from .reports import report

_NAMES = {"references": "reference texts", "answer_type": "types of answers", "image": "images"}
_HOW = {
    "references": 'name their column where the data is read: `references = "answers"`',
    "answer_type": 'name their column where the data is read: `answer_type = "type"`',
    "image": 'generate from images: `images("photos.csv", image = "file", prompt = "…")`',
}


def has_beside(call: Call, name: str, needed: tuple[str, ...], low: Lowering) -> bool:
    """Whether the rows that some samples answer have what a metric looks at beside them; else it is reported."""
    samples: SamplesValue = call[name]
    missing = [role for role in needed if role not in samples.carried]
    if not missing:
        return True
    message = f"`{call.function.name}` needs {_NAMES[missing[0]]}, and the rows of these samples have none"
    low.report(error(codes.NO_REFERENCES, call.where(name), message, help=_HOW[missing[0]]))
    return False


def same_rows(call: Call, first: SamplesValue | MetricValue, second: SamplesValue | MetricValue, where: str) -> str:
    """What is wrong with comparing two results row by row, in words; empty where nothing is."""
    ours, theirs = (v.prompts if isinstance(v, SamplesValue) else v.rows for v in (first, second))
    if ours is None or theirs is None:
        return "one of the two has no score for each row"
    return "" if ours is theirs else "they are of other rows"


def _vqa_accuracy(call: Call, low: Lowering) -> Any:
    by = call["by"]
    needed = ("references", "answer_type") if by == "answer_type" else ("references",)
    if not has_beside(call, "samples", needed, low):
        return POISON
    samples: SamplesValue = call["samples"]
    options: dict[str, Json] = {"scoring": call["scoring"], "by": by, "part": call["part"]}
    node = low.node("metric.vqa_accuracy", options, (samples.node,), "metric", version=2)
    return MetricValue(node, samples.prompts, "answer_type" if by == "answer_type" else "")


def _answer_counts(call: Call, low: Lowering) -> MetricValue:
    samples: SamplesValue = call["samples"]
    node = low.node("metric.answer_counts", {"part": call["part"]}, (samples.node,), "metric", version=2)
    return MetricValue(node, samples.prompts, "answer")


def _answer_type_counts(call: Call, low: Lowering) -> Any:
    if not has_beside(call, "samples", ("references", "answer_type"), low):
        return POISON
    samples: SamplesValue = call["samples"]
    node = low.node("metric.answer_type_counts", {"part": call["part"]}, (samples.node,), "metric", version=2)
    return MetricValue(node, samples.prompts, "answer_type")


def _keyword_counts(call: Call, low: Lowering) -> MetricValue:
    samples: SamplesValue = call["samples"]
    classes: WordClassesValue = call["classes"]
    options: dict[str, Any] = {"classes": [[name, list(words)] for name, words in classes.classes.items()]}
    node = low.node("metric.keyword_counts", options, (samples.node,), "metric", version=2)
    return MetricValue(node, samples.prompts, "class", tuple(classes.classes))


def _changed_rate(call: Call, low: Lowering) -> Any:
    samples, base = call["samples"], call["from"]
    wrong = same_rows(call, samples, base, "from")
    if wrong:
        message = f"these samples cannot be compared reply by reply: {wrong}"
        help = "generate both from the same prompts"
        low.report(error(codes.NOT_THE_SAME_ROWS, call.where("from"), message, help=help))
        return POISON
    node = low.node("metric.changed_rate", {}, (samples.node, base.node), "metric")
    return MetricValue(node, samples.prompts)


# ---- parts and differences of metrics ------------------------------------------------------------------------------


def _difference(call: Call, low: Lowering) -> Any:
    metric, base = call["metric"], call["to"]
    wrong = same_rows(call, metric, base, "to")
    if wrong:
        message = f"these metrics cannot be compared row by row: {wrong}"
        help = "measure both on the same rows, or write `a - b`, which has no interval"
        low.report(error(codes.NOT_THE_SAME_ROWS, call.where("to"), message, help=help))
        return POISON
    node = low.node("metric.difference", {}, (metric.node, base.node), "metric", version=2)
    names = tuple(dict.fromkeys([*metric.names, *base.names]))
    return MetricValue(node, metric.rows, metric.lines if metric.lines == base.lines else "", names)


def _entry(call: Call, low: Lowering) -> Any:
    metric, name = call["metric"], call["name"]
    if not metric.lines:
        message = f"this metric is one number, and `{name}` is asked of it"
        help = 'metrics with a number for each name are `answer_counts`, `keyword_counts`, `vqa_accuracy(…, by = …)`, …'
        low.report(error(codes.NO_SUCH_ENTRY, call.where("name"), message, help=help))
        return POISON
    if metric.names and name not in metric.names:
        message = f"there is no {metric.lines} `{name}`"
        close = did_you_mean(name, metric.names) or ("there are " + ", ".join(f"`{n}`" for n in metric.names),)
        low.report(error(codes.NO_SUCH_ENTRY, call.where("name"), message, help=close))
        return POISON
    node = low.node("metric.entry", {"name": name}, (metric.node,), "metric")
    return MetricValue(node, metric.rows)


# ---- classes of words ----------------------------------------------------------------------------------------------


def _yaml(call: Call, low: Lowering) -> Any:
    found = low.facts.document(call["path"], low.folder)
    if isinstance(found, Trouble):
        report(found, call.where("path"), low)
        return POISON
    classes = _classes_of(found.value)
    if isinstance(classes, str):
        message = f"`{call['path']}` holds no classes of words: {classes}"
        help = "write a line for each class: `warm: [red, orange, yellow]`"
        low.report(error(codes.BAD_WORD_CLASSES, call.where("path"), message, help=help))
        return POISON
    return WordClassesValue(classes)


def _classes_of(document: object) -> dict[str, tuple[str, ...]] | str:
    """The classes a document holds, or what is wrong with it, in words."""
    if not isinstance(document, Mapping) or not document:
        return "it is no mapping of names to lists"
    found: dict[str, tuple[str, ...]] = {}
    for name, words in document.items():
        entries = [words] if isinstance(words, str) else words
        if not isinstance(entries, list) or not all(isinstance(w, (str, int)) for w in entries):
            return f"class `{name}` is no list of words"
        texts = tuple(_text(word) for word in entries)
        problems = word_list_problems(texts)
        if problems:
            return f"in class `{name}`, {problems[0]}"
        found[_text(name)] = texts
    return found


def _text(value: object) -> str:
    """A word as it was written: YAML reads `yes` and `no` as true and false where they have no quotes."""
    return {True: "yes", False: "no"}[value] if isinstance(value, bool) else str(value)


_SAMPLES = Parameter("samples", Value((SAMPLES,)), "the generated text")
PART = Parameter(
    "part",
    Choice({"line": "its first line", "sentence": "the first sentence of that", "word": "the first word of that"}),
    "which part of a reply is its answer",
    "line",
)
_METRIC = Parameter("metric", Value((METRIC,)), "what was measured")

FUNCTIONS = (
    Function(
        "yaml",
        "words by class, from a YAML or JSON file: names of classes, each with a list of words or phrases",
        "sources",
        (Parameter("path", Text(holds="file"), "the file, relative to the program"),),
        (),
        WORD_CLASSES,
        _yaml,
    ),
    Function(
        "vqa_accuracy",
        "how far replies agree with the answers people gave, 0 to 1",
        "metrics",
        (_SAMPLES,),
        (
            Parameter(
                "scoring",
                Choice(
                    {
                        "leave_one_out": "the mean over people of min(1, matches among the others / 3)",
                        "soft": "min(1, matches / 3)",
                    }
                ),
                "how agreement is counted",
                "leave_one_out",
            ),
            Parameter(
                "by",
                Choice({"none": "all replies together", "answer_type": "each type of answers by itself, too"}),
                "which further numbers there are: `accuracy[\"number\"]`",
                "none",
            ),
            PART,
        ),
        METRIC,
        _vqa_accuracy,
        source="Antol et al., 2015; Goyal et al., 2017",
    ),
    Function(
        "answer_counts",
        "how many replies give each answer: `counts[\"yes\"]`; as a whole, how many give any",
        "metrics",
        (_SAMPLES,),
        (PART,),
        METRIC,
        _answer_counts,
    ),
    Function(
        "answer_type_counts",
        "how many replies give an answer of each type, whatever type was asked for",
        "metrics",
        (_SAMPLES,),
        (PART,),
        METRIC,
        _answer_type_counts,
        source="Khayatan et al., 2025",
    ),
    Function(
        "keyword_counts",
        "how many replies hold a word of each class, as a whole word: `counts[\"red\"]`; as a whole, of any class",
        "metrics",
        (_SAMPLES,),
        (Parameter("classes", Value((WORD_CLASSES,)), "the classes: `yaml(\"colours.yaml\")`"),),
        METRIC,
        _keyword_counts,
        source="Khayatan et al., 2025",
    ),
    Function(
        "changed_rate",
        "the share of replies that differ from a baseline's to the same prompts",
        "metrics",
        (_SAMPLES,),
        (Parameter("from", Value((SAMPLES,)), "the baseline: `replies[base]`"),),
        METRIC,
        _changed_rate,
    ),
    Function(
        "difference",
        "a metric less a baseline's on the same rows, with an interval of the pairs",
        "metrics",
        (_METRIC,),
        (Parameter("to", Value((METRIC,)), "the baseline: `politeness[base]`"),),
        METRIC,
        _difference,
    ),
    Function(
        "entry",
        "one number of a metric that has several; `counts[\"yes\"]` is the same",
        "metrics",
        (_METRIC,),
        (Parameter("name", Text(), "which: an answer, a type, a class"),),
        METRIC,
        _entry,
    ),
)
