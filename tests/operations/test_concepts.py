"""Dictionaries, shifts and what is made of them, through the engine and against computations of our own."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sklearn.cluster import KMeans

from steerlang.engine.payload import Payload
from steerlang.reports.gathering import gather

from .tiny import direct, make_project, program, run, states

SETUP = """steerlang 1
model m     = hf("m")
model tuned = hf("other")
data  words = [
  "good day", "I will not", "give me tea now please", "no", "yes and no", "please go away", "door", "help me now",
  "kindly help me", "thanks", "tea", "go away now",
]
activations before = capture(m, words, layers = 1)
activations after  = capture(tuned, words, layers = 1)
concepts    dict   = decompose(before, k = 3, seed = 0)
vector      moved  = shift(before, after, by = dict)
"""
TEXTS = [
    "good day", "I will not", "give me tea now please", "no", "yes and no", "please go away", "door", "help me now",
    "kindly help me", "thanks", "tea", "go away now",
]  # fmt: skip


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_project(tmp_path_factory.mktemp("concepts"))


@pytest.fixture(scope="module")
def two(project: Path) -> tuple[np.ndarray, np.ndarray]:
    """Last states at layer 1 of all texts in both models, by hooks of our own."""
    sides = []
    for name in ("m", "other"):
        model, tokenizer = direct(project, name)
        sides.append(np.stack([states(model, tokenizer, t)[1, -1].numpy() for t in TEXTS]))
    return sides[0], sides[1]


def go(project: Path, tmp_path: Path, text: str) -> Any:
    return run(project, text, head=SETUP, cache=tmp_path)


# ---- dictionaries --------------------------------------------------------------------------------------------------


def test_a_dictionary_holds_its_concepts_activations_and_samples(project: Path, two: Any, tmp_path: Path) -> None:
    made = go(project, tmp_path, "vector second = dict[1]\nvector fine = dict[2] - dict[0]")
    found = made["dict"]
    wanted = KMeans(3, n_init=10, random_state=0).fit(two[0]).cluster_centers_
    np.testing.assert_allclose(found.components, wanted, atol=1e-4)
    distances = np.linalg.norm(two[0][:, None] - wanted[None], axis=-1)
    np.testing.assert_allclose(found.activations, 1 / (1 + distances), atol=1e-4)
    assert found.samples.tolist() == list(range(12))
    assert sum(found.counts) == 12
    assert found.provenance["left_out"] == 0
    assert found.place.state_norm == pytest.approx(np.linalg.norm(two[0], axis=1).mean(), rel=1e-5)
    np.testing.assert_allclose(made["second"].directions[0], wanted[1], atol=1e-4)
    np.testing.assert_allclose(made["fine"].directions[0], wanted[2] - wanted[0], atol=1e-4)
    assert made["fine"].layers == (1,)
    np.testing.assert_allclose(found[1].directions[0], wanted[1], atol=1e-4)
    with pytest.raises(IndexError, match="0 to 2"):
        found[3]


@pytest.mark.parametrize(
    "method", ["kmeans(restarts = 2)", "snmf(alpha = 0.1)", "pca", "nmf(negatives = clip)", "largest_norm"]
)
def test_every_method_through_the_engine(method: str, project: Path, two: Any, tmp_path: Path) -> None:
    text = f"concepts made = decompose(before, k = 2, method = {method})\nconcepts seen = project(made, after)"
    result = go(project, tmp_path, text)
    made, seen = result["made"], result["seen"]
    assert made.components.shape == seen.components.shape == (2, 16)
    np.testing.assert_array_equal(made.components, seen.components)
    assert seen.activations.shape == (12, 2)
    assert made.method["name"] == method.partition("(")[0]


def test_samples_without_the_token_are_left_out(project: Path, tmp_path: Path) -> None:
    text = 'concepts some = decompose(capture(m, words, layers = 1, tokens = at("me")), k = 2)'
    found = go(project, tmp_path, text)["some"]
    assert found.samples.tolist() == [i for i, t in enumerate(TEXTS) if "me" in t.split()]
    assert found.provenance["left_out"] == 9
    assert {row for k in range(2) for row, _ in found.strongest(k)} == set(found.samples.tolist())


def test_tokens_may_be_rows(project: Path, tmp_path: Path) -> None:
    text = "concepts each = decompose(capture(m, words, layers = 1, tokens = all), k = 4)"
    found = go(project, tmp_path, text)["each"]
    lengths = [len(t.split()) + 1 for t in TEXTS]
    assert found.samples.tolist() == [i for i, n in enumerate(lengths) for _ in range(n)]
    assert found.positions.tolist() == [j for n in lengths for j in range(n)]
    strongest = found.strongest(0, top=12)
    assert len({row for row, _ in strongest}) == len(strongest)


def test_too_few_states_that_differ(project: Path, tmp_path: Path) -> None:
    text = 'concepts few = decompose(capture(m, ["no", "no", "no"], layers = 1), k = 2)'
    result = program(project, text, head=SETUP, cache=tmp_path).run()
    assert [d.code.id for d in result.diagnostics if d.is_error] == ["SL561"]
    assert "only 1 of 3 states differ" in next(d.message for d in result.diagnostics if d.is_error)


def test_states_below_zero_are_refused_by_nmf(project: Path, tmp_path: Path) -> None:
    result = program(project, "concepts few = decompose(before, k = 2, method = nmf)", head=SETUP, cache=tmp_path).run()
    (bad,) = [d for d in result.diagnostics if d.is_error]
    assert "nowhere negative" in bad.message
    assert "clip" in str(bad.help)


# ---- shifts --------------------------------------------------------------------------------------------------------


def test_a_shift_and_its_sums(project: Path, two: Any, tmp_path: Path) -> None:
    text = """
concepts whole = dict + moved
concepts half  = dict + 0.5 * moved
concepts back  = whole - moved
vector   one   = moved[1]
vector   twice = 2 * moved
metric   stats = shift_statistics(moved, measure = magnitude)
metric   first = stats[1]
metric   named = recovery(whole, from = dict, to = dict, measure = distance, as = shifted)["2"]
"""
    made = go(project, tmp_path, text)
    _, b = two
    concept = made["dict"].activations.argmax(1)
    means = np.stack([b[concept == k].mean(0) for k in range(3)])
    u = made["dict"].components
    np.testing.assert_allclose(made["whole"].components, means, atol=1e-4)
    np.testing.assert_allclose(made["half"].components, (u + means) / 2, atol=1e-4)
    np.testing.assert_allclose(made["back"].components, u, atol=1e-4)
    np.testing.assert_allclose(made["one"].directions[0], means[1] - u[1], atol=1e-4)
    np.testing.assert_allclose(made["twice"].delta, 2 * (means - u), atol=1e-4)
    assert made["moved"].counts == tuple(np.bincount(concept).tolist())
    lengths = np.linalg.norm(means - u, axis=1)
    assert made["stats"].value == pytest.approx(lengths.mean(), rel=1e-4)
    assert made["stats"].table.column("magnitude") == pytest.approx(lengths.tolist(), rel=1e-4)
    assert made["first"].value == made["stats"][1].value == pytest.approx(lengths[1], rel=1e-4)
    assert made["named"].value == pytest.approx(lengths[2], rel=1e-4)
    with pytest.raises(KeyError, match="0 to 2"):
        made["stats"][3]
    assert made["stats"].table.column("count") == list(made["moved"].counts)


def test_only_samples_found_in_both_count(project: Path, two: Any, tmp_path: Path) -> None:
    text = """
activations gone = capture(tuned, words, layers = 1, tokens = index(2))
vector part = shift(before, gone, by = dict)
"""
    result = go(project, tmp_path, text)
    there = [i for i, t in enumerate(TEXTS) if len(t.split()) >= 2]
    part = result["part"]
    assert sum(part.counts) == len(there) == part.provenance["samples"]
    assert part.provenance["left_out"] == [0, 12 - len(there)]
    assert "SL716" in {d.code.id for d in result.diagnostics}


def test_a_concept_without_samples_is_said_and_does_not_move(project: Path, tmp_path: Path) -> None:
    text = """
activations some = capture(m, words, layers = 1, tokens = at("tea"))
vector part = shift(some, capture(tuned, words, layers = 1, tokens = at("tea")), by = dict)
"""
    result = go(project, tmp_path, text)
    part = result["part"]
    assert sum(part.counts) == 2
    empty = [k for k, n in enumerate(part.counts) if n == 0]
    assert empty
    assert not part.delta[empty].any()
    (said,) = [d for d in result.diagnostics if d.code.id == "SL565"]
    assert str(empty[0]) in said.message


def test_a_sweep_of_strengths_and_what_it_recovers(project: Path, two: Any, tmp_path: Path) -> None:
    text = """
sweep alpha = [0.0, 0.5, 1.0]
concepts retuned = decompose(after, k = 3, seed = 0)
concepts shifted = dict + alpha * moved
metric near = recovery(shifted, from = dict, to = retuned, measure = distance, as = shifted, on = m, top = 3)
metric won  = recovery(shifted[alpha = 1.0], from = dict, to = retuned, measure = distance, as = improved)
metric base = recovery(shifted, from = dict, to = retuned, measure = distance, as = unshifted)
let best = argmin(near, over = alpha)
metric closest = near[alpha = best]
"""
    made = go(project, tmp_path, text)
    near, base = made["near"], made["base"]
    assert near[0.0].value == pytest.approx(base[1.0].value)
    assert made["closest"].value == min(near[a].value for a in near)
    table = near[1.0].table
    u, w = made["shifted"][1.0].components, made["retuned"].components
    distances = [np.linalg.norm(u[i] - w[j]) for i, j in enumerate(table.column("matched"))]
    assert table.column("distance") == pytest.approx(distances, rel=1e-4)
    assert sorted(table.column("matched")) == [0, 1, 2]
    assert made["won"].value == np.mean([g > 0 for g in table.column("distance_gain")])
    assert {"words", "samples"} <= set(table.columns)
    assert all(0 <= x <= 1 for x in table.column("words"))


def test_the_strengths_of_a_sweep_are_one_step_of_each_kind(project: Path, tmp_path: Path) -> None:
    text = """
sweep alpha = [0.0, 0.25, 0.5, 0.75, 1.0]
concepts retuned = decompose(after, k = 3, seed = 0)
metric near = recovery(dict + alpha * moved, from = dict, to = retuned, on = m, top = 3)
"""
    steps = program(project, text, head=SETUP, cache=tmp_path).plan().plan.steps
    counts = {s.operation: len(s.nodes) for s in steps}
    assert len(steps) == len(counts) + 2  # two captures, and two dictionaries of different states
    assert counts["shift.scaled"] == counts["concepts.shifted"] == counts["metric.recovery"] == 5
    assert counts["metric.ground_words"] == 7


def test_statistics_and_recovery_go_together(project: Path, tmp_path: Path) -> None:
    text = """
metric consistent = shift_statistics(moved, measure = magnitude)
metric recovered  = recovery(dict + moved, from = dict, to = decompose(after, k = 3))
metric together   = correlation(consistent, recovered, by = spearman)
metric apart      = correlation(consistent, word_share(generate(m, ["no", "door"], max_new_tokens = 2), words = ["a"]))
"""
    result = program(project, text, head=SETUP, cache=tmp_path).run()
    made = result["together"]
    assert made.count == 3
    assert made.table.column("x") == pytest.approx(list(result["consistent"].scores))
    assert made.table.column("y") == pytest.approx(list(result["recovered"].scores))
    assert [d.code.id for d in result.diagnostics if d.is_error] == ["SL566"]


# ---- grounding -----------------------------------------------------------------------------------------------------


def test_words_are_those_of_the_unembedding(project: Path, tmp_path: Path) -> None:
    text = """
metric plain  = ground_words(dict, on = m, top = 3)
metric normed = ground_words(dict, on = m, top = 3, final_norm = true)
metric few    = ground_words([dict, dict + moved], on = m, top = 2, vocabulary = ["tea", "door", "No"])
metric less   = ground_words(dict, on = m, top = 30, stop = ["tea", "door"])
metric fine   = ground_words(dict[1] - dict[0], on = m, top = 1)
metric pairs  = ground_words(pairs_of(dict), on = m, top = 1)
metric shared = dictionary_overlap(plain)
"""
    made = go(project, tmp_path, text)
    model, tokenizer = direct(project, "m")
    u = made["dict"].components
    vocabulary = {w: i for w, i in tokenizer.get_vocab().items() if w.isalpha() and len(w) > 2}
    scores = u @ model.lm_head.weight.detach().numpy().T
    for k, words in enumerate(made["plain"].table.column("words")):
        assert words == sorted(vocabulary, key=lambda w: -scores[k, vocabulary[w]])[:3]
    weight = model.model.norm.weight.detach().numpy()
    normed = (u / np.sqrt((u**2).mean(1, keepdims=True) + 1e-6) * weight) @ model.lm_head.weight.detach().numpy().T
    for k, words in enumerate(made["normed"].table.column("words")):
        assert words == sorted(vocabulary, key=lambda w: -normed[k, vocabulary[w]])[:3]
    assert set(made["few"]) == {"dict", "dict + moved"}
    assert all(set(w) <= {"tea", "door", "no"} and len(w) == 2 for w in made["few"]["dict"].table.column("words"))
    assert all(not set(w) & {"tea", "door"} for w in made["less"].table.column("words"))
    assert len(made["fine"].table.rows) == 1
    pairs = dict(zip(made["pairs"].table.column("vector"), made["pairs"].table.column("words"), strict=True))
    assert len(pairs) == 6
    assert pairs["0 to 1"] == made["fine"].table.column("words")[0]
    sets = [set(w) for w in made["plain"].table.column("words")]
    wanted = np.mean([len(a & b) / 3 for i, a in enumerate(sets) for j, b in enumerate(sets) if i != j])
    assert made["shared"].value == pytest.approx(wanted)


def test_samples_are_those_of_largest_activation(project: Path, two: Any, tmp_path: Path) -> None:
    text = """
metric who   = ground_samples(dict, top = 2)
metric after_shift = ground_samples(dict + moved, top = 2)
"""
    made = go(project, tmp_path, text)
    rows = made["who"].table.records()
    activations = made["dict"].activations
    for k in range(3):
        own = [r for r in rows if r["concept"] == k]
        assert [r["row"] for r in own] == np.argsort(-activations[:, k], kind="stable")[:2].tolist()
        assert all(r["text"] == TEXTS[r["row"]] for r in own)
    # Shifted concepts are held against the states after.
    u = made["dict"].components + made["moved"].delta
    distances = np.linalg.norm(two[1][:, None] - u[None], axis=-1)
    for k in range(3):
        own = [r["row"] for r in made["after_shift"].table.records() if r["concept"] == k]
        assert own == np.argsort(distances[:, k], kind="stable")[:2].tolist()


# ---- steering with concepts ----------------------------------------------------------------------------------------


def test_all_pairs_are_the_differences_written_by_hand(project: Path, tmp_path: Path) -> None:
    made = go(project, tmp_path, "vector all = pairs_of(dict)\nvector one = dict[2] - dict[0]")
    assert list(made["all"]) == ["0 to 1", "0 to 2", "1 to 0", "1 to 2", "2 to 0", "2 to 1"]
    np.testing.assert_array_equal(made["all"]["0 to 2"].directions, made["one"].directions)
    (shown,) = [t for t in gather(made).details if t.name == "all"]
    assert [row[0] for row in shown.rows] == list(made["all"])
    assert [row[2] for row in shown.rows] == pytest.approx([float(v.norms[0]) for v in made["all"].values()])
    tables = made.program.compiled.tables
    assert tables["all"].cells[0].value[1].node is tables["one"].cells[0].value.node


def test_a_concept_steers_in_every_unit(project: Path, two: Any, tmp_path: Path) -> None:
    text = """
model raw = apply(m, add(dict[1] - dict[0], layers = 1, scale = 2.0))
model far = apply(m, add(moved[0], scale = 1.0, unit = residual))
activations steered = capture(raw, words, layers = 1)
activations length  = capture(far, words, layers = 1)
"""
    made = go(project, tmp_path, text)
    u = made["dict"].components
    moved = made["steered"]["states"][:, 0] - two[0]
    np.testing.assert_allclose(moved, np.broadcast_to(2 * (u[1] - u[0]), moved.shape), atol=1e-4)
    lengths = np.linalg.norm(made["length"]["states"][:, 0] - two[0], axis=1)
    np.testing.assert_allclose(lengths, made["dict"].place.state_norm, rtol=1e-4)


@pytest.mark.parametrize("method", ["kmeans", "pca", "largest_norm", "snmf"])
@pytest.mark.parametrize("symbol", ["==", "!="])
def test_a_gate_is_open_on_the_nearest_concept(
    method: str, symbol: str, project: Path, two: Any, tmp_path: Path
) -> None:
    text = f"""
concepts early = decompose(capture(m, words, layers = 0), k = 3, method = {method})
model some = apply(m, add(dict[0], layers = 1, when = concept(early, layer = 0) {symbol} 1))
activations steered = capture(some, words, layers = 1)
metric share = open_share(some, words)
"""
    made = go(project, tmp_path, text)
    early = made["early"]
    model, tokenizer = direct(project, "m")
    h = np.stack([states(model, tokenizer, t)[0, -1].numpy() for t in TEXTS])
    if method in ("kmeans", "largest_norm"):
        nearest = np.linalg.norm(h[:, None] - early.components[None], axis=-1).argmin(1)
    else:
        nearest = ((h - early.offset) @ early.components.T).argmax(1)
    opened = (nearest == 1) == (symbol == "==")
    moved = made["steered"]["states"][:, 0] - two[0]
    np.testing.assert_allclose(moved, opened[:, None] * made["dict"].components[0], atol=1e-4)
    assert made["share"].value == pytest.approx(opened.mean())


def test_a_gate_at_each_token(project: Path, tmp_path: Path) -> None:
    text = """
concepts early = decompose(capture(m, words, layers = 0, tokens = all), k = 3)
model some = apply(m, add(dict[0], layers = 1, when = 1 == concept(early, layer = 0, each = token)))
activations plain   = capture(m, words, layers = 1, tokens = all)
activations steered = capture(some, words, layers = 1, tokens = all)
"""
    made = go(project, tmp_path, text)
    opened = made["early"].activations.argmax(1) == 1
    moved = made["steered"]["states"][:, 0] - made["plain"]["states"][:, 0]
    assert 0 < opened.sum() < len(opened)
    np.testing.assert_allclose(moved, opened[:, None] * made["dict"].components[0], atol=1e-4)


def test_stored_results_read_back_the_same(project: Path, tmp_path: Path) -> None:
    first = go(project, tmp_path, "concepts whole = dict + moved")
    again = go(project, tmp_path, "concepts whole = dict + moved")
    assert not again.results.made
    np.testing.assert_array_equal(first["whole"].components, again["whole"].components)
    payload = again.payload(again.program.compiled.tables["dict"].cells[0].value.node)
    assert isinstance(payload, Payload)
    assert payload.kind == "concepts"


def test_a_fit_that_stops_early_is_said(project: Path, tmp_path: Path) -> None:
    result = go(project, tmp_path, "concepts rough = decompose(before, k = 3, method = snmf(alpha = 0.1, steps = 1))")
    assert [d.code.id for d in result.diagnostics] == ["SL567"]
    assert result["rough"].provenance["steps"] == 1


def test_plans_say_what_dictionaries_and_shifts_are(project: Path, tmp_path: Path) -> None:
    text = """
concepts half = dict + 0.5 * moved
vector   twice = 2 * moved
concepts said = decompose(capture(m, words, layers = 1, tokens = mean, during = generation), k = 2, method = pca)
"""
    found = {e.label: e.lines for e in program(project, text, head=SETUP, cache=tmp_path).plan().explanations}
    assert found["dict"] == (
        "3 concepts at layer 1, site residual, width 16",
        "method kmeans (version 1), restarts = 10, seed 0",
        "activations on at most 12 samples of `m`, tokens last",
    )
    assert found["half"][1:] == ("shifted; activations on at most 12 samples of `other`, tokens last",)
    assert found["twice"] == (
        "3 vectors at layer 1, from at most 12 samples of `m`, tokens last",
        "to at most 12 samples of `other`, tokens last",
        "reduce = mean, assign = argmax, times 2",
    )
    assert found["said"][-1] == "activations on at most 12 samples of `m`, tokens mean, generated"
