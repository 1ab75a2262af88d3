"""Vectors chosen by the gap between increases of answer counts: by hand, and against a plain evaluation of each."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sklearn.cluster import KMeans

from steerlang.api import SteerlangError
from steerlang.operations.gaps import Gap, gap_of, ranked

from .tiny import program, run


def test_a_gap_by_hand() -> None:
    found = gap_of({"yes": 10, "no": 9, "2": 3, "": 7}, {"yes": 2, "no": 8, "red": 9}, top=5)
    assert found == Gap((("yes", 8), ("2", 3), ("no", 1)), ("yes",), 5.0)
    two = gap_of({"yes": 10, "no": 9, "2": 1}, {}, top=5)
    assert (two.winners, two.score) == (("yes", "no"), 8.0)


def test_ends_of_gaps() -> None:
    assert gap_of({"yes": 4}, {"yes": 1}, top=5) == Gap((("yes", 3),), ("yes",), 3.0)
    assert gap_of({"": 4}, {}, top=5) == Gap((), (), 0.0)
    assert gap_of({"yes": 2, "no": 2}, {}, top=5).score == 0
    assert gap_of({"yes": 2, "no": 1}, {"yes": 3, "no": 9}, top=5).winners == ()
    assert gap_of({"a": 9, "b": 5, "c": 4}, {}, top=2).increases == (("a", 9), ("b", 5))


@pytest.mark.parametrize("seed", range(8))
def test_the_groups_are_as_tight_as_those_of_kmeans(seed: int) -> None:
    counts = {f"w{i}": int(n) for i, n in enumerate(np.random.default_rng(seed).integers(1, 60, 5))}
    found = gap_of(counts, {}, top=5)
    values = np.array([[n] for _, n in found.increases], dtype=float)
    upper, lower = np.split(values, [len(found.winners)])
    best = KMeans(2, n_init=20, random_state=0).fit(values).inertia_
    assert sum(((g - g.mean()) ** 2).sum() for g in (upper, lower)) == pytest.approx(best)
    assert found.score == upper.min() - lower.max()


def test_ranks_are_of_distinct_answers() -> None:
    won = [(("a",), 3.0), (("a",), 5.0), (("a", "b"), 9.0), ((), 9.0), (("b",), 3.0)]
    gaps = [Gap((), winners, score) for winners, score in won]
    assert ranked(gaps, targets=1) == [1, 4]
    assert ranked(gaps, targets=2) == [2, 1, 4]


HEAD = """
activations states = capture(m, words, layers = 1)
concepts    dict   = decompose(states, k = 3, seed = 0)
"""
ASKED = "on = m, data = words, scale = 3, tokens = all, max_new_tokens = 2, part = word, targets = 3"


def test_what_is_chosen_is_what_plain_evaluation_finds(project: Path) -> None:
    """Each pair is tried by itself with programs of `apply` and `generate`, and judged by the formula written out."""
    pairs = [(i, j) for i in range(3) for j in range(3) if i != j]
    models = "".join(
        f"model m{i}{j} = apply(m, add(dict[{j}] - dict[{i}], scale = 3, tokens = all))\n"
        f"samples s{i}{j} = generate(m{i}{j}, words, max_new_tokens = 2)\n"
        for i, j in pairs
    )
    done = run(
        project,
        f"""{HEAD}
        metric  gaps = count_gap(pairs_of(dict), {ASKED})
        vector  best = ranked(gaps)
        vector  same = select(pairs_of(dict), by = count_gap, {ASKED})
        samples base = generate(m, words, max_new_tokens = 2)
        {models}
        vector  straight = pairs_of(dict)
        """,
    )

    def counts(name: str) -> Counter[str]:
        firsts = (s.completion.split()[:1] for s in done[name])
        return Counter(first[0] for first in firsts if first)

    base = counts("base")
    expected = {f"{i} to {j}": gap_of(counts(f"s{i}{j}"), base, 5) for i, j in pairs}
    rows = {row["vector"]: row for row in done["gaps"].table.records()}
    assert {name: row["score"] for name, row in rows.items()} == {n: g.score for n, g in expected.items()}
    assert {name: tuple(row["answers"]) for name, row in rows.items()} == {n: g.winners for n, g in expected.items()}
    first = done["gaps"].table.records()[0]
    assert first["rank"] == 0
    assert done["gaps"].value == first["score"]
    for name in ("best", "same"):
        np.testing.assert_array_equal(done[name].directions, done["straight"][first["vector"]].directions)
    assert [n.key for n in _nodes(done, "best")] == [n.key for n in _nodes(done, "same")]


def _nodes(done: Any, name: str) -> list[Any]:
    return [cell.value.node for cell in done.program.compiled.tables[name].cells]


def test_all_vectors_run_as_one_batch(project: Path, tmp_path: Path) -> None:
    done = run(project, f"{HEAD}metric gaps = count_gap(pairs_of(dict), {ASKED})", cache=tmp_path)
    generating = [step for step in done.plan.steps if step.nodes[0].operation == "generate"]
    assert [len(step.nodes) for step in generating] == [7]


@pytest.mark.parametrize(
    ("text", "code", "part"),
    [
        (f"vector x = select(dict[1], by = count_gap, {ASKED})", "SL302", "this is one"),
        ("vector x = select(pairs_of(dict), by = distinct(generate(m, words)), over = s)", "SL302", "judged by"),
        (f"vector x = select(pairs_of(dict), by = count_gap, over = s, {ASKED})", "SL302", "`over` says nothing"),
        ("vector x = select(pairs_of(dict), by = count_gap, on = m)", "SL302", "`data` is needed"),
        ("vector x = select(v, by = distinct(generate(m, words)), over = s, rank = 1)", "SL302", "`rank` belongs to"),
        ("vector x = select(v, by = distinct(generate(m, words)))", "SL302", "`over` is needed"),
        ("vector x = ranked(distinct(generate(m, words)))", "SL302", "judged no vectors"),
        (f"metric x = count_gap([dict[0], v], {ASKED})", "SL313", "different"),
    ],
)
def test_mistakes_are_told_before_anything_runs(project: Path, text: str, code: str, part: str) -> None:
    with pytest.raises(SteerlangError) as caught:
        program(project, f"{HEAD}sweep s = [1, 2]\n{text}")
    found = [(d.code.id, part in d.message) for d in caught.value.diagnostics if d.code.severity.value == "error"]
    assert found == [(code, True)], [d.message for d in caught.value.diagnostics]


def test_no_vector_that_leads_anywhere_is_an_error(project: Path) -> None:
    done = program(project, f"{HEAD}vector x = ranked(count_gap(pairs_of(dict), {ASKED}), rank = 50)").run()
    assert [d.code.id for d in done.diagnostics if d.code.severity.value == "error"] == ["SL584"]
