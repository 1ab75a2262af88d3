"""Blocks, patterns and coefficients."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from weights_models import LAYERS, WIDTH, Arrays, model, planned, result

from steerlang.weights.blocks import MOST, Blocks, index_blocks
from steerlang.weights.checkpoint import Checkpoint
from steerlang.weights.coefficients import ByBlock, Depth, Rules
from steerlang.weights.errors import WeightsError
from steerlang.weights.expression import Difference
from steerlang.weights.patterns import glob, regex, selected

A = Difference("a", "base")
Models = dict[str, Checkpoint]
TIE = glob("**.self_attn.{q,k,v}_proj.weight")


@pytest.mark.parametrize(
    ("pattern", "name", "captures"),
    [
        ("a.*.c", "a.b.c", ("b",)),
        ("a.*.c", "a.b.b.c", None),
        ("**.c", "c", ("",)),
        ("**.c", "a.b.c", ("a.b.",)),
        ("a.**", "a.b.c", ("b.c",)),
        ("a.**", "a", None),
        ("a.**.c", "a.c", ("",)),
        ("**", "a.b", ("a.b",)),
        ("**.{q,k}_proj.w*", "x.k_proj.weight", ("x.", "eight")),
        ("a+b", "aab", None),
        ("a+b", "a+b", ()),
    ],
)
def test_globs(pattern: str, name: str, captures: tuple[str, ...] | None) -> None:
    assert glob(pattern).captures(name) == captures


def test_selection() -> None:
    names = ("a.w", "a.b", "c.w")
    assert selected((), (glob("c.*"),), names) == ("a.w", "a.b")
    assert selected((regex(r".*\.w"),), (), names) == ("a.w", "c.w")
    with pytest.raises(WeightsError, match="leave out every tensor"):
        selected((glob("a.*"),), (glob("a.**"),), names)


@pytest.mark.parametrize(
    ("by", "count"),
    [("tensor", LAYERS * 7 + 3), ("layer", LAYERS + 3), ("module", LAYERS * 7 + 3), ("all", 1)],
)
def test_counts(models: Models, by: str, count: int) -> None:
    base = models["base"]
    index = index_blocks(Blocks(by=by), base, base.names)  # type: ignore[arg-type]
    assert len(index.names) == len(set(index.names)) == count
    assert set(index.places) == set(base.names)
    assert index.outside == ()


def test_layers_are_those_of_the_checkpoint(models: Models) -> None:
    names = index_blocks(Blocks(by="layer"), models["base"], models["base"].names).names
    assert {"model.layers.0", "model.layers.2", "lm_head", "model.norm", "model.embed_tokens"} <= set(names)


def test_ties_join_what_the_wildcards_agree_on(models: Models) -> None:
    base = models["base"]
    index = index_blocks(Blocks(tie=(TIE,)), base, base.names)
    assert len(index.names) == LAYERS * 5 + 3
    assert "model.layers.1.self_attn.{q,k,v}_proj.weight" in index.names
    first, second = (index.places[f"model.layers.1.self_attn.{n}_proj.weight"].first for n in "qv")
    assert first == second


@pytest.mark.parametrize("form", [Blocks(by="row"), Blocks(by="column"), Blocks(random=5, seed=1)])
def test_inside_tensors(models: Models, form: Blocks) -> None:
    base, name = models["base"], "lm_head.weight"
    index = index_blocks(form, base, base.names)
    place, count = index.places[name], base.info(name).count
    whole = index.inside(name, 0, count)
    assert whole.dtype == np.uint8
    assert (index.inside(name, 13, 77) == whole[13:77]).all()
    assert set(whole.tolist()) == set(range(place.count))
    if form.by == "row":
        assert (whole == np.arange(count) // WIDTH).all()
    elif form.by == "column":
        assert (whole == np.arange(count) % WIDTH).all()
    assert index.names[place.first].startswith("lm_head.weight[")


def test_split_cuts_rows(models: Models) -> None:
    pattern = glob("**.up_proj.weight")
    index = index_blocks(Blocks(split=((pattern, 4),)), models["base"], models["base"].names)
    name = "model.layers.0.mlp.up_proj.weight"
    assert index.inside(name, 0, 2 * WIDTH * WIDTH).tolist() == [i // 32 for i in range(128)]
    assert f"{name}[part 3 of 4]" in index.names
    with pytest.raises(WeightsError, match="not 3 equal parts"):
        index_blocks(Blocks(split=((pattern, 3),)), models["base"], models["base"].names)


def test_coefficients_by_row(models: Models, tensors: dict[str, Arrays]) -> None:
    form = Blocks(by="row", include=(glob("lm_head.weight"),))
    names = index_blocks(form, models["base"], models["base"].names).names
    values = ByBlock(form, tuple((n, i / 50) for i, n in enumerate(names)))
    plan = planned(models, A * values)
    assert plan.counts["computed"] == 1
    base, tuned = tensors["base"]["lm_head.weight"], tensors["a"]["lm_head.weight"]
    want = base + np.arange(50)[:, None] / 50 * (tuned - base)
    np.testing.assert_allclose(result(plan, chunk=33)["lm_head.weight"], want, atol=1e-6)


def test_coefficients_by_name(models: Models) -> None:
    form = Blocks(by="layer")
    names = index_blocks(form, models["base"], models["base"].names).names
    good = tuple((name, 1.0) for name in names)
    with pytest.raises(WeightsError, match="no coefficient is given for the blocks `lm_head`"):
        planned(models, A * ByBlock(form, tuple(v for v in good if v[0] != "lm_head")))
    with pytest.raises(WeightsError, match=r"does not have: `model.layer.0`") as caught:
        planned(models, A * ByBlock(form, (*good, ("model.layer.0", 1.0))))
    assert "model.layers.0" in caught.value.help[0]


def test_depth(models: Models, tensors: dict[str, Arrays]) -> None:
    outside = ((glob("model.embed_tokens.weight"), 0.0), (glob("model.norm.weight"), 0.25), (glob("lm_head.*"), 2.0))
    plan = planned(models, A * Depth((0.0, 1.0), outside))
    found = result(plan)
    for name, factor in (
        ("model.layers.1.input_layernorm.weight", 0.5), ("model.layers.2.mlp.up_proj.weight", 1.0),
        ("lm_head.weight", 2.0), ("model.norm.weight", 0.25),
    ):  # fmt: skip
        base, tuned = tensors["base"][name], tensors["a"][name]
        np.testing.assert_allclose(found[name], base + factor * (tuned - base), atol=1e-6)
    actions = {o.name: o.action for o in plan.outputs}
    assert actions["model.embed_tokens.weight"] == actions["model.layers.0.mlp.up_proj.weight"] == "copied"


def test_rules(models: Models) -> None:
    plan = planned(models, A * Rules(((TIE, 0.5),), rest=0.0))
    assert plan.counts["computed"] == LAYERS * 3


def test_ten_thousand_tensors_are_planned_in_linear_time(tmp_path: Path) -> None:
    import time

    made = {f"model.layers.{i}.mlp.{j}.weight": np.zeros(1, np.float32) for i in range(500) for j in range(20)}
    first = model(tmp_path / "base", made)
    start = time.process_time()
    models = {"base": first, "a": Checkpoint.open(model(tmp_path / "a", made).folder, "a")}
    names = index_blocks(Blocks(tie=(glob("model.layers.*.mlp.*.weight"),)), first, first.names).names
    plan = planned(models, A * ByBlock(Blocks(), tuple((name, 1.0) for name in names)))
    assert plan.counts["computed"] == 10_000
    assert time.process_time() - start < 5


def test_more_blocks_than_any_memory_holds_are_refused(models: Models) -> None:
    with pytest.raises(WeightsError, match="more than 8,388,608 blocks") as caught:
        index_blocks(Blocks(random=MOST), models["base"], models["base"].names)
    assert caught.value.code.id == "SL401"


@pytest.mark.parametrize("text", ["a{99999999999999999999}", "(" * 5000 + ")" * 5000, "(", "[b-a]"])
def test_regular_expressions_that_are_none(text: str) -> None:
    with pytest.raises(WeightsError, match="is malformed") as caught:
        regex(text).check()
    assert caught.value.code.id == "SL421"
