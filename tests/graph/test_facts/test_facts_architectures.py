"""Facts of models as transformers itself saves them: sizes are found in every architecture, and nothing is wrong."""

from __future__ import annotations

import pytest

from steerlang.graph.facts import DiskFacts, ModelFacts, ModelReference

pytestmark = pytest.mark.slow
transformers = pytest.importorskip("transformers")

SMALL = {"hidden_size": 16, "num_hidden_layers": 3, "num_attention_heads": 2, "intermediate_size": 32, "vocab_size": 50}
GROUPED = {**SMALL, "num_key_value_heads": 1}
OLD = {"n_embd": 16, "n_layer": 3, "n_head": 2, "vocab_size": 50}
ALBERT = {**SMALL, "num_hidden_layers": 12, "embedding_size": 8}
OPT = {"hidden_size": 16, "num_hidden_layers": 3, "num_attention_heads": 2, "ffn_dim": 32, "vocab_size": 50}
DISTIL = {"dim": 16, "n_layers": 3, "n_heads": 2, "hidden_dim": 32, "vocab_size": 50}
EYE = {
    "hidden_size": 24, "num_hidden_layers": 5, "num_attention_heads": 2, "intermediate_size": 32, "image_size": 32,
    "patch_size": 16,
}  # fmt: skip
CASES = [
    ("LlamaForCausalLM", "LlamaConfig", GROUPED, 3, "causal"),
    ("MixtralForCausalLM", "MixtralConfig", {**GROUPED, "num_local_experts": 4}, 3, "causal"),
    ("Gemma3ForCausalLM", "Gemma3TextConfig", {**GROUPED, "head_dim": 8}, 3, "causal"),
    ("GPTNeoXForCausalLM", "GPTNeoXConfig", SMALL, 3, "causal"),
    ("GPT2LMHeadModel", "GPT2Config", OLD, 3, "causal"),
    ("BloomForCausalLM", "BloomConfig", {"hidden_size": 16, **OLD}, 3, "causal"),
    ("OPTForCausalLM", "OPTConfig", {**OPT, "word_embed_proj_dim": 8}, 3, "causal"),
    ("MambaForCausalLM", "MambaConfig", {k: SMALL[k] for k in SMALL if k != "num_attention_heads"}, 3, "causal"),
    ("BertForSequenceClassification", "BertConfig", SMALL, 3, "sequence_classification"),
    ("DistilBertForSequenceClassification", "DistilBertConfig", DISTIL, 3, "sequence_classification"),
    ("AlbertForSequenceClassification", "AlbertConfig", ALBERT, 12, "sequence_classification"),
    ("ViTForImageClassification", "ViTConfig", {**EYE, "hidden_size": 16}, 5, "image_classification"),
    ("CLIPModel", "CLIPConfig", {"text_config": SMALL, "vision_config": EYE}, 3, "clip"),
]


@pytest.mark.parametrize(("model", "config", "sizes", "layers", "task"), CASES, ids=[c[0] for c in CASES])
def test_models_as_transformers_saves_them(tmp_path, model, config, sizes, layers, task):
    getattr(transformers, model)(getattr(transformers, config)(**sizes)).save_pretrained(tmp_path)
    found = DiskFacts().model(ModelReference(str(tmp_path)))
    assert isinstance(found, ModelFacts), found
    assert (found.layers, found.width, found.task, found.notes) == (layers, 16, task, ())
