"""LoRA adapters: read, added, added in factors, summed, cut, extracted."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from weights_models import WIDTH, Arrays, adapter, model, result

from steerlang.diagnostics import codes
from steerlang.exports.adapter import export_adapter
from steerlang.weights.adapters import Adapter
from steerlang.weights.checkpoint import Checkpoint
from steerlang.weights.errors import WeightsError
from steerlang.weights.expression import (
    Composed,
    Difference,
    Edit,
    FactorSum,
    Lora,
    LowRank,
    Options,
    Part,
    Vector,
)
from steerlang.weights.low_rank import Factored, factored, plan_vector
from steerlang.weights.planning import plan_edit
from steerlang.weights.verifying import verify

Q, UP = "model.layers.0.self_attn.q_proj", "model.layers.2.mlp.up_proj"
Factors = dict[str, tuple[np.ndarray, np.ndarray]]


def _factors(seed: int, rank: int = 2) -> Factors:
    chance = np.random.default_rng(seed)
    shapes = {Q: (WIDTH, WIDTH), UP: (2 * WIDTH, WIDTH)}
    return {
        module: (chance.standard_normal((rows, rank)) / 4, chance.standard_normal((rank, columns)) / 4)
        for module, (rows, columns) in shapes.items()
    }


def _product(factors: Factors, module: str, scale: float = 2.0) -> np.ndarray:
    b, a = factors[module]
    return scale * b.astype(np.float32) @ a.astype(np.float32)


def _edited(base: Checkpoint, change: Any, **adapters: Adapter) -> Arrays:
    return result(plan_edit(Edit("base", change), {"base": base}, adapters), chunk=20)


def test_product(tmp_path: Path, models: dict[str, Checkpoint], tensors: dict[str, Arrays]) -> None:
    factors = _factors(0)
    plan = plan_edit(Edit("base", 0.7 * Lora("x")), {"base": models["base"]}, {"x": adapter(tmp_path / "x", factors)})
    assert plan.counts["computed"] == 2
    found = result(plan, chunk=20)
    for module in (Q, UP):
        want = tensors["base"][f"{module}.weight"] + 0.7 * _product(factors, module)
        np.testing.assert_allclose(found[f"{module}.weight"], want, atol=1e-6)


@pytest.mark.parametrize(
    ("config", "scale"),
    [
        ({"lora_alpha": 3}, 1.5),
        ({"lora_alpha": 3, "use_rslora": True}, 3 / np.sqrt(2)),
        ({"alpha_pattern": {"q_proj": 8}}, 4.0),
        ({"rank_pattern": {"layers.0.self_attn.q_proj": 2}, "r": 9, "alpha_pattern": {}, "lora_alpha": 4}, None),
    ],
)
def test_scaling(tmp_path: Path, models: dict[str, Checkpoint], config: dict[str, Any], scale: float | None) -> None:
    factors = _factors(0)
    if scale is None:
        with pytest.raises(WeightsError, match=f"says rank 9 at `{UP}`, but its factors have rank 2"):
            adapter(tmp_path / "x", factors, **config)
        return
    opened = adapter(tmp_path / "x", factors, **config)
    assert opened.pairs[Q].scale == pytest.approx(scale)
    b, a = opened.factors(Q)
    np.testing.assert_allclose(b @ a, _product(factors, Q, scale), atol=1e-6)


def test_transposed_layers(tmp_path: Path) -> None:
    chance = np.random.default_rng(0)
    b, a = chance.standard_normal((6, 2)), chance.standard_normal((2, 4))
    base = model(tmp_path / "base", {"h.0.c_attn.weight": np.zeros((4, 6), np.float32)})
    found = _edited(base, Lora("x"), x=adapter(tmp_path / "x", {"h.0.c_attn": (b, a)}, fan_in_fan_out=True))
    np.testing.assert_allclose(found["h.0.c_attn.weight"], 2 * (b @ a).T, rtol=1e-5, atol=1e-6)


def test_names_with_another_prefix(tmp_path: Path) -> None:
    factors = {"layers.0.q": (np.ones((4, 1)), np.ones((1, 4)))}
    base = model(tmp_path / "base", {"model.layers.0.q.weight": np.zeros((4, 4), np.float32)})
    found = _edited(base, Lora("x"), x=adapter(tmp_path / "x", factors))
    assert (found["model.layers.0.q.weight"] == 2).all()


def test_factors_have_cross_terms(tmp_path: Path, models: dict[str, Checkpoint], tensors: dict[str, Arrays]) -> None:
    first, second = _factors(0), _factors(1)
    given = {"x": adapter(tmp_path / "x", first), "y": adapter(tmp_path / "y", second)}
    found = _edited(models["base"], FactorSum((Part("x", 0.5), Part("y", 0.25, -2.0))), **given)
    b = 0.5 * 2 * first[Q][0] + 0.25 * 2 * second[Q][0]
    a = first[Q][1] - 2 * second[Q][1]
    np.testing.assert_allclose(found[f"{Q}.weight"], tensors["base"][f"{Q}.weight"] + b @ a, atol=1e-5)
    odd = {**given, "y": adapter(tmp_path / "z", _factors(1, rank=3))}
    with pytest.raises(WeightsError, match="rank 3 and 2 at"):
        _edited(models["base"], FactorSum((Part("x"), Part("y"))), **odd)


def _sum(change: Vector, rank: int | None = None, **adapters: Adapter) -> Factored:
    return factored(plan_vector(change, None, {}, adapters), rank)


@pytest.mark.parametrize("weights", [(1.0, -1.0), (0.7, 0.3), (1.0, 1.0), (0.7, -0.4)])
def test_sums_are_exact(tmp_path: Path, weights: tuple[float, float]) -> None:
    first, second = _factors(0), _factors(1, rank=3)
    pair = {"x": adapter(tmp_path / "x", first), "y": adapter(tmp_path / "y", second)}
    for change in (
        weights[0] * Lora("x") + weights[1] * Lora("y"),
        Composed((Lora("x"), Lora("y")), weights),
        (Lora("x") * (2 * weights[0]) + Lora("y") * (2 * weights[1])) * 0.5,
    ):
        total = _sum(change, **pair)
        for module in (Q, UP):
            b, a = total.factors[module]
            assert a.shape[0] == 5
            want = weights[0] * _product(first, module) + weights[1] * _product(second, module)
            np.testing.assert_allclose(b @ a, want, atol=1e-6)
            assert total.norms[module] == pytest.approx(np.linalg.norm(want), rel=1e-4)
        assert total.error == 0.0


def test_truncation_is_reported(tmp_path: Path) -> None:
    first, second = _factors(0), _factors(1, rank=3)
    pair = {"x": adapter(tmp_path / "x", first), "y": adapter(tmp_path / "y", second)}
    cut = _sum(Lora("x") + 0.5 * Lora("y"), 2, **pair)
    assert set(cut.ranks.values()) == {2}
    lost = total = 0.0
    for module in (Q, UP):
        exact = _product(first, module) + 0.5 * _product(second, module)
        s = np.linalg.svd(exact)[1]
        b, a = cut.factors[module]
        assert np.linalg.norm(exact - b @ a) == pytest.approx(np.sqrt((s[2:] ** 2).sum()), rel=1e-4)
        lost, total = lost + (s[2:] ** 2).sum(), total + (s**2).sum()
    assert cut.error == pytest.approx(np.sqrt(lost / total), rel=1e-4)


def test_written_adapters_are_read_back(tmp_path: Path, models: dict[str, Checkpoint]) -> None:
    first, second = _factors(0), _factors(1, rank=3)
    second.pop(UP)
    given = {"x": adapter(tmp_path / "x", first), "y": adapter(tmp_path / "y", second)}
    plan = plan_vector(Lora("x") + 0.5 * Lora("y"), None, {}, given)
    found = export_adapter(plan, tmp_path / "sum", trained_on="base")
    assert found["adapter"]["error"] == 0.0
    assert verify(tmp_path / "sum") == ()
    back, total = Adapter.open(tmp_path / "sum"), factored(plan)
    assert {m: p.rank for m, p in back.pairs.items()} == {Q: 5, UP: 2}
    assert back.facts.trained_on == "base"
    for module in (Q, UP):
        np.testing.assert_allclose(np.matmul(*back.factors(module)), np.matmul(*total.factors[module]), atol=1e-6)
    one, two = (
        _edited(models["base"], Lora("s"), s=back),
        _edited(models["base"], Lora("x") + 0.5 * Lora("y"), **given),
    )
    assert all(np.allclose(one[n], two[n], atol=1e-5) for n in one)
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "notes.txt").write_text("mine")
    with pytest.raises(WeightsError, match="is not empty"):
        export_adapter(plan, tmp_path / "full")
    with pytest.raises(WeightsError, match="would replace its own input `x"):
        export_adapter(plan, tmp_path / "x", overwrite=True)


def _extracted(models: dict[str, Checkpoint], rank: int | None) -> Factored:
    return factored(plan_vector(Difference("a", "base"), "base", models, {}), rank)


def test_extraction(models: dict[str, Checkpoint], tensors: dict[str, Arrays]) -> None:
    found = _extracted(models, 3)
    tau = tensors["a"]["lm_head.weight"] - tensors["base"]["lm_head.weight"]
    b, a = found.factors["lm_head"]
    s = np.linalg.svd(tau)[1]
    assert np.linalg.norm(tau - b @ a) == pytest.approx(np.sqrt((s[3:] ** 2).sum()), rel=1e-4)
    assert set(found.left_out) == {"model.norm.weight", *(f"model.layers.{i}.input_layernorm.weight" for i in range(3))}
    norm = tensors["a"]["model.norm.weight"] - tensors["base"]["model.norm.weight"]
    assert found.left_out["model.norm.weight"] == pytest.approx(np.linalg.norm(norm), rel=1e-5)
    assert found.embeddings == {"model.embed_tokens"}
    assert 0 < found.error < 1
    assert _extracted(models, 50).error < 1e-5
    with pytest.raises(WeightsError, match="has no exact factors") as caught:
        _extracted(models, None)
    assert caught.value.code is codes.RANK_NEEDED


def test_low_rank_vectors_add(models: dict[str, Checkpoint], tensors: dict[str, Arrays]) -> None:
    with pytest.raises(WeightsError, match="rank is 0"):
        LowRank(Difference("a", "base"), 0)
    plan = plan_edit(Edit("base", 0.5 * LowRank(Difference("a", "base"), 2)), models)
    assert {out.tensor for out in plan.left_out} == {
        "model.norm.weight", *(f"model.layers.{i}.input_layernorm.weight" for i in range(3))
    }
    found = result(plan, chunk=20)
    for name, base in tensors["base"].items():
        tau = tensors["a"][name] - base
        if tau.ndim == 2:
            u, s, v = np.linalg.svd(tau.astype(np.float64), full_matrices=False)
            np.testing.assert_allclose(found[name], base + 0.5 * (u[:, :2] * s[:2]) @ v[:2], atol=1e-5)
        else:
            assert (found[name] == base).all()


def test_extraction_of_large_matrices(tmp_path: Path) -> None:
    chance = np.random.default_rng(0)
    left, right = np.linalg.qr(chance.standard_normal((1600, 4)))[0], np.linalg.qr(chance.standard_normal((1500, 4)))[0]
    values = np.array([40.0, 30.0, 20.0, 10.0])
    low = (left * values @ right.T).astype(np.float32)
    base = {"w.weight": chance.standard_normal((1600, 1500)).astype(np.float32)}
    tuned = {"w.weight": base["w.weight"] + low}
    pair = {n: model(tmp_path / n, t, config=None) for n, t in (("a", tuned), ("base", base))}
    found = _extracted(pair, 4)
    assert found.error < 1e-4
    np.testing.assert_allclose(np.matmul(*found.factors["w"]), low, atol=1e-3)
    want = np.sqrt((values[2:] ** 2).sum() / (values**2).sum())
    assert _extracted(pair, 2).error == pytest.approx(want, rel=1e-3)


def test_adapters_and_differences_add(
    tmp_path: Path, models: dict[str, Checkpoint], tensors: dict[str, Arrays]
) -> None:
    factors = _factors(0)
    change = Composed((Lora("x"), Difference("a", "base")), (1.0, 1.0), "ties", Options(density=1.0, normalize="none"))
    found = result(plan_edit(Edit("base", change), models, {"x": adapter(tmp_path / "x", factors)}))
    name = f"{Q}.weight"
    parts = np.stack([_product(factors, Q), tensors["a"][name] - tensors["base"][name]])
    agree = np.sign(parts) == np.where(parts.sum(0) >= 0, 1, -1)
    np.testing.assert_allclose(found[name], tensors["base"][name] + (parts * agree).sum(0), atol=2e-6)


@pytest.mark.parametrize(
    ("config", "message"),
    [
        ({"use_dora": True}, "is DoRA"),
        ({"modules_to_save": ["lm_head"]}, "`modules_to_save` set"),
        ({"bias": "all"}, "`bias` set"),
        ({"peft_type": "IA3"}, "of the kind IA3"),
        ({"lora_alpha": "x"}, "no number as `lora_alpha`"),
    ],
)
def test_refused(tmp_path: Path, config: dict[str, Any], message: str) -> None:
    with pytest.raises(WeightsError, match=message):
        adapter(tmp_path / "x", _factors(0), **config)


def test_what_an_adapter_does_not_fit(tmp_path: Path, models: dict[str, Checkpoint]) -> None:
    eye = np.eye(8)
    with pytest.raises(WeightsError, match=r"edits `model.layers.7.q.weight`, which `base` does not have") as caught:
        _edited(models["base"], Lora("x"), x=adapter(tmp_path / "x", {"model.layers.7.q": (eye, eye)}))
    assert caught.value.code is codes.PROVENANCE_MISMATCH
    with pytest.raises(WeightsError, match=r"as \[8, 8\], but `base` has it as \[16, 8\]"):
        _edited(models["base"], Lora("x"), x=adapter(tmp_path / "y", {UP: (eye, eye)}))
    with pytest.raises(WeightsError, match="holds no adapter"):
        Adapter.open(models["base"].folder)
    (tmp_path / "y" / "adapter_model.safetensors").unlink()
    (tmp_path / "y" / "adapter_model.bin").write_bytes(b"")
    with pytest.raises(WeightsError, match="only as a pickle"):
        Adapter.open(tmp_path / "y")


def test_a_nan_in_an_adapter(tmp_path: Path, models: dict[str, Checkpoint]) -> None:
    factors = _factors(0)
    factors[Q][0][0, 0] = np.nan
    with pytest.raises(WeightsError, match=f"the adapter `x` holds NaN or infinite numbers for `{Q}.weight`"):
        _edited(models["base"], 1.0 * Lora("x"), x=adapter(tmp_path / "x", factors))


def test_peft_agrees(tmp_path: Path) -> None:
    peft, torch = pytest.importorskip("peft"), pytest.importorskip("torch")

    class Two(torch.nn.Module):  # type: ignore[name-defined,misc]
        def __init__(self) -> None:
            super().__init__()
            self.up, self.down = torch.nn.Linear(8, 6, bias=False), torch.nn.Linear(6, 8, bias=False)

        def forward(self, x: Any) -> Any:
            return self.down(self.up(x))

    torch.manual_seed(0)
    bare = Two()
    before = {k: v.detach().numpy().copy() for k, v in bare.state_dict().items()}
    config = peft.LoraConfig(r=3, lora_alpha=5, target_modules=["up", "down"], use_rslora=True, init_lora_weights=False)
    made = peft.get_peft_model(bare, config)
    made.save_pretrained(tmp_path / "x")
    merged = {k: v.detach().numpy() for k, v in made.merge_and_unload().state_dict().items()}
    found = _edited(model(tmp_path / "base", before, config=None), 1.0 * Lora("x"), x=Adapter.open(tmp_path / "x"))
    assert all(np.allclose(found[name], merged[name], atol=1e-6) for name in before)
