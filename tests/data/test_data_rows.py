"""Demonstrations, templates, samples and splits."""

from __future__ import annotations

import string
from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from steerlang.data import (
    Contains,
    Equals,
    ProblemKind,
    Row,
    RowOptions,
    check_options,
    demonstrations,
    from_json_lines,
    of_pairs,
    of_texts,
    parse_template,
    row_digest,
    rows_digest,
    sample,
    split,
    stripped,
    to_json_lines,
)
from steerlang.data.roles import check_cell

TEXT = {"text": "text"}
PAIRS = {"source": "rude", "target": "polite"}


def made(rows, columns=TEXT, **options):
    result, problems = demonstrations([Row(i + 1, r) for i, r in enumerate(rows)], columns, RowOptions(**options))
    assert not problems
    return result


def test_rows_carry_id_line_and_roles():
    assert made([{"rude": "a", "polite": "b", "x": 1}], PAIRS) == ({"id": 0, "line": 1, "source": "a", "target": "b"},)


def test_text_written_in_the_program_has_no_line():
    rows, _ = demonstrations(of_pairs([("a", "b")]), {"source": "source", "target": "target"})
    assert rows == ({"id": 0, "line": 0, "source": "a", "target": "b"},)
    assert of_texts(["a"]) == (Row(0, {"text": "a"}),)


def test_strip():
    assert stripped(" a, b! ", "none") == " a, b! "
    assert stripped(" a, b! ", "outer") == "a, b!"
    assert stripped(" (a, b!) ", "punctuation") == "a b"
    assert stripped(string.punctuation + "é—", "punctuation") == "é—"
    assert len(string.punctuation) == 32


def test_a_text_that_strip_empties_is_a_bad_row():
    given = [Row(7, {"text": "?!"}), Row(8, {"text": "a"})]
    rows, problems = demonstrations(given, TEXT, RowOptions(strip="punctuation"))
    assert [r["id"] for r in rows] == [1]
    assert (problems[0].line, problems[0].column) == (7, "text")


def test_a_template_stands_around_each_side_by_itself():
    row = {"rude": "a!", "polite": "b", "who": "me", "n": 3, "yes": True}
    found = made([row], PAIRS, template="{who}{{{n}}} {yes}: {text}", strip="punctuation")
    assert (found[0]["source"], found[0]["target"]) == ("me{3} true: a", "me{3} true: b")


def test_text_in_a_template_is_the_text_it_stands_around():
    assert made([{"body": "x", "text": "other"}], {"text": "body"}, template="<{text}>")[0]["text"] == "<x>"


def test_what_is_filled_in_is_not_filled_again():
    assert made([{"text": "{who}", "who": "{text}"}], template="{who}{text}")[0]["text"] == "{text}{who}"


@pytest.mark.parametrize(
    ("template", "said"),
    [
        ("a { b", "the brace `{` at character 3 has no partner"),
        ("a } b", "the brace `}` at character 3 has no partner"),
        ("a {} b", "the place `{}` at character 3 has no name"),
    ],
)
def test_malformed_templates(template, said):
    assert parse_template(template) == said
    problems = check_options(RowOptions(template=template), ["text"])
    assert said in problems[0].message


def test_unknown_places_and_columns():
    options = RowOptions(template="{text} {who}", prompt="{what}", where=(Equals("when", 1),), limit=0)
    problems = check_options(options, ["text"])
    assert [p.column for p in problems] == ["who", "what", "when", None]
    assert [p.kind for p in problems[:3]] == [ProblemKind.COLUMN] * 3


def test_a_template_without_text_makes_both_sides_equal():
    problems = check_options(RowOptions(template="x"), ["rude", "polite"], PAIRS)
    assert "both sides" in problems[0].message
    assert not check_options(RowOptions(template="x {rude}"), ["rude"], ["text"])


def test_a_prompt_for_every_row():
    rows = made([{"file": "a.png", "what": "it"}], {"image": "file"}, prompt="Describe {what}.")
    assert rows[0] == {"id": 0, "line": 1, "prompt": "Describe it.", "image": "a.png"}
    assert check_options(RowOptions(prompt="{text}"), ["file"])


def test_chat_and_system_are_carried():
    row = {"id": 0, "line": 1, "text": "a", "chat": True}
    assert made([{"text": "a"}], chat=True) == (row,)
    assert made([{"text": "a"}], system="be kind") == ({**row, "system": "be kind"},)


def test_filters_then_limit():
    rows = [{"text": t, "k": k} for t, k in [("a dog", 1), ("a cat", "1"), ("dogs", 1), ("Dog!", 2), ("dog", 1.0)]]
    assert [r["id"] for r in made(rows, where=(Contains("text", "dog"),))] == [0, 3, 4]
    assert [r["id"] for r in made(rows, where=(Contains("text", "dog"),), limit=2)] == [0, 3]
    assert [r["id"] for r in made(rows, where=(Equals("k", 1),))] == [0, 1, 2, 4]
    assert [r["id"] for r in made(rows, where=(Equals("k", "1"),))] == [0, 1, 2]


def test_equals_keeps_truth_and_numbers_apart():
    assert not Equals("k", 1).keeps({"k": True})
    assert Equals("k", True).keeps({"k": "true"})
    assert not Equals("k", "None").keeps({"k": None})


texts = st.text(st.characters(blacklist_categories=("Cs",)), max_size=5)
contents = st.dictionaries(texts, texts | st.integers() | st.booleans() | st.none(), max_size=3)
some_rows = st.lists(contents, max_size=20).map(lambda found: [{**c, "id": i, "line": i} for i, c in enumerate(found)])


@given(some_rows)
def test_json_lines_come_back(rows):
    text = to_json_lines(rows)
    assert list(from_json_lines(text)) == rows
    assert to_json_lines(from_json_lines(text)) == text


@given(some_rows)
def test_a_digest_is_of_what_rows_say(rows):
    moved = [{**r, "id": r["id"] + 5, "line": 0} for r in rows]
    assert rows_digest(moved) == rows_digest(rows)
    if rows:
        assert rows_digest(rows + rows[:1]) != rows_digest(rows)


def said(rows):
    return Counter(row_digest(r) for r in rows)


@given(some_rows, st.integers(0, 25), st.integers())
def test_a_sample_is_part_of_the_rows_in_their_order(rows, k, seed):
    found = sample(rows, k, seed)
    assert len(found) == min(k, len(rows))
    assert [r["id"] for r in found] == sorted(r["id"] for r in found)
    assert sample(rows, k, seed) == found


@given(some_rows, st.integers(0, 25), st.integers(), st.randoms())
def test_a_sample_does_not_depend_on_the_order_of_the_file(rows, k, seed, random):
    shuffled = rows.copy()
    random.shuffle(shuffled)
    assert said(sample(shuffled, k, seed)) == said(sample(rows, k, seed))


@given(some_rows, st.integers(0, 20), st.integers())
def test_smaller_samples_are_part_of_larger_ones(rows, k, seed):
    assert {r["id"] for r in sample(rows, k, seed)} <= {r["id"] for r in sample(rows, k + 1, seed)}


@given(some_rows, st.floats(0.01, 0.99), st.integers())
def test_a_split_holds_every_row_once_and_shares_no_content(rows, fraction, seed):
    first, second = split(rows, fraction, seed)
    assert sorted(r["id"] for r in (*first, *second)) == [r["id"] for r in rows]
    assert not said(first).keys() & said(second).keys()
    assert split(rows, fraction, seed) == (first, second)
    if len(said(rows)) > 1:
        assert first
        assert second


@given(st.integers(2, 60), st.floats(0.05, 0.95), st.integers())
def test_a_split_of_different_rows_has_the_size_asked_for(count, fraction, seed):
    first, _ = split([{"text": str(i)} for i in range(count)], fraction, seed)
    assert abs(len(first) - fraction * count) <= 1


def test_seeds_and_purposes_choose_differently():
    rows = [{"text": str(i)} for i in range(100)]
    assert sample(rows, 50, 0) != sample(rows, 50, 1)
    assert split(rows, 0.5, 0)[0] != split(rows, 0.5, 1)[0]
    assert split(rows, 0.5, 0)[0] != sample(rows, 50, 0)


def test_known_samples_stay_what_they_were():
    rows = [{"text": str(i)} for i in range(10)]
    assert [r["text"] for r in sample(rows, 3, 0)] == KNOWN_SAMPLE
    assert [r["text"] for r in split(rows, 0.3, 0)[0]] == KNOWN_SPLIT


KNOWN_SAMPLE = ["0", "3", "4"]
KNOWN_SPLIT = ["0", "1", "5"]


@pytest.mark.parametrize("fraction", [0.0, 1.0, -0.1, float("nan")])
def test_fractions_outside_the_open_interval_are_bugs(fraction):
    with pytest.raises(ValueError, match="fraction"):
        split([{"text": "a"}], fraction, 0)


def test_references_are_a_list_however_they_are_written():
    columns = {"text": "q", "references": "a", "answer_type": "t", "id": "n"}
    rows = [
        {"q": "?", "a": ["a dog", "dog"], "t": "other", "n": "x1"},
        {"q": "?", "a": "yes | no", "t": "yes/no", "n": "x2"},
        {"q": "?", "a": 2, "t": "number", "n": 3},
        {"q": "?", "a": [{"answer": "two", "answer_id": 1}, ""], "t": "number", "n": 4},
    ]
    found = made(rows, columns)
    assert [r["references"] for r in found] == [["a dog", "dog"], ["yes", "no"], ["2"], ["two", ""]]
    assert [(r["id"], r["answer_type"]) for r in found] == [
        ("x1", "other"), ("x2", "yes/no"), (3, "number"), (4, "number"),
    ]  # fmt: skip


@pytest.mark.parametrize("cell", [[], "", " | ", ["", " "], [None], {"answer": None}, 1.5, [["a"]]])
def test_what_is_no_reference_is_a_bad_row(cell):
    problem = check_cell(Row(7, {"a": cell}), "references", "a")
    assert problem is not None
    assert (problem.line, problem.column) == (7, "a")


def test_two_rows_of_one_id_are_told():
    rows = [Row(1, {"text": "a", "n": 1}), Row(2, {"text": "b", "n": 2}), Row(5, {"text": "c", "n": 1})]
    kept, problems = demonstrations(rows, {"text": "text", "id": "n"})
    assert [r["id"] for r in kept] == [1, 2]
    assert [(p.line, p.column, p.message) for p in problems] == [(5, "n", "has the id `1` of line 1")]
