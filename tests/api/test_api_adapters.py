"""Adapters in programs: read, scaled, added, exported; with the real `peft`, where it is installed, on both sides."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from operations.tiny import direct, make_folder, program
from safetensors.numpy import load_file, save_file

from steerlang.api import SteerlangError, check_text
from steerlang.engine.payload import Payload
from steerlang.graph.node import Node
from steerlang.operations.editing import materialised

HEAD = """steerlang 1
model m     = hf("m")
model other = hf("other")
"""
Q, DOWN = "model.layers.0.self_attn.q_proj", "model.layers.1.mlp.down_proj"
SHAPES = {Q: (16, 16), DOWN: (16, 24)}


def nothing_learned(node: Node) -> Payload:
    raise AssertionError(f"{node} is asked for, and nothing was learned")


def make_adapter(folder: Path, seed: int = 0, rank: int = 2, **config: Any) -> Path:
    """An adapter of two modules as PEFT writes it."""
    chance = np.random.default_rng(seed)
    folder.mkdir(parents=True, exist_ok=True)
    tensors = {}
    for module, (rows, columns) in SHAPES.items():
        at = f"base_model.model.{module}"
        tensors[f"{at}.lora_A.weight"] = chance.standard_normal((rank, columns)).astype(np.float32) / 4
        tensors[f"{at}.lora_B.weight"] = chance.standard_normal((rows, rank)).astype(np.float32) / 4
    save_file(tensors, folder / "adapter_model.safetensors")
    said = {"peft_type": "LORA", "r": rank, "lora_alpha": 2 * rank, "base_model_name_or_path": "m", **config}
    (folder / "adapter_config.json").write_text(json.dumps(said))
    return folder


def delta(folder: Path, module: str, scale: float = 2.0, b: float = 1.0, a: float = 1.0) -> np.ndarray:
    tensors = load_file(folder / "adapter_model.safetensors")
    at = f"base_model.model.{module}"
    return scale * (b * tensors[f"{at}.lora_B.weight"]) @ (a * tensors[f"{at}.lora_A.weight"])


@pytest.fixture(scope="module")
def home(project: Path) -> Path:
    make_adapter(project / "lora-a")
    make_adapter(project / "lora-b", seed=1, rank=3)
    return project


def weights(home: Path, text: str, head: str = HEAD) -> dict[str, np.ndarray]:
    compiled = check_text(f"{head}model x = {text}", home)
    assert compiled.ok, [d.message for d in compiled.diagnostics]
    with materialised(compiled.graph.roots["x"], nothing_learned) as folder:
        return {name: values.copy() for name, values in load_file(folder / "model.safetensors").items()}


@pytest.fixture(scope="module")
def base(home: Path) -> dict[str, np.ndarray]:
    return dict(load_file(home / "m" / "model.safetensors"))


def test_adapters_add_and_scale(home: Path, base: dict[str, np.ndarray]) -> None:
    found = weights(home, 'm + 0.7 * lora("lora-a") - 0.3 * lora("lora-b")')
    for name, values in base.items():
        want = values
        if (module := name.removesuffix(".weight")) in SHAPES:
            want = values + 0.7 * delta(home / "lora-a", module) - 0.3 * delta(home / "lora-b", module)
            np.testing.assert_allclose(found[name], want, atol=1e-5)
        else:
            assert (found[name] == values).all()


def test_adapters_compose_with_differences(home: Path, base: dict[str, np.ndarray]) -> None:
    text = 'compose([lora("lora-a"), other - m], coefficients = [0.5, 0.25])'
    tuned = load_file(home / "other" / "model.safetensors")
    found = weights(home, f"m + {text}")
    name = f"{Q}.weight"
    want = base[name] + 0.5 * delta(home / "lora-a", Q) + 0.25 * (tuned[name] - base[name])
    np.testing.assert_allclose(found[name], want, atol=1e-5)


def test_factors_have_cross_terms(home: Path, base: dict[str, np.ndarray]) -> None:
    make_adapter(home / "lora-c", seed=5)
    one, other = (load_file(home / n / "adapter_model.safetensors") for n in ("lora-a", "lora-c"))
    at = f"base_model.model.{Q}.lora_"
    found = weights(home, 'm + 0.5 * lora("lora-a", as = factors) + 0.25 * lora("lora-c", as = factors)')
    b = 2 * (0.5 * one[f"{at}B.weight"] + 0.25 * other[f"{at}B.weight"])
    a = 0.5 * one[f"{at}A.weight"] + 0.25 * other[f"{at}A.weight"]
    np.testing.assert_allclose(found[f"{Q}.weight"], base[f"{Q}.weight"] + b @ a, atol=1e-5)


def test_factors_are_scaled_by_their_names(home: Path, base: dict[str, np.ndarray]) -> None:
    by = 'blockwise(set(glob("**.q_proj.lora_B.weight"), -2), set(glob("**.lora_A.weight"), 0.5), rest = 3)'
    found = weights(home, f'm + {by} * lora("lora-a", as = factors)')
    for module, scales in {Q: (-2, 0.5), DOWN: (3, 0.5)}.items():
        name = f"{module}.weight"
        np.testing.assert_allclose(
            found[name], base[name] + delta(home / "lora-a", module, 2.0, *scales), atol=1e-5
        )
    compiled = check_text(
        f'{HEAD}model x = m + blockwise(set(glob("**.q_proj.weight"), 1)) * lora("lora-a", as = factors)', home
    )
    assert [d.code.id for d in compiled.diagnostics if d.is_error] == ["SL431"]
    assert "lora_A" in str(compiled.diagnostics)


def test_blocks_of_products(home: Path, base: dict[str, np.ndarray]) -> None:
    found = weights(home, 'm + blockwise(set(glob("**.mlp.**"), 0.5)) * lora("lora-a")')
    assert (found[f"{Q}.weight"] == base[f"{Q}.weight"]).all()
    want = base[f"{DOWN}.weight"] + 0.5 * delta(home / "lora-a", DOWN)
    np.testing.assert_allclose(found[f"{DOWN}.weight"], want, atol=1e-5)


def test_extract_lora_is_low_rank_of_the_difference(home: Path, base: dict[str, np.ndarray]) -> None:
    text = "model x = m + extract_lora(other, m, rank = 4)\nmodel y = m + low_rank(other - m, rank = 4)"
    roots = check_text(HEAD + text, home).graph.roots
    assert roots["x"].key == roots["y"].key
    found = weights(home, "m + extract_lora(other, m, rank = 4)")
    tuned = load_file(home / "other" / "model.safetensors")
    u, s, v = np.linalg.svd((tuned[f"{Q}.weight"] - base[f"{Q}.weight"]).astype(np.float64))
    np.testing.assert_allclose(found[f"{Q}.weight"], base[f"{Q}.weight"] + (u[:, :4] * s[:4]) @ v[:4], atol=1e-5)
    assert (found["model.norm.weight"] == base["model.norm.weight"]).all()


def test_keys_follow_the_contents(home: Path, tmp_path: Path) -> None:
    for name in ("m", "other"):
        shutil.copytree(home / name, tmp_path / name)
    (tmp_path / "pyproject.toml").write_text("")
    text = 'model x = m + lora("lora-a")'
    keys = set()
    for seed in (0, 1, 0):
        make_adapter(tmp_path / "lora-a", seed=seed)
        keys.add(program(tmp_path, text, head=HEAD).compiled.graph.roots["x"].key)
    assert len(keys) == 2
    assert program(home, text, head=HEAD).compiled.graph.roots["x"].key in keys


# ---- what is refused -----------------------------------------------------------------------------------------------


def _pickled(folder: Path) -> None:
    (folder / "adapter_model.safetensors").unlink()
    (folder / "adapter_model.bin").write_bytes(b"\x80\x02")


def _transposed(folder: Path) -> None:
    tensors = load_file(folder / "adapter_model.safetensors")
    save_file({n: t.T.copy() for n, t in tensors.items()}, folder / "adapter_model.safetensors")


def _wide(folder: Path) -> None:
    tensors = load_file(folder / "adapter_model.safetensors")
    name = f"base_model.model.{Q}.lora_A.weight"
    save_file({**tensors, name: np.zeros((2, 20), np.float32)}, folder / "adapter_model.safetensors")


def _truncated(folder: Path) -> None:
    path = folder / "adapter_model.safetensors"
    path.write_bytes(path.read_bytes()[:-4])


REFUSED: dict[str, tuple[dict[str, Any], Any, str, str]] = {
    "dora": ({"use_dora": True}, None, "SL518", "is DoRA"),
    "modules": ({"modules_to_save": ["lm_head"]}, None, "SL518", "`modules_to_save`"),
    "kind": ({"peft_type": "IA3"}, None, "SL518", "IA3"),
    "biases": ({"bias": "all"}, None, "SL518", "`bias`"),
    "pissa": ({"init_lora_weights": "pissa_niter_4"}, None, "SL518", "pissa_niter_4"),
    "rank": ({"r": 7}, None, "SL505", "says rank 7"),
    "alpha": ({"lora_alpha": "x"}, None, "SL505", "no number as `lora_alpha`"),
    "pickle": ({}, _pickled, "SL506", "only as a pickle"),
    "transposed": ({}, _transposed, "SL505", "says rank 2"),
    "wide": ({}, _wide, "SL513", "as [16, 20], but `m` has it as [16, 16]"),
    "truncated": ({}, _truncated, "SL505", "truncated"),
    "no config": ({}, lambda f: (f / "adapter_config.json").unlink(), "SL505", "holds no adapter"),
    "no json": ({}, lambda f: (f / "adapter_config.json").write_text("{"), "SL505", "is not JSON"),
    "a model": ({}, lambda f: (shutil.rmtree(f), shutil.copytree(f.parent / "m", f)), "SL505", "holds no adapter"),
    "nothing": ({}, shutil.rmtree, "SL509", "not on this machine"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_refused_before_anything_runs(case: str, home: Path) -> None:
    config, harm, code, words = REFUSED[case]
    folder = make_adapter(home / f"bad-{case.replace(' ', '-')}", **config)
    if harm is not None:
        harm(folder)
    compiled = check_text(f'{HEAD}model x = m + lora("{folder.name}")', home)
    found = [d for d in compiled.diagnostics if d.code.id not in ("SL209", "SL519")]
    assert [d.code.id for d in found] == [code], [d.message for d in compiled.diagnostics]
    assert words in found[0].message
    assert found[0].help


def test_an_adapter_of_another_model_is_noted(home: Path) -> None:
    text = 'model x = {} + lora("lora-a")\nmodel y = {} + lora("lora-b")'
    compiled = check_text(HEAD + text.format("m", "other"), home)
    assert compiled.ok
    (note,) = [d for d in compiled.diagnostics if d.code.id == "SL519"]
    assert "`lora-b` says it was trained on `m`, and is added to `other`" in note.message


# ---- files ---------------------------------------------------------------------------------------------------------


def export(home: Path, text: str, **options: Any) -> Any:
    run = program(home, text, head=HEAD, **options).run()
    assert run.outcome == "done", [d.message for d in run.diagnostics]
    return run


def test_sums_of_adapters_are_written_exactly(home: Path, base: dict[str, np.ndarray]) -> None:
    vector = '0.7 * lora("lora-a") - 0.3 * lora("lora-b")'
    run = export(home, f'export file = adapter({vector}, to = "sum-ab")')
    assert not [d for d in run.found if d.code.id == "SL520"]
    one, other = weights(home, 'm + lora("sum-ab")'), weights(home, f"m + {vector}")
    assert all(np.allclose(one[n], other[n], atol=1e-5) for n in base)
    config = json.loads((home / "sum-ab" / "adapter_config.json").read_text())
    assert (config["r"], config["base_model_name_or_path"]) == (5, str(home / "m"))


def test_an_exported_adapter_loads_from_anywhere(home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    peft = pytest.importorskip("peft")
    export(home, 'export file = adapter(other - m, to = "anywhere", rank = 2)')
    monkeypatch.chdir(tmp_path)
    model = peft.AutoPeftModelForCausalLM.from_pretrained(home / "anywhere")
    assert model.peft_config["default"].base_model_name_or_path == str(home / "m")
    card = (home / "anywhere" / "README.md").read_text()
    assert f"base_model: {json.dumps(str(home / 'm'))}" in card


def test_what_a_cut_loses_is_said(home: Path) -> None:
    shutil.copytree(home / "other", home / "normed")
    tensors = load_file(home / "normed" / "model.safetensors")
    tensors["model.norm.weight"] = tensors["model.norm.weight"] + np.float32(0.5)
    save_file(tensors, home / "normed" / "model.safetensors", metadata={"format": "pt"})
    run = export(home, 'export file = adapter(hf("normed") - m, to = "cut", rank = 2)')
    (note,) = [d for d in run.found if d.code.id == "SL520"]
    receipt = json.loads((home / "cut" / "receipt.json").read_text())
    assert 0 < receipt["adapter"]["error"] < 1
    assert f"cutting it to rank 2 loses {receipt['adapter']['error']:.1%} of the norm" in note.message
    assert receipt["adapter"]["left_out"] == {"model.norm.weight": pytest.approx(2.0)}
    assert "1 tensor that an adapter cannot hold is left out" in note.message
    assert not note.is_error


def test_a_difference_needs_a_rank(home: Path) -> None:
    with pytest.raises(SteerlangError) as caught:
        program(home, 'export file = adapter(other - m, to = "never")', head=HEAD)
    (one,) = [d for d in caught.value.diagnostics if d.is_error]
    assert one.code.id == "SL433"
    assert not (home / "never").exists()


# ---- the real thing ------------------------------------------------------------------------------------------------


def logits(model: Any, ids: Any) -> Any:
    with torch.inference_mode():
        return model(input_ids=ids).logits


def of_program(home: Path, text: str, ids: Any) -> Any:
    run = program(home, f"model x = {text}", head=HEAD, cache=home / "cache").run()
    with run.model("x") as model:
        return logits(model, ids)


IDS = torch.tensor([[1, 4, 7, 9, 12, 5, 20, 8]])
CASES: dict[str, dict[str, Any]] = {
    "plain": {"target_modules": ["q_proj", "down_proj"], "lora_alpha": 5},
    "rslora": {"target_modules": "all-linear", "use_rslora": True, "lora_alpha": 3},
    "patterns": {
        "target_modules": ["q_proj", "v_proj"], "rank_pattern": {"layers.0.self_attn.q_proj": 5, "v_proj": 2},
        "alpha_pattern": {"layers.1.self_attn.q_proj": 7, "v_proj": 16},
    },
    "embeddings": {"target_modules": ["embed_tokens", "lm_head", "o_proj"]},
}  # fmt: skip


@pytest.mark.parametrize("case", CASES)
def test_what_peft_writes_is_read_the_same(case: str, home: Path) -> None:
    peft = pytest.importorskip("peft", reason="peft is not installed")
    torch.manual_seed(3)
    config = peft.LoraConfig(r=3, init_lora_weights=False, task_type="CAUSAL_LM", **CASES[case])
    made = peft.get_peft_model(direct(home)[0], config).eval()
    made.save_pretrained(home / f"peft-{case}")
    want = logits(made, IDS)
    assert (want - logits(direct(home)[0], IDS)).abs().max() > 1e-3
    torch.testing.assert_close(of_program(home, f'm + lora("peft-{case}")', IDS), want, rtol=1e-4, atol=1e-4)
    # Written again, cut or not, PEFT reads what we write.
    export(home, f'export again = adapter(0.5 * lora("peft-{case}"), to = "again-{case}")')
    back = peft.PeftModel.from_pretrained(direct(home)[0], home / f"again-{case}").eval()
    half = of_program(home, f'm + 0.5 * lora("peft-{case}")', IDS)
    torch.testing.assert_close(logits(back, IDS), half, rtol=1e-4, atol=1e-4)


def test_peft_reads_extracted_adapters(home: Path) -> None:
    peft = pytest.importorskip("peft", reason="peft is not installed")
    export(home, 'export full = adapter(other - m, to = "extracted", rank = 24)')
    back = peft.PeftModel.from_pretrained(direct(home)[0], home / "extracted").eval()
    want = of_program(home, "m + low_rank(other - m, rank = 24)", IDS)
    torch.testing.assert_close(logits(back, IDS), want, rtol=1e-4, atol=1e-4)


def test_layers_that_are_stored_transposed(home: Path) -> None:
    peft = pytest.importorskip("peft", reason="peft is not installed")
    from transformers import AutoModelForCausalLM, GPT2Config, GPT2LMHeadModel

    make_folder(home / "gpt")
    for seed, name in enumerate(("gpt", "gpt-tuned")):
        torch.manual_seed(seed)
        sizes = {"n_embd": 16, "n_layer": 2, "n_head": 2, "vocab_size": 23, "n_positions": 32, "n_inner": 48}
        GPT2LMHeadModel(GPT2Config(**sizes, bos_token_id=1, eos_token_id=2)).save_pretrained(home / name)
    for path in (home / "gpt").glob("token*"):
        shutil.copy(path, home / "gpt-tuned")

    def gpt() -> Any:
        return AutoModelForCausalLM.from_pretrained(home / "gpt").eval()

    targets = ["c_attn", "attn.c_proj", "c_fc"]
    config = peft.LoraConfig(r=3, init_lora_weights=False, target_modules=targets, fan_in_fan_out=True)
    made = peft.get_peft_model(gpt(), config).eval()
    made.save_pretrained(home / "peft-gpt")
    head = 'steerlang 1\nmodel m = hf("gpt")\nmodel other = hf("gpt-tuned")\n'

    def edited(text: str) -> Any:
        run = program(home, f"model x = {text}", head=head, cache=home / "cache").run()
        with run.model("x") as model:
            return logits(model, IDS)

    torch.testing.assert_close(edited('m + lora("peft-gpt")'), logits(made, IDS), rtol=1e-4, atol=1e-4)
    run = program(
        home, 'export a = adapter(lora("peft-gpt"), to = "gpt-again")\n'
        'export b = adapter(other - m, to = "gpt-extracted", rank = 24)', head=head,
    ).run()  # fmt: skip
    assert run.outcome == "done", [d.message for d in run.diagnostics]
    again = peft.PeftModel.from_pretrained(gpt(), home / "gpt-again").eval()
    torch.testing.assert_close(logits(again, IDS), logits(made, IDS), rtol=1e-4, atol=1e-4)
    back = peft.PeftModel.from_pretrained(gpt(), home / "gpt-extracted").eval()
    receipt = json.loads((home / "gpt-extracted" / "receipt.json").read_text())
    assert set(receipt["adapter"]["left_out"]) == {"transformer.wte.weight"}
    by = 'blockwise(set(glob("transformer.wte.weight"), 0), rest = 1)'
    want = edited(f"m + low_rank({by} * (other - m), rank = 24)")
    torch.testing.assert_close(logits(back, IDS), want, rtol=1e-3, atol=1e-3)
