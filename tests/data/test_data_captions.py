"""CIDEr against a plain computation of its formula, by hand, and its laws."""

from __future__ import annotations

import math
from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from steerlang.data.captions import cider

REFERENCES = [
    ["a red circle on a blue field", "one red circle"],
    ["a green square", "the square is green and large", "green square on a blue field"],
    ["two small triangles", "triangles"],
]
REPLIES = ["a red circle", "the green square is large", "a red circle"]


def plain(replies, references, clipped):
    """The formula with vectors over all n-grams, written out."""

    def grams(text, n):
        parts = text.split()
        return Counter(tuple(parts[i : i + n]) for i in range(len(parts) - n + 1))

    scores = []
    for reply, texts in zip(replies, references, strict=True):
        total = 0.0
        for n in (1, 2, 3, 4):
            every = {g for row in references for t in row for g in grams(t, n)} | set(grams(reply, n))
            idf = {g: math.log(len(references) / max(1, sum(any(g in grams(t, n) for t in r) for r in references)))
                   for g in every}  # fmt: skip
            for text in texts:
                x = {g: grams(reply, n)[g] * idf[g] for g in every}
                y = {g: grams(text, n)[g] * idf[g] for g in every}
                lengths = math.sqrt(sum(v * v for v in x.values()) * sum(v * v for v in y.values()))
                if lengths == 0:
                    continue
                if clipped:
                    apart = len(reply.split()) - len(text.split())
                    near = 10 * math.exp(-(apart**2) / 72)
                    total += near * sum(min(x[g], y[g]) * y[g] for g in every) / lengths / len(texts) / 4
                else:
                    total += sum(x[g] * y[g] for g in every) / lengths / len(texts) / 4
        scores.append(total)
    return scores


@pytest.mark.parametrize(("variant", "clipped"), [("cider_d", True), ("cider", False)])
def test_it_is_the_formula(variant, clipped):
    expected = plain(REPLIES, REFERENCES, clipped)
    assert cider(REPLIES, REFERENCES, variant) == pytest.approx(expected, abs=1e-12)
    assert expected[0] > 0
    assert expected[2] == 0


def test_by_hand():
    """Two rows without words in common: every idf is log 2, and cosines are of plain counts."""
    found = cider(["red circle", "square"], [["red circle"], ["blue square"]], "cider")
    # n = 1 and 2 agree in the first, there is no longer n-gram; in the second one word of two agrees.
    assert found == pytest.approx([2 / 4, (1 / math.sqrt(2)) / 4])
    found = cider(["red circle", "square"], [["red circle"], ["blue square"]], "cider_d")
    assert found == pytest.approx([10 * 2 / 4, 10 * math.exp(-1 / 72) / math.sqrt(2) / 4])


WORDS = st.lists(st.sampled_from(["red", "blue", "circle", "square", "a"]), min_size=0, max_size=7).map(" ".join)


@given(st.lists(st.tuples(WORDS, st.lists(WORDS, min_size=1, max_size=3)), min_size=1, max_size=5))
def test_laws(rows):
    replies, references = [r for r, _ in rows], [t for _, t in rows]
    for variant, clipped, most in (("cider_d", True, 10), ("cider", False, 1)):
        found = cider(replies, references, variant)
        assert found == pytest.approx(plain(replies, references, clipped), abs=1e-9)
        assert all(-1e-12 <= score <= most + 1e-9 for score in found)
        assert cider([r.upper() + "!" for r in replies], references, variant) == pytest.approx(found)


def test_one_row_weighs_nothing():
    assert cider(["red"], [["red"]]) == [0.0]
