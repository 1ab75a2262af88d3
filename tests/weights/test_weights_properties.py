"""What must hold whatever the chunks, shards and filters are; the laws of the algebra."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from weights_models import Arrays, arrays, model, planned, result, stored

from steerlang.weights import randomness, trimming
from steerlang.weights.blocks import Blocks, index_blocks
from steerlang.weights.checkpoint import Checkpoint
from steerlang.weights.coefficients import ByBlock, Rules
from steerlang.weights.expression import Composed, Difference, Edit, Options, Top, Vector, from_json, to_json
from steerlang.weights.patterns import glob

A, B = Difference("a", "base"), Difference("b", "base")
Models = dict[str, Checkpoint]


def _random_parts(models: Models) -> Vector:
    blocks = Blocks(random=4, seed=3)
    index = index_blocks(blocks, models["base"], models["base"].names)
    return A * ByBlock(blocks, tuple((name, 0.01 * i) for i, name in enumerate(index.names)))


CASES = {
    "linear": lambda _: 0.3 * A - 0.2 * B,
    "ties": lambda _: Composed((A, B), (0.4, 0.5), "ties", Options(density=0.3)),
    "ties of the whole": lambda _: Composed((A, B), (0.4, 0.5), "ties", Options(density=0.3, scope="all")),
    "dare": lambda _: Composed((A, B), (0.4, 0.5), "dare", Options(seed=5)),
    "della": lambda _: Composed((A, B), (0.4, 0.5), "della", Options(seed=5)),
    "breadcrumbs": lambda _: Composed((A, B), (0.4, 0.5), "breadcrumbs"),
    "consensus": lambda _: Composed((A, B), (0.4, 0.5), "consensus"),
    "top": lambda _: Top(A, 0.1, "all"),
    "random parts": _random_parts,
}


@pytest.mark.parametrize("case", CASES)
def test_chunks_change_no_bit(models: Models, case: str) -> None:
    plan = planned(models, CASES[case](models))
    whole = stored(plan)
    for chunk in (1, 7, 64, 100) if case != "della" else (7, 64):
        found = stored(plan, chunk)
        assert all((found[name] == whole[name]).all() for name in whole), chunk


@pytest.mark.parametrize("case", CASES)
def test_shards_change_no_bit(models: Models, tensors: dict[str, Arrays], tmp_path: Path, case: str) -> None:
    turned = {k: dict(reversed(list(v.items()))) for k, v in tensors.items()}
    cut = {name: model(tmp_path / name, found, shard=700) for name, found in turned.items()}
    whole, found = stored(planned(models, CASES[case](models))), stored(planned(cut, CASES[case](cut)))
    if case == "random parts":
        # Blocks are listed in the order of the file: only coefficients by name are the same.
        index = index_blocks(Blocks(random=4, seed=3), models["base"], models["base"].names)
        values = tuple((name, 0.01 * i) for i, name in enumerate(index.names))
        found = stored(planned(cut, A * ByBlock(Blocks(random=4, seed=3), values)))
    assert all((found[name] == whole[name]).all() for name in whole)


@pytest.mark.parametrize("method", ["dare", "della", "ties"])
def test_filters_change_no_mask(models: Models, method: str) -> None:
    everywhere = stored(planned(models, Composed((A,), (0.4,), method)))
    here = Rules(((glob("model.layers.1.**"), 0.4),))
    some = planned(models, Composed((A,), (here,), method))
    found = stored(some)
    for output in some.outputs:
        if output.name.startswith("model.layers.1."):
            assert (found[output.name] == everywhere[output.name]).all()
        else:
            assert output.action == "copied"
            assert (found[output.name] == models["base"].raw(output.name)).all()


def test_masks_do_not_depend_on_the_other_vectors(models: Models) -> None:
    alone = result(planned(models, Composed((A,), (1.0,), "dare")))
    both = result(planned(models, Composed((B, A), (0.0, 1.0), "dare")))
    assert all((alone[name] == both[name]).all() for name in alone)


@pytest.mark.parametrize("dtype", ["F32", "BF16", "F16"])
def test_coefficient_zero_is_the_base_to_the_bit(tensors: dict[str, Arrays], tmp_path: Path, dtype: str) -> None:
    models = {k: model(tmp_path / k, tensors[k], dtype=dtype) for k in ("base", "a")}
    plan = planned(models, 0.0 * A)
    assert plan.counts["copied"] == len(models["base"].names)
    assert all((bits == models["base"].raw(name)).all() for name, bits in stored(plan).items())


def test_negative_zero_of_the_base_stays(tmp_path: Path) -> None:
    base = arrays(0)
    base["model.norm.weight"][:] = -0.0
    tuned = {**base, "model.norm.weight": base["model.norm.weight"].copy()}
    tuned["model.norm.weight"][0] = 1.0
    models = {"base": model(tmp_path / "base", base), "a": model(tmp_path / "a", tuned)}
    found = result(planned(models, 0.5 * A))["model.norm.weight"]
    assert found[0] == 0.5
    assert np.signbit(found[1:]).all()


@pytest.mark.parametrize("dtype", ["F32", "BF16"])
def test_adding_the_whole_difference_gives_the_tuned_model(
    tensors: dict[str, Arrays], tmp_path: Path, dtype: str
) -> None:
    models = {k: model(tmp_path / k, tensors[k], dtype=dtype) for k in ("base", "a")}
    found = result(planned(models, 1.0 * A))
    for name, values in found.items():
        want = models["a"].read(name, 0, values.size).reshape(values.shape)
        np.testing.assert_allclose(values, want, rtol=0, atol=0 if dtype == "BF16" else 5e-7)


@settings(max_examples=20, deadline=None)
@given(st.floats(-2, 2, width=32), st.floats(-2, 2, width=32))
def test_linear_laws(models: Models, x: float, y: float) -> None:
    def same(first: Vector, second: Vector) -> None:
        one, other = result(planned(models, first)), result(planned(models, second))
        assert all(np.allclose(one[n], other[n], rtol=0, atol=3e-6) for n in one)

    same(x * A + y * B, y * B + x * A)
    same(x * (A + B), x * A + x * B)
    same((x + y) * A, x * A + y * A)
    same(x * (A - A) + y * B, y * B)
    same(-1.0 * (-A), A)


def test_json_and_back() -> None:
    blocks = ByBlock(Blocks(tie=(glob("a.{b,c}"),), split=((glob("d"), 3),)), (("x", 1.0),))
    edit = Edit("base", Composed((A, 2.0 * B), (0.1, blocks), "ties", Options(density=0.5)), exclude=(glob("x"),))
    assert from_json(to_json(edit)) == edit
    assert hash(from_json(to_json(edit))) == hash(edit)


@settings(deadline=None)
@given(st.lists(st.floats(width=32, allow_nan=False), min_size=1, max_size=60), st.floats(0.01, 1.0), st.integers(1, 9))
def test_threshold_is_the_sorted_one(values: list[float], keep: float, size: int) -> None:
    array = np.array(values, np.float32)
    found = trimming.threshold(lambda: (array[i : i + size] for i in range(0, len(array), size)), len(array), keep)
    kept = max(1, int(keep * len(array)))
    want = 0.0 if keep >= 1.0 else np.sort(np.abs(array))[len(array) - kept]
    assert found == want


@pytest.mark.parametrize("kind", ["alike", "ties", "zeros", "rows", "constant", "sorted"])
@pytest.mark.parametrize("keep", [1e-6, 0.01, 0.2, 0.5, 0.999])
def test_threshold_of_large_tensors_is_the_sorted_one(kind: str, keep: float) -> None:
    chance = np.random.default_rng(0)
    array = chance.standard_normal(200_000).astype(np.float32)
    if kind == "ties":
        array = np.round(array * 4)
    elif kind == "zeros":
        array *= chance.random(array.size) < 0.1
    elif kind == "rows":
        array *= np.repeat(10.0 ** chance.uniform(-6, 2, 200), 1000).astype(np.float32)
    elif kind == "constant":
        array[:] = 0.5
    elif kind == "sorted":
        array.sort()
    found = trimming.threshold(
        lambda: (array[i : i + 9999] for i in range(0, array.size, 9999)), array.size, keep, lambda a, b: array[a:b]
    )
    assert found == np.sort(np.abs(array))[array.size - max(1, int(keep * array.size))]


@given(st.integers(0, 2**64 - 1), st.integers(0, 1000), st.integers(0, 100), st.integers(0, 100))
def test_words_depend_on_the_index_alone(key: int, start: int, more: int, skip: int) -> None:
    whole = randomness.words(key, start, start + more + skip)
    assert (randomness.words(key, start + skip, start + skip + more) == whole[skip:]).all()


def test_words_are_evenly_spread() -> None:
    words = randomness.words(randomness.key_of(0, "v", "t"), 0, 1 << 18)
    counts = np.bincount(words >> np.uint32(24), minlength=256)
    assert abs(counts - 1024).max() < 6 * 32
    assert abs(randomness.bernoulli(1, 0, 1 << 18, 0.3).mean() - 0.3) < 0.005
    assert randomness.bernoulli(1, 0, 100, 1.0).all()
    parts = randomness.parts(5, 0, 1 << 18, 10)
    assert parts.dtype == np.uint8
    assert abs(np.bincount(parts) - 26214).max() < 6 * 160
    # Two keys, and neighbours under one key, have nothing in common.
    other = randomness.words(randomness.key_of(1, "v", "t"), 0, 1 << 18)
    assert abs(np.corrcoef(words, other)[0, 1]) < 0.01
    assert abs(np.corrcoef(words[1:], words[:-1])[0, 1]) < 0.01
