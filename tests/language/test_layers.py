"""Layer selections: what each spelling names, in models of any depth."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from steerlang.language.layers import AllLayers, Depth, FromLast, LayerProblem, LayerRange, resolve, spelled

from .language_programs import accepted, body, node, said


def layers(written: str, extra: str = "") -> list[int]:
    result = accepted(body(f"{extra}\nvector w = extract(m, pairs, layers = {written})"))
    return node(result, "w").options["layers"]  # type: ignore[return-value]


@pytest.mark.parametrize(
    ("written", "named"),
    [
        ("all", list(range(12))),
        ("first", [0]),
        ("last", [11]),
        ("last - 2", [9]),
        ("last - 1 - 1", [9]),
        ("4", [4]),
        ("8..11", [8, 9, 10, 11]),
        ("8..<11", [8, 9, 10]),
        ("8..last", [8, 9, 10, 11]),
        ("8..<12", [8, 9, 10, 11]),
        ("first..2", [0, 1, 2]),
        ("last - 2..last", [9, 10, 11]),
        ("last - 2..<last", [9, 10]),
        ("0%..100%", list(range(12))),
        ("25%..75%", [3, 4, 5, 6, 7, 8]),
        ("25%..<75%", [3, 4, 5, 6, 7, 8]),
        ("0%..4.2%", [0]),
        ("[1, 5, 3]", [1, 3, 5]),
        ("[1..3, 2..4, last]", [1, 2, 3, 4, 11]),
        ("[first, 25%..30%]", [0, 3]),
        ("2 * 3", [6]),
        ("(2 + 1)..(2 * 3)", [3, 4, 5, 6]),
    ],
)
def test_what_a_spelling_names(written: str, named: list[int]) -> None:
    assert layers(written) == named


@pytest.mark.parametrize(
    ("extra", "written", "named"),
    [
        ("let middle = 25%..75%", "middle", [3, 4, 5, 6, 7, 8]),
        ("let late = last - 2", "late", [9]),
        ("let late = last - 2", "late..last", [9, 10, 11]),
        ("let late = last - 2", "late - 1", [8]),
        ("let back = 3", "last - back", [8]),
        ("let some = [1, last]", "some", [1, 11]),
        ("let some = [1, 2]", "some", [1, 2]),
        ("let some = [1..2, 4..5]", "some", [1, 2, 4, 5]),
        ("let every = all", "every", list(range(12))),
        ("param k = number(default = 3)", "k..k + 1", [3, 4]),
        ("param k = number(default = 3)", "[k, last]", [3, 11]),
        ("vector last = unit(v)", "last", [11]),
        ("let half = 4.0", "half", [4]),
    ],
)
def test_layers_may_have_names(extra: str, written: str, named: list[int]) -> None:
    assert layers(written, extra) == named


@pytest.mark.parametrize(
    ("written", "code", "place"),
    [
        ("12", "SL411", "12"),
        ("[1, 12]", "SL411", "[1, 12]"),
        ("8..12", "SL411", "8..12"),
        ("last - 12", "SL411", "last - 12"),
        ("1.5", "SL411", "1.5"),
        ("50%", "SL302", "50%"),
        ("25%..8", "SL411", "25%..8"),
        ("0%..120%", "SL411", "0%..120%"),
        ("8..4", "SL403", "8..4"),
        ("8..<7", "SL403", "8..<7"),
        ("last..first", "SL403", "last..first"),
        ("75%..25%", "SL403", "75%..25%"),
        ("4..<4", "SL402", "4..<4"),
        ("50%..51%", "SL402", "50%..51%"),
        ("[]", "SL402", "[]"),
        ("-1", "SL412", "-1"),
        ("[-1]", "SL412", "-1"),
        ("-2..4", "SL412", "-2"),
        ('"last"', "SL302", '"last"'),
        ("v", "SL302", "v"),
        ("lst", "SL201", "lst"),
        ("last - 0.5", "SL411", "last - 0.5"),
        ("true..4", "SL302", "true"),
    ],
)
def test_what_names_no_layers(written: str, code: str, place: str) -> None:
    found = said(body(f"vector w = extract(m, pairs, layers = {written})"))
    assert found[:2] == (code, place)


def test_layers_of_a_vector_are_those_of_its_model() -> None:
    result = accepted(
        body("vector w = extract(m, pairs, layers = 2..9)\nvector u = w[25%..<50%]\nvector t = (2 * w)[last - 3]")
    )
    assert node(result, "u").options["layers"] == [3, 4, 5]
    assert node(result, "t").options["layers"] == [8]


# ---- against an independent reading ----------------------------------------------------------------------------------

ENDS = st.one_of(st.integers(-2, 14), st.builds(FromLast, st.integers(0, 14)))
ITEMS = st.one_of(
    ENDS,
    st.just(AllLayers()),
    st.builds(LayerRange, ENDS, ENDS, st.booleans()),
    st.builds(
        lambda a, b, c: LayerRange(Depth(a / 100), Depth(b / 100), c),
        st.integers(0, 100),
        st.integers(0, 100),
        st.booleans(),
    ),
)


def naive(item: object, count: int) -> set[int] | None:
    """The layers an item names, by trying each; None for a mistake."""
    if isinstance(item, AllLayers):
        return set(range(count))
    if not isinstance(item, LayerRange):
        place = count - 1 - item.back if isinstance(item, FromLast) else item
        return {place} if place in range(count) else None  # type: ignore[arg-type]
    if isinstance(item.start, Depth):
        low, high = item.start.share, item.end.share  # type: ignore[union-attr]
        inside = {i for i in range(count) if low <= (i + 0.5) / count < high + (1e-12 if item.closed else 0)}
        return inside or None
    low, high = ((count - 1 - e.back if isinstance(e, FromLast) else e) for e in (item.start, item.end))  # type: ignore[operator]
    if low not in range(count) or not (
        high in range(count) or (high == count and not item.closed and item.end == count)
    ):
        return None
    return {i for i in range(count) if low <= i < high + item.closed} or None  # type: ignore[operator]


@settings(max_examples=400, deadline=None)
@given(st.lists(ITEMS, min_size=1, max_size=4), st.integers(1, 13))
def test_selections_agree_with_trying_each_layer(items: list[object], count: int) -> None:
    expected: set[int] | None = set()
    for item in items:
        part = naive(item, count)
        expected = None if expected is None or part is None else expected | part
    found = resolve(tuple(items), count)  # type: ignore[arg-type]
    assert isinstance(found, LayerProblem) if expected is None else found == tuple(sorted(expected))


@settings(max_examples=200, deadline=None)
@given(st.sets(st.integers(0, 30), min_size=1))
def test_spelled_layers_read_back(chosen: set[int]) -> None:
    text = spelled(tuple(sorted(chosen)))
    items = [LayerRange(*map(int, p.split(".."))) if ".." in p else int(p) for p in text.split(", ")]
    assert resolve(tuple(items), 31) == tuple(sorted(chosen))
