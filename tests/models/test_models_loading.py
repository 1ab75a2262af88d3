"""Loading: whole checkpoints only, and what is wrong with the others."""

from __future__ import annotations

import json
import socket
import sys
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file
from tiny_models import byte_tokenizer, tiny_llama
from transformers import GPT2Config, GPT2LMHeadModel

from steerlang.models import LayoutOverride, ModelError, load, wrap
from steerlang.models.errors import BadWeights, LoadFailure, SiteUnavailable, UnsupportedModel
from steerlang.models.sites import ATTENTION, MLP, RESIDUAL, Point


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    tiny_llama().save_pretrained(tmp_path)
    byte_tokenizer().save_pretrained(tmp_path)
    return tmp_path


def rewrite(folder: Path, change: Any) -> None:
    tensors = load_file(folder / "model.safetensors")
    change(tensors)
    save_file(tensors, folder / "model.safetensors", metadata={"format": "pt"})


def test_a_folder_is_loaded_without_the_network(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise AssertionError("a local folder touched the network")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    monkeypatch.setattr(socket, "getaddrinfo", refuse)
    loaded = load(folder, offline=False)
    assert not loaded.model.training
    assert not any(p.requires_grad for p in loaded.model.parameters())
    assert loaded.layout.depth == 4
    assert loaded.path == str(folder)
    assert loaded.tokenizer.pad_token == "</s>"
    assert len(loaded.tokenizer) == len(byte_tokenizer())
    ids = torch.tensor([[5, 6, 7]])
    with torch.no_grad():
        assert torch.equal(loaded.model(input_ids=ids).logits, tiny_llama()(input_ids=ids).logits)


def test_dtypes(folder: Path) -> None:
    assert load(folder).layout.dtype == torch.float32
    assert load(folder, dtype="bfloat16").layout.dtype == torch.bfloat16
    tiny_llama().half().save_pretrained(folder)
    assert load(folder).layout.dtype == torch.float16  # the checkpoint's own
    assert load(folder, dtype="float32", device="cpu").layout.dtype == torch.float32


def test_a_truncated_file(folder: Path) -> None:
    file = folder / "model.safetensors"
    whole = file.read_bytes()
    file.write_bytes(whole[:-100])
    with pytest.raises(LoadFailure, match=r"model\.safetensors is truncated"):
        load(folder)
    file.write_bytes(whole[:5])
    with pytest.raises(LoadFailure, match="not a whole safetensors file"):
        load(folder)
    file.write_bytes((40).to_bytes(8, "little") + b"x" * 60)
    with pytest.raises(LoadFailure, match="header"):
        load(folder)


def test_a_missing_tensor_is_never_made_up(folder: Path) -> None:
    rewrite(folder, lambda tensors: tensors.pop("model.layers.2.mlp.up_proj.weight"))
    with pytest.raises(LoadFailure, match=r"lacks 1 .*layers\.2\.mlp\.up_proj") as caught:
        load(folder)
    assert caught.value.help


def test_a_tensor_of_another_shape(folder: Path) -> None:
    rewrite(folder, lambda t: t.update({"lm_head.weight": torch.zeros(5, 24)}))
    with pytest.raises(LoadFailure):
        load(folder)


def test_a_tensor_without_a_place_is_named(folder: Path) -> None:
    rewrite(folder, lambda t: t.update({"model.extra": torch.zeros(3)}))
    assert load(folder).unexpected == ("model.extra",)


@pytest.mark.parametrize("bad", [float("nan"), float("inf")])
def test_weights_that_are_not_finite(folder: Path, bad: float) -> None:
    def spoil(tensors: dict[str, torch.Tensor]) -> None:
        tensors["model.layers.1.self_attn.q_proj.weight"][3, 4] = bad

    rewrite(folder, spoil)
    with pytest.raises(BadWeights, match=r"layers\.1\.self_attn\.q_proj") as caught:
        load(folder)
    assert caught.value.tensors == ("model.layers.1.self_attn.q_proj.weight",)


def test_a_pickled_checkpoint_is_refused(folder: Path) -> None:
    (folder / "model.safetensors").unlink()
    (folder / "pytorch_model.bin").write_bytes(b"cos\nsystem\n(S'touch /tmp/never'\ntR.")
    with pytest.raises(LoadFailure, match=r"pickled weights only \(pytorch_model.bin\)") as caught:
        load(folder)
    assert "save_pretrained" in caught.value.help


def test_shards(folder: Path) -> None:
    (folder / "model.safetensors").unlink()
    tiny_llama().save_pretrained(folder, max_shard_size="20KB")
    assert len(list(folder.glob("*.safetensors"))) > 1
    load(folder)
    shard = sorted(folder.glob("*.safetensors"))[1]
    shard.unlink()
    with pytest.raises(LoadFailure, match=f"lacks 1 of .* weight files: {shard.name}"):
        load(folder)


def test_what_is_no_checkpoint(tmp_path: Path) -> None:
    with pytest.raises(LoadFailure, match="no folder"):
        load(tmp_path / "nowhere")
    with pytest.raises(LoadFailure, match=r"no config\.json"):
        load(tmp_path)
    tiny_llama().config.save_pretrained(tmp_path)
    with pytest.raises(LoadFailure, match="holds no weights"):
        load(tmp_path)
    with pytest.raises(LoadFailure, match="not-here/at-all") as caught:
        load("not-here/at-all")
    assert "offline=False" in caught.value.help


def test_no_tokenizer(folder: Path) -> None:
    for file in ("tokenizer.json", "tokenizer_config.json"):
        (folder / file).unlink()
    with pytest.raises(LoadFailure, match="tokenizer"):
        load(folder)


def test_remote_code_is_not_run(folder: Path) -> None:
    config = json.loads((folder / "config.json").read_text())
    config |= {
        "model_type": "homemade",
        "auto_map": {"AutoConfig": "code.C", "AutoModelForCausalLM": "code.M"},
    }
    (folder / "config.json").write_text(json.dumps(config))
    (folder / "code.py").write_text("raise SystemExit('ran')")
    with pytest.raises(LoadFailure) as caught:
        load(folder)
    assert "trust_remote_code=True" in caught.value.help


def test_models_without_decoder_blocks_say_what_was_found() -> None:
    model = tiny_llama()
    model.config.num_hidden_layers = 3
    with pytest.raises(
        UnsupportedModel, match=r"no list of 3 decoder blocks.*model\.layers \(4 modules\)"
    ) as caught:
        wrap(model, None)
    assert caught.value.found
    assert "LayoutOverride" in caught.value.help


def test_layout_by_hand() -> None:
    model = tiny_llama()
    by_hand = wrap(model, None, override=LayoutOverride(blocks="model.layers", mlp="mlp.down_proj")).layout
    assert by_hand.place(Point(MLP, 1)).module is model.model.layers[1].mlp.down_proj
    assert by_hand.place(Point(RESIDUAL, 1)).module is model.model.layers[1]
    with pytest.raises(SiteUnavailable, match="not named by hand"):
        by_hand.place(Point(ATTENTION, 0))
    with pytest.raises(UnsupportedModel, match=r"no module is called model\.blocks"):
        wrap(model, None, override=LayoutOverride(blocks="model.blocks"))
    with pytest.raises(UnsupportedModel, match="no list of"):
        wrap(model, None, override=LayoutOverride(blocks="model.layers.0"))
    wrong = wrap(model, None, override=LayoutOverride(attention="self_attn.nothing")).layout
    with pytest.raises(SiteUnavailable, match=r"self_attn\.nothing gives no states"):
        wrong.place(Point(ATTENTION, 0))


def test_every_error_says_how_to_mend_it() -> None:
    with pytest.raises(ModelError) as caught:
        load(Path("/nowhere"))
    assert caught.value.message
    assert caught.value.help
    assert caught.value.help in str(caught.value)


def test_tied_weights_are_not_missing(tmp_path: Path) -> None:
    torch.manual_seed(0)
    model = GPT2LMHeadModel(GPT2Config(vocab_size=40, n_embd=16, n_layer=2, n_head=2, n_positions=32))
    model.save_pretrained(tmp_path)
    byte_tokenizer().save_pretrained(tmp_path)
    assert "lm_head.weight" not in load_file(tmp_path / "model.safetensors")
    loaded = load(tmp_path)
    assert loaded.layout.unembedding.weight is loaded.model.transformer.wte.weight


@pytest.mark.parametrize("name", ["llava", "t5"])
def test_models_that_see_or_have_an_encoder_are_loaded_as_what_they_are(tmp_path: Path, name: str) -> None:
    sys.path.insert(0, str(Path(__file__).parents[1] / "architectures"))
    try:
        from wider_zoo import build
    finally:
        sys.path.pop(0)
    model = build(name)
    model.save_pretrained(tmp_path)
    byte_tokenizer().save_pretrained(tmp_path)
    loaded = load(tmp_path)
    assert type(loaded.model) is type(model)
    assert loaded.layout.depth == 3
