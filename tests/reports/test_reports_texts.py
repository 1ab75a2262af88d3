"""Texts on the page: programs in pieces, replies with their differences, the many points of an expectation."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from steerlang.reports.expected import lines
from steerlang.reports.findings import Expected
from steerlang.reports.highlighting import highlighted
from steerlang.reports.word_diff import MOST_WORDS, marked

PROGRAM = '''steerlang 1
# A comment
import common = "common.steer"
sweep s = [0.0, 0.5]
model kind = apply(common.base, add(v, scale = s, layers = 25%..75%))
expect fine = not share[s = 0.5] >= 2
data d = texts(["""two
lines"""])
'''


def styles(text: str, *definitions: str) -> set[tuple[str, str, str]]:
    return {(p.text, p.style, p.target) for line in highlighted(text, definitions) for p in line if p.style}


def test_every_piece_of_a_program_is_what_it_is() -> None:
    found = styles(PROGRAM, "s", "kind", "share", "common.base")
    assert {
        ("steerlang", "kind", ""), ("# A comment", "comment", ""), ("model", "kind", ""), ("kind", "name", "kind"),
        ("apply", "call", ""), ("base", "use", "common.base"), ("scale", "argument", ""), ("s", "use", "s"),
        ("25%", "number", ""), ("not", "word", ""), ("share", "use", "share"), ('"common.steer"', "text", ""),
        ('"""two', "text", ""), ('lines"""', "text", ""),
    } <= found  # fmt: skip
    assert ("s", "name", "s") in found  # where it is defined
    assert not {t for t, _, _ in found} & {"=", "(", ",", "v"}


@given(st.text(st.characters(exclude_categories=("Cs",), exclude_characters="\r"), max_size=60), st.booleans())
def test_highlighting_loses_nothing(text: str, with_program: bool) -> None:
    whole = PROGRAM[:150] + text if with_program else text
    shown = "\n".join("".join(p.text for p in line) for line in highlighted(whole, ("s",)))
    assert shown == whole.removesuffix("\n") or shown == whole


WORDS = st.lists(st.sampled_from(["I", "am", "sorry", ",", ".", " ", "\n", "don't", "宽", "é"]), max_size=20)


@given(WORDS.map("".join), WORDS.map(" ".join))
def test_marked_parts_join_to_the_texts(own: str, base: str) -> None:
    new, gone = marked(own, base)
    assert "".join(part for part, _ in new) == own
    assert "".join(part for part, _ in gone) == base
    # What is not marked is the same on both sides, up to the blanks behind words.
    kept = ["".join(" ".join(part.split()) for part, other in side if not other) for side in (new, gone)]
    assert kept[0].replace(" ", "") == kept[1].replace(" ", "")
    assert not any(other for _, other in marked(own, own)[0])


def test_words_that_differ_are_marked() -> None:
    new, gone = marked("Certainly. I am afraid, the compost", "I am sorry, the compost is")
    assert new == [("Certainly. ", True), ("I am ", False), ("afraid", True), (", the compost", False)]
    assert [part for part, other in gone if other] == ["sorry", "is"]


def test_long_texts_are_compared_as_far_as_is_quick() -> None:
    own = "a " * (MOST_WORDS + 500)
    assert marked(own, own + "b")[0][-1][1]
    assert "".join(part for part, _ in marked(own, "b")[0]) == own


def points(*values: float) -> list[Expected]:
    return [Expected(f"half[r = {i}]", v < 1, "control < 1", v, 1.0, "<", "p:3") for i, v in enumerate(values)]


def test_many_points_are_one_line_and_those_that_fail() -> None:
    found = lines([Expected("first", True, "1 < 2"), *points(0.1, 0.9, 0.5, 0.2, 3.0, 0.3)])
    assert [(e.label, e.holds) for e in found] == [("first", True), ("half", False), ("half[r = 4]", False)]
    assert found[1].numbers == "5 of 6 points, closest 0.9 < 1"
    assert len(found[1].points) == 6
    assert [e.label for e in lines(points(0.1, 0.2, 0.3, 0.4))] == [f"half[r = {i}]" for i in range(4)]
    held = lines(points(*[0.5] * 5))
    assert [(e.label, e.holds, e.numbers) for e in held] == [("half", True, "5 of 5 points, closest 0.5 < 1")]


def test_points_that_were_not_judged_are_lines_too() -> None:
    open_ = [Expected(f"e[r = {i}]", None, "x > 1") for i in range(5)]
    found = lines(open_)
    assert [e.holds for e in found] == [None] * 6
    assert found[0].numbers == "0 of 5 points"
