"""Metrics of answers through programs, against counts by hand; differences in pairs."""

from __future__ import annotations

import json
import math
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from steerlang.api import SteerlangError
from steerlang.engine.payload import Payload
from steerlang.operations.metric import Metric, mean_of, sum_of
from steerlang.operations.metric_tables import counted, grouped, paired

from .test_algebra import carry_out
from .tiny import program, run


def samples(*replies: str, **columns: Any) -> Payload:
    rows = [{"completion": reply, **{k: v[i] for k, v in columns.items()}} for i, reply in enumerate(replies)]
    return Payload("samples", rows=tuple(rows))


TYPES = ["yes/no", "number", "other", "yes/no"]
REFERENCES = [["yes"] * 10, ["2"] * 3 + ["3"] * 7, ["red", "red", "blue"], ["no"] * 10]
ASKED = samples("Yes", "two", "red.", "17", references=REFERENCES, answer_type=TYPES)


def test_accuracy_by_type() -> None:
    found = Metric.of(carry_out("metric.vqa_accuracy", [ASKED], scoring="leave_one_out", by="answer_type", part="line"))
    expected = [1.0, (3 * 2 / 3 + 7) / 10, (0.5 + 0.5 + 1) / 3, 0.0]
    assert found.scores == pytest.approx(expected)
    assert found.value == pytest.approx(sum(expected) / 4)
    assert {name: m.value for name, m in found.lines.numbers.items()} == pytest.approx(
        {"yes/no": 0.5, "number": 0.9, "other": 2 / 3}
    )
    assert found["yes/no"].scores == (1.0, 0.0)
    with pytest.raises(KeyError, match="no sample is of answer_type `place`"):
        found["place"]
    soft = Metric.of(carry_out("metric.vqa_accuracy", [ASKED], scoring="soft", by="none", part="line"))
    assert soft.scores == pytest.approx([1.0, 1.0, 2 / 3, 0.0])
    assert soft.lines is None


def test_counts_of_answers() -> None:
    said = samples("Yes.", "yes", "a red dog", "red cat", "", "No\nbecause")
    found = Metric.of(carry_out("metric.answer_counts", [said], part="line"))
    assert [(name, m.value) for name, m in found.lines.numbers.items()] == [
        ("yes", 2), ("no", 1), ("red cat", 1), ("red dog", 1),
    ]  # fmt: skip
    assert (found.value, found.count) == (5, 6)
    assert (found["yes"].value, found["yes"].scores) == (2, (1, 1, 0, 0, 0, 0))
    assert found["never"].value == 0
    first = Metric.of(carry_out("metric.answer_counts", [said], part="word"))
    assert {name: m.value for name, m in first.lines.numbers.items()} == {"yes": 2, "red": 2, "no": 1}


def test_counts_of_types_are_those_of_what_was_answered() -> None:
    found = Metric.of(carry_out("metric.answer_type_counts", [ASKED], part="line"))
    assert {name: m.value for name, m in found.lines.numbers.items()} == {"yes/no": 1, "number": 2, "other": 1}


def test_keywords_count_replies_and_whole_words() -> None:
    said = samples("a red car and a red bus", "blue sky, red sun", "hundred", "navy blue")
    classes = [["warm", ["red", "orange"]], ["cold", ["blue"]], ["none", ["puce"]]]
    found = Metric.of(carry_out("metric.keyword_counts", [said], classes=classes))
    assert [(name, m.value) for name, m in found.lines.numbers.items()] == [("warm", 2), ("cold", 2), ("none", 0)]
    assert found.value == 3


def test_changed_replies() -> None:
    found = Metric.of(carry_out("metric.changed_rate", [samples("a", "b", "c"), samples("a", "B", "d")]))
    assert found.scores == (0, 1, 1)


def test_stored_metrics_are_what_they_were() -> None:
    for metric in (
        counted([{"a": 1.0}, {}, {"a": 2.0, "b": 1.0}], "answer"),
        grouped([1.0, 0.5, 0.0], ["x", "y", "x"], "type"),
    ):
        assert Metric.of(metric.payload()) == metric


def test_the_interval_of_a_count_is_that_of_its_share() -> None:
    """A count of n independent yes or no is binomial when resampled: the interval lies near its quantiles."""
    from scipy.stats import binom

    count = sum_of([1.0] * 30 + [0.0] * 70)
    assert count.value == 30
    low, high = (binom.ppf(q, 100, 0.3) for q in (0.025, 0.975))
    assert count.interval == pytest.approx((low, high), abs=1.5)


def test_differences_are_paired() -> None:
    """The same replies do not differ, whatever their spread; the interval is that of the pairs' differences."""
    base, other = mean_of([0.0, 1.0] * 20), mean_of([0.25, 1.25] * 20)
    assert paired(base, base).interval == (0.0, 0.0)
    found = paired(other, base)
    assert (found.value, found.interval) == (pytest.approx(0.25), pytest.approx((0.25, 0.25)))


def test_differences_of_counts_are_line_by_line() -> None:
    said = (["yes", "yes", "no"], ["no", "maybe", "no"])
    base, other = (counted([{answer: 1.0} for answer in answers], "answer") for answers in said)
    found = paired(other, base)
    assert {name: m.value for name, m in found.lines.numbers.items()} == {"no": 1, "maybe": 1, "yes": -2}
    assert found["yes"].scores == (-1, -1, 0)
    assert found["yes"].value == found.lines.numbers["yes"].value
    low, high = found["yes"].interval
    assert low == -3
    assert high <= 0


def test_differences_of_groups_are_within_groups() -> None:
    base, other = (grouped(s, ["x", "y", "x"], "type") for s in ([1.0, 0.0, 0.0], [1.0, 1.0, 1.0]))
    found = paired(other, base)
    assert {name: m.value for name, m in found.lines.numbers.items()} == {"x": 0.5, "y": 1.0}
    assert found["x"].scores == (0.0, 1.0)


def test_what_is_no_mean_of_its_scores_has_no_interval() -> None:
    assert paired(Metric(2.0, None, 2, (1.0, 1.5)), Metric(3.0, None, 2, (1.0, 1.5))).interval is None


QUESTIONS = [
    {"q": text, "a": answers, "t": kind}
    for text, answers, kind in (
        ("good day", ["tea", "tea"], "other"), ("no", ["yes", "no"], "yes/no"), ("give me tea", ["door"], "other"),
        ("yes and no", ["yes"], "yes/no"),
    )
]  # fmt: skip


@pytest.fixture(scope="module")
def asked(project: Path) -> Path:
    (project / "questions.jsonl").write_text("".join(json.dumps(row) + "\n" for row in QUESTIONS))
    (project / "drinks.yaml").write_text("drinks: [tea]\nreplies:\n  - yes\n  - no\n")
    return project


HEAD = """
data    asked   = jsonl("questions.jsonl", text = "q", references = "a", answer_type = "t")
model   moved   = apply(m, add(v, layers = all, scale = 4))
samples replies = generate([m, moved], asked, max_new_tokens = 2)
"""


def test_a_program_of_all_of_them(asked: Path) -> None:
    done = run(
        asked,
        HEAD
        + """
        metric right    = vqa_accuracy(replies, by = answer_type)
        metric number   = right[m]["other"]
        metric said     = answer_counts(replies, part = word)
        metric types    = answer_type_counts(replies)
        metric classes  = keyword_counts(replies, classes = yaml("drinks.yaml"))
        metric drinks   = classes["drinks"]
        metric changed  = changed_rate(replies, from = replies[m])
        metric gain     = difference(right, to = right[m])
        metric more     = difference(classes, to = classes[m])["replies"]
        """,
    )
    texts = {model: [s.completion for s in done["replies"][model]] for model in ("m", "moved")}
    for model, replies in texts.items():
        first = Counter(r.split()[0] for r in replies if r.split())
        counts = {name: m.value for name, m in done["said"][model].lines.numbers.items()}
        assert sum(counts.values()) == sum(first.values())
        assert done["drinks"][model].value == sum("tea" in r.split() for r in replies)
        assert done["changed"][model].value == sum(map(str.__ne__, replies, texts["m"])) / 4
        yes = [any(w in r.split() for w in ("yes", "no")) for r in replies]
        assert done["classes"][model]["replies"].value == sum(yes)
        assert math.isclose(done["gain"][model].value, done["right"][model].value - done["right"]["m"].value)
    assert done["number"].value == done["right"]["m"]["other"].value
    assert done["gain"]["m"].interval == (0.0, 0.0)


@pytest.mark.parametrize(
    ("text", "code", "part"),
    [
        ("metric x = vqa_accuracy(generate(m, words))", "SL580", "reference texts"),
        ("metric x = answer_type_counts(generate(m, words))", "SL580", "reference texts"),
        ('metric x = word_share(replies, words = ["a"])["a"]', "SL581", "one number"),
        ('metric x = keyword_counts(replies, classes = yaml("drinks.yaml"))["drink"]', "SL581", "no class `drink`"),
        ("metric x = changed_rate(generate(m, words), from = replies[m])", "SL582", "other rows"),
        ("metric x = difference(distinct(replies), to = distinct(replies[m]))", "SL582", "no score"),
        ('metric x = keyword_counts(replies, classes = yaml("flat.yaml"))', "SL583", "no list of words"),
    ],
)
def test_mistakes_are_told_before_anything_runs(asked: Path, text: str, code: str, part: str) -> None:
    (asked / "flat.yaml").write_text("red: {a: b}\n")
    with pytest.raises(SteerlangError) as caught:
        program(asked, HEAD + text)
    found = caught.value.diagnostics
    assert [(d.code.id, part in d.message) for d in found if d.code.severity.value == "error"] == [(code, True)]


def test_numbers_keep_their_order_in_the_store(asked: Path, tmp_path: Path) -> None:
    (asked / "order.yaml").write_text("zebra: [tea]\nape: [door]\nmouse: [help]\n")
    text = HEAD + 'metric counts = keyword_counts(replies[m], classes = yaml("order.yaml"))'
    for _ in range(2):  # made, then read again
        done = run(asked, text, cache=tmp_path)
        assert list(done["counts"].lines.numbers) == ["zebra", "ape", "mouse"]
