"""Baked models: folders that the library loads by itself and that compute what the steered model computes."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load_file
from transformers import (
    AutoModelForCausalLM,
    Gemma2Config,
    GPT2Config,
    GPTNeoXConfig,
    MistralConfig,
    OPTConfig,
    PhiConfig,
    Qwen3Config,
)

from operations.tiny import HEAD, SPECIAL, WORDS, make_project, program
from steerlang.api import SteerlangError, load
from steerlang.diagnostics import codes
from steerlang.exports.baking import export_baked
from steerlang.models import Ablate, Add, Overlay, Recipe, SteeringAction, wrap
from steerlang.models.baking import bake
from steerlang.models.errors import CannotBake
from steerlang.models.sites import ATTENTION, EMBEDDING, MLP, RESIDUAL
from steerlang.operations.baking import _baking
from steerlang.weights.checkpoint import Checkpoint
from steerlang.weights.verifying import verify

N = len(WORDS) + len(SPECIAL)
_IDS = {"vocab_size": N, "bos_token_id": 1, "eos_token_id": 2, "pad_token_id": 0}
_SIZES = {
    "hidden_size": 16, "intermediate_size": 24, "num_hidden_layers": 2, "num_attention_heads": 2,
    "max_position_embeddings": 64, **_IDS,
}  # fmt: skip
CONFIGS: dict[str, Callable[[], Any]] = {
    "gpt2": lambda: GPT2Config(n_embd=16, n_layer=2, n_head=2, n_positions=64, **_IDS),
    "gpt_neox": lambda: GPTNeoXConfig(**_SIZES),
    "phi": lambda: PhiConfig(**_SIZES),
    "opt": lambda: OPTConfig(**{**_SIZES, "ffn_dim": 24, "word_embed_proj_dim": 16}),
    "qwen3": lambda: Qwen3Config(**_SIZES, num_key_value_heads=2, head_dim=8),
    "mistral": lambda: MistralConfig(**_SIZES, num_key_value_heads=2),
    "gemma2": lambda: Gemma2Config(**_SIZES, num_key_value_heads=2, head_dim=8),
}
KIND = "model kind = apply(m, add(v, scale = 1.5))\n"


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The project `m` is a Llama; the other architectures lie beside it with the same tokenizer."""
    folder = make_project(tmp_path_factory.mktemp("baking"))
    for name, config in CONFIGS.items():
        torch.manual_seed(3)
        model = AutoModelForCausalLM.from_config(config())
        for parameter in model.parameters():
            torch.nn.init.normal_(parameter, 0.1, 0.3)
        model.save_pretrained(folder / name)
        for file in (folder / "m").glob("tokenizer*"):
            (folder / name / file.name).write_bytes(file.read_bytes())
    return folder


def export(folder: Path, name: str, kind: str, call: str) -> Any:
    return program(folder, f"{kind}export out = {call}\n", HEAD.replace('hf("m")', f'hf("{name}")')).run()


def logits(model: Any) -> torch.Tensor:
    with torch.no_grad():
        found: torch.Tensor = model(input_ids=torch.tensor([[1, 7, 9, 4, 12], [3, 5, 8, 8, 2]])).logits
    return found


def steered(folder: Path, name: str, scale: float = 1.5) -> torch.Tensor:
    """The steered model by hooks of our own: `scale · v` after every block, in the raw unit."""
    model = AutoModelForCausalLM.from_pretrained(folder / name).eval()
    run = program(folder, "", HEAD.replace('hf("m")', f'hf("{name}")')).run()
    vector = torch.tensor(run["v"].directions)
    blocks = wrap(model, None).layout.blocks
    for layer, block in enumerate(blocks):
        block.register_forward_hook(
            lambda _m, _a, o, d=scale * vector[layer]: o + d if torch.is_tensor(o) else (o[0] + d, *o[1:])
        )
    return logits(model)


@pytest.mark.parametrize("name", ["m", "gpt2", "gpt_neox", "phi", "opt"])
def test_a_constant_addition_is_an_ordinary_checkpoint(project: Path, name: str) -> None:
    to = f"baked_{name}"
    run = export(project, name, KIND, f'checkpoint(kind, to = "{to}", max_shard_size = 4KiB, overwrite = true)')
    assert run.outcome == "done", run.diagnostics
    found, info = AutoModelForCausalLM.from_pretrained(project / to, output_loading_info=True)
    assert not info["missing_keys"]
    assert not info["unexpected_keys"]
    wanted = steered(project, name)
    torch.testing.assert_close(logits(found.eval()), wanted, rtol=1e-4, atol=1e-4)
    plain = logits(AutoModelForCausalLM.from_pretrained(project / name).eval())
    assert (wanted - plain).abs().max() > 0.05
    receipt = json.loads((project / to / "receipt.json").read_text())
    assert receipt["checked"]["largest_difference_of_logits"] < 1e-3 * receipt["checked"]["largest_logit"]
    assert receipt["checked"]["largest_effect_of_steering"] > 0.05
    assert receipt["steering"]["actions"][0]["operator"] == "add"
    assert verify(project / to) == ()
    base = Checkpoint.open(project / name)
    for tensor, said in receipt["tensors"].items():
        if said["action"] == "copied":
            assert (Checkpoint.open(project / to).raw(tensor) == base.raw(tensor)).all()
    changed = [t for t, said in receipt["tensors"].items() if said["action"] == "computed"]
    assert all(tensor.endswith(".bias") for tensor in changed)
    assert json.loads((project / to / "config.json").read_text()).get("mlp_bias") is (True if name == "m" else None)


def test_two_models_on_each_other_are_one_bias(project: Path) -> None:
    kind = "model some = apply(m, add(v, scale = 1))\nmodel kind = apply(some, add(v, scale = 0.5))\n"
    assert export(project, "m", kind, 'checkpoint(kind, to = "twice", overwrite = true)').outcome == "done"
    found = AutoModelForCausalLM.from_pretrained(project / "twice").eval()
    torch.testing.assert_close(logits(found), steered(project, "m"), rtol=1e-4, atol=1e-4)


def test_baked_in_another_dtype(project: Path) -> None:
    call = 'checkpoint(kind, to = "half", dtype = bfloat16, overwrite = true)'
    assert export(project, "gpt2", KIND, call).outcome == "done"
    found = AutoModelForCausalLM.from_pretrained(project / "half", dtype="auto").eval()
    assert found.dtype == torch.bfloat16
    torch.testing.assert_close(logits(found).float(), steered(project, "gpt2"), rtol=0.1, atol=0.1)


@pytest.mark.parametrize("name", ["qwen3", "mistral"])
def test_without_a_bias_an_adapter_is_asked_for_and_holds_it(project: Path, name: str) -> None:
    run = export(project, name, KIND, 'checkpoint(kind, to = "nowhere")')
    assert run.outcome != "done"
    found = next(d for d in run.diagnostics if d.code == codes.NOT_IN_WEIGHTS)
    assert "no setting of this architecture gives it one" in found.message
    assert "form = adapter" in found.help[0]
    assert not list(project.glob("*nowhere*"))
    to = f"adapter_{name}"
    run = export(project, name, KIND, f'checkpoint(kind, to = "{to}", form = adapter)')
    assert run.outcome == "done", run.diagnostics
    peft = pytest.importorskip("peft")
    base = AutoModelForCausalLM.from_pretrained(project / name).eval()
    model = peft.PeftModel.from_pretrained(base, str(project / to)).eval()
    torch.testing.assert_close(logits(model), steered(project, name), rtol=1e-4, atol=1e-4)
    again = export(project, name, KIND, f'checkpoint(kind, to = "{to}", form = adapter)')
    assert again.outcome == "done"


def test_what_no_projection_writes_is_refused(project: Path) -> None:
    run = export(project, "gemma2", KIND, 'checkpoint(kind, to = "nowhere")')
    found = next(d for d in run.diagnostics if d.code == codes.NOT_IN_WEIGHTS)
    assert "post_feedforward_layernorm" in found.message


@pytest.mark.parametrize(
    ("action", "reason"),
    [
        ("rotate(v, site = residual)", "depends on the state"),
        ("add(v, norm = keep)", "norm = keep"),
        ("add(v, tokens = generated)", "steers the tokens `generated`"),
        ("ablate(v, strength = 0.5)", "strength = 1"),
        ("clamp(v, to = 1)", "depends on the state"),
    ],
)
def test_what_weights_cannot_do_is_said_before_anything_runs(project: Path, action: str, reason: str) -> None:
    text = HEAD + f'model kind = apply(m, {action})\nexport out = checkpoint(kind, to = "nowhere")\n'
    (project / "bad.steer").write_text(text)
    with pytest.raises(SteerlangError) as caught:
        load(project / "bad.steer")
    found = next(d for d in caught.value.diagnostics if d.code == codes.NOT_CONSTANT)
    assert reason in found.message + found.help[0]


def unit(width: int = 16, seed: int = 5) -> torch.Tensor:
    return torch.randn(1, width, generator=torch.Generator().manual_seed(seed))


def everywhere(*sites: Any, layers: tuple[int, ...] = (0, 1), direction: torch.Tensor | None = None) -> Recipe:
    v = unit() if direction is None else direction
    return tuple(
        SteeringAction(Ablate(), site, dict.fromkeys((0,) if site == EMBEDDING else layers, v), (1.0,))
        for site in sites
    )


def bake_into(folder: Path, name: str, recipe: Recipe, to: Path) -> tuple[torch.Tensor, torch.Tensor]:
    """Logits of the baked folder, and of the steered model."""
    loaded = wrap(AutoModelForCausalLM.from_pretrained(folder / name), None)
    baking = _baking(loaded, bake(loaded, recipe), Checkpoint.open(folder / name), None)
    export_baked(baking, to, check=lambda made: {"made": made.is_dir()}, description={})
    with Overlay(loaded, [recipe]):
        wanted = logits(loaded.model)
    return logits(AutoModelForCausalLM.from_pretrained(to).eval()), wanted


@pytest.mark.parametrize("name", ["m", "gpt2", "qwen3", "opt", "gpt_neox", "phi"])
def test_an_ablation_of_every_write_is_orthogonal_weights(project: Path, tmp_path: Path, name: str) -> None:
    recipe = everywhere(EMBEDDING, ATTENTION, RESIDUAL)
    baked, wanted = bake_into(project, name, recipe, tmp_path / "out")
    torch.testing.assert_close(baked, wanted, rtol=1e-4, atol=1e-4)
    plain = logits(AutoModelForCausalLM.from_pretrained(project / name).eval())
    assert (plain - wanted).abs().max() > 0.05
    v = unit()[0].double()
    tensors = load_file(tmp_path / "out" / "model.safetensors")
    writers = [t for n, t in tensors.items() if n.endswith(("mlp.down_proj.weight", "dense_4h_to_h.weight"))]
    assert all((v @ t.double()).abs().max() < 1e-5 for t in writers)


def test_parallel_blocks_need_no_ablation_of_attention(project: Path, tmp_path: Path) -> None:
    baked, wanted = bake_into(project, "gpt_neox", everywhere(EMBEDDING, RESIDUAL), tmp_path / "out")
    torch.testing.assert_close(baked, wanted, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize(
    ("recipe", "reason"),
    [
        (everywhere(EMBEDDING, RESIDUAL), "reads what attention wrote"),
        (everywhere(RESIDUAL, ATTENTION), "block 0 is not ablated"),
        (everywhere(EMBEDDING, ATTENTION, MLP, layers=(0,)), "layer 1 is not ablated"),
        ((*everywhere(EMBEDDING, ATTENTION, MLP), *everywhere(MLP, direction=unit(seed=6))), "different directions"),
        ((SteeringAction(Add(), RESIDUAL, {0: unit()}, (1.0,)), *everywhere(MLP)), "additions and ablations"),
    ],
)
def test_ablations_that_leave_something_are_refused(project: Path, recipe: Recipe, reason: str) -> None:
    loaded = wrap(AutoModelForCausalLM.from_pretrained(project / "m"), None)
    with pytest.raises(CannotBake, match=reason):
        bake(loaded, recipe)


def test_a_folder_that_computes_something_else_is_not_written(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from steerlang.operations import baking

    monkeypatch.setattr(baking, "_shifted", lambda delta: lambda values: values + np.float32(1.5) * delta)
    run = export(project, "phi", KIND, 'checkpoint(kind, to = "wrong")')
    assert [d.code for d in run.diagnostics if d.code == codes.BAKED_DIFFERS]
    assert not list(project.glob("*wrong*"))


def test_what_is_there_is_not_replaced(project: Path) -> None:
    (project / "full").mkdir()
    (project / "full" / "mine.txt").write_text("mine")
    with pytest.raises(SteerlangError) as refused:
        export(project, "gpt2", KIND, 'checkpoint(kind, to = "full")')
    assert [d.code for d in refused.value.diagnostics if d.is_error] == [codes.OUTPUT_EXISTS]
    assert [p.name for p in (project / "full").iterdir()] == ["mine.txt"]


GONE = """vector one = broadcast(v, layer = 1)
model kind = apply(
  m,
  ablate(one),
  ablate(one, site = attention, across = true),
  ablate(one, site = embedding, layers = 0, across = true),
)
"""


def test_one_direction_ablated_everywhere_is_written_and_baked(project: Path) -> None:
    run = export(project, "m", GONE, 'checkpoint(kind, to = "one_gone", overwrite = true)')
    assert run.outcome == "done", [d.message for d in run.diagnostics]
    direction = torch.tensor(run["one"].directions)
    assert torch.equal(direction[0], direction[1])
    weights = load_file(project / "one_gone" / "model.safetensors")
    unit = direction[0] / direction[0].norm()
    assert (unit @ weights["model.layers.0.self_attn.o_proj.weight"]).abs().max() < 1e-6
    assert (weights["model.embed_tokens.weight"] @ unit).abs().max() < 1e-6


def test_rounding_of_the_files_is_allowed_for_whatever_the_model_is_loaded_as(project: Path) -> None:
    """A checkpoint that is stored in half precision and says float32, as it is loaded."""
    folder = project / "half"
    if not folder.exists():
        model = AutoModelForCausalLM.from_pretrained(project / "m").half()
        model.save_pretrained(folder)
        for file in (project / "m").glob("*token*"):
            (folder / file.name).write_bytes(file.read_bytes())
        config = json.loads((folder / "config.json").read_text())
        (folder / "config.json").write_text(json.dumps({**config, "dtype": "float32"}))
    run = export(project, "half", GONE, 'checkpoint(kind, to = "half_gone", overwrite = true)')
    assert run.outcome == "done", [d.message for d in run.diagnostics]
    checked = json.loads((project / "half_gone" / "receipt.json").read_text())["checked"]
    assert checked["largest_difference_of_logits"] > 1e-4 * checked["largest_logit"]


@pytest.mark.parametrize(
    ("written", "code"),
    [
        ("broadcast(v)", "SL302"),
        ("broadcast(v, layer = all)", "SL302"),
        ("broadcast(v[0], layer = 1)", "SL411"),
        ("broadcast(v, layer = 9)", "SL411"),
        ("broadcast(v, layer = 0, layers = 9)", "SL411"),
    ],
)
def test_which_layer_is_broadcast_must_be_clear(project: Path, written: str, code: str) -> None:
    text = f"model k = apply(m, add({written}))\nexpect x = kl_from(k, words, base = m) > 0"
    (project / "bad.steer").write_text(HEAD + text)
    with pytest.raises(SteerlangError) as caught:
        load(project / "bad.steer")
    assert [d.code.id for d in caught.value.diagnostics if d.is_error] == [code]


def test_norms_of_states_that_were_not_read_are_refused(project: Path) -> None:
    def codes_of(vector: str) -> list[str]:
        text = f"model k = apply(m, add({vector}, scale = 0.1, unit = residual))\n"
        (project / "bad.steer").write_text(HEAD + text + "expect x = kl_from(k, words, base = m) > 0")
        try:
            return [d.code.id for d in load(project / "bad.steer").diagnostics if d.is_error]
        except SteerlangError as caught:
            return [d.code.id for d in caught.diagnostics if d.is_error]

    assert codes_of("broadcast(v, layer = 0)") == []
    assert codes_of("broadcast(v[0])") == ["SL525"]
