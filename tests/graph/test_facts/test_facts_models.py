"""Facts of model folders: what is read, and every damage that can be seen without loading."""

from __future__ import annotations

import json

import pytest
from model_files import CONFIG, TOKENIZER, safetensors, shapes, trouble

from steerlang.diagnostics import codes
from steerlang.graph.facts import ModelFacts, TensorFacts, TokenizerFacts
from steerlang.graph.facts import model as model_module


def test_a_whole_folder(folder, ask):
    path = folder(**{"generation_config.json": {}})
    found = ask()
    assert isinstance(found, ModelFacts)
    assert (found.id, found.path, found.revision, found.name) == ("models/tiny", path, None, "models/tiny")
    assert (found.model_type, found.task, found.architectures) == ("llama", "causal", ("LlamaForCausalLM",))
    assert (found.layers, found.width, found.vocabulary, found.heads, found.positions) == (2, 4, 10, 2, 64)
    assert (found.dtype, found.tied, found.quantised, found.remote_code) == ("float32", True, None, False)
    assert found.tensors["model.embed_tokens.weight"] == TensorFacts("F32", (10, 4), "model.safetensors")
    assert (found.parameters, found.size) == (40 + 2 * 20, 4 * 80)
    assert found.tokenizer == TokenizerFacts("tokenizer.json", True, False, "<s>", "</s>", None)
    assert found.notes == ()


@pytest.mark.parametrize(
    "config",
    [
        {"n_layer": 2, "n_embd": 4, "vocab_size": 10, "n_head": 2},
        {"num_layers": 2, "d_model": 4, "vocab_size": 10, "num_heads": 2},
        {"text_config": {"num_hidden_layers": 2, "hidden_size": 4}, "vision_config": {"hidden_size": 99}},
        {"vision_config": {"num_hidden_layers": 2, "hidden_size": 4}, "vocab_size": 10},
        # Configurations that leave out what they inherit: sizes are then read off the tensors.
        {"text_config": {"vocab_size": 10}},
    ],
)
def test_other_ways_to_write_sizes(folder, ask, config):
    folder(**{"config.json": {"model_type": "x", **config}})
    found = ask()
    assert isinstance(found, ModelFacts)
    assert (found.layers, found.width) == (2, 4)


def test_layers_are_never_counted_in_an_image_tower(folder, ask):
    tensors = {**shapes(2), **{f"vision_tower.encoder.layers.{i}.w": (64, 64) for i in range(5)}}
    folder(**{"config.json": {"model_type": "x", "text_config": {}}, "model.safetensors": safetensors(tensors)})
    assert ask().layers == 2


@pytest.mark.parametrize(
    ("architecture", "task"),
    [
        ("GPT2LMHeadModel", "causal"),
        ("LlavaForConditionalGeneration", "image_text_to_text"),
        ("ViTForImageClassification", "image_classification"),
        ("BertForSequenceClassification", "sequence_classification"),
        ("CLIPModel", "clip"),
        ("SomethingElse", None),
    ],
)
def test_the_task_an_architecture_is_for(folder, ask, architecture, task):
    config = {**CONFIG, "architectures": [architecture], "id2label": {"1": "b", "0": "a"}, "vision_config": {}}
    folder(**{"config.json": config})
    assert ask().task == task
    assert ask().labels == ("a", "b")


TOWERS = {**CONFIG, "architectures": ["AnyModel"], "vision_config": {}, "text_config": {}}


def test_two_towers_with_a_scale_are_known_by_what_they_store(folder, ask):
    scaled = safetensors({**shapes(), "logit_scale": ()})
    folder(**{"config.json": TOWERS, "model.safetensors": scaled, "preprocessor_config.json": {}})
    assert ask().task == ask(task="clip").task == "clip"
    assert ask().has_processor


@pytest.mark.parametrize(
    ("asked", "config", "files", "said"),
    [
        ("clip", CONFIG, {}, "no `vision_config`"),
        ("clip", {**CONFIG, "vision_config": {}}, {}, "no `text_config`"),
        ("clip", TOWERS, {}, "no tensor `logit_scale`"),
        ("causal", {**CONFIG, "architectures": ["ViTForImageClassification"]}, {}, "`ViTForImageClassification`"),
        ("image_classification", CONFIG, {}, "`LlamaForCausalLM`, which is no model for `image_classification`"),
        ("image_classification", {**CONFIG, "architectures": ["ViTModel"]}, {}, "`ViTModel`"),
        ("image_classification", {**CONFIG, "architectures": ["XForImageClassification"]}, {}, "no image processor"),
        ("sequence_classification", {**CONFIG, "architectures": ["XForSequenceClassification"]},
         {"tokenizer.json": None}, "no tokenizer"),
    ],
)  # fmt: skip
def test_folders_that_do_not_fit_the_task(folder, ask, asked, config, files, said):
    path = folder(**{"config.json": config})
    for name in files:
        (path / name).unlink()
    found = ask(task=asked)
    assert found.code is codes.UNFIT_TASK
    assert said in found.message
    assert isinstance(ask(), ModelFacts)  # left out, the task is what the files say, and weights can be worked on


def test_conditional_generation_without_images_is_not_for_images(folder, ask):
    folder(**{"config.json": {**CONFIG, "architectures": ["T5ForConditionalGeneration"]}})
    assert ask().task is None


def test_tied_and_stored_dtype_are_read_off_the_tensors(folder, ask):
    config = {k: v for k, v in CONFIG.items() if k != "dtype"}
    tensors = safetensors({**shapes(), "lm_head.weight": (10, 4)}, "BF16")
    folder(**{"config.json": config, "model.safetensors": tensors})
    assert (ask().tied, ask().dtype) == (False, "bfloat16")
    folder(**{"config.json": {**config, "tie_word_embeddings": True, "torch_dtype": "torch.float16"}})
    assert (ask().tied, ask().dtype) == (True, "float16")


def test_a_quantised_model(folder, ask):
    folder(**{"config.json": {**CONFIG, "quantization_config": {"quant_method": "gptq"}}})
    assert ask().quantised == "gptq"


# ---- config.json ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (None, "`models/tiny/config.json` does not exist"),
        (b"", "`models/tiny/config.json` is empty (0 bytes)"),
        (b"{", "`models/tiny/config.json` is not JSON: expecting property name enclosed in double quotes at line 1"),
        (b"\xff\xfe{", "`models/tiny/config.json` is not JSON"),
        (b"[" * 100_000, "`models/tiny/config.json` is not JSON"),
        (b"[]", "`models/tiny/config.json` is not a JSON object"),
        (b"version https://git-lfs.github.com/spec/v1\n", "`models/tiny/config.json` is a Git LFS pointer"),
        ({"hidden_size": 4}, "`models/tiny/config.json` has no `model_type`"),
        ({**CONFIG, "model_type": 3}, "`models/tiny/config.json` has no `model_type`"),
        ({**CONFIG, "hidden_size": "4"}, 'in `models/tiny/config.json`, `hidden_size` is "4", not a positive'),
        ({**CONFIG, "num_hidden_layers": 0}, "in `models/tiny/config.json`, `num_hidden_layers` is 0"),
        ({**CONFIG, "vocab_size": True}, "in `models/tiny/config.json`, `vocab_size` is true"),
    ],
)
def test_a_bad_configuration(folder, ask, content, said):
    folder(**{"config.json": content})
    found = trouble(ask())
    assert found.code is codes.UNREADABLE_MODEL
    assert found.message.startswith(said)
    assert found.place.endswith("config.json")


def test_fewer_blocks_than_the_configuration_says(folder, ask):
    folder(**{"config.json": {**CONFIG, "num_hidden_layers": 6}, "model.safetensors": safetensors(shapes(4))})
    found = trouble(ask())
    assert found.message == "`models/tiny/config.json` says 6 layers, but the weights have 4"
    assert found.notes == ("the weights have `model.layers.0` to `model.layers.3`",)


def test_more_blocks_than_the_configuration_says_are_worth_a_note(folder, ask):
    folder(**{"model.safetensors": safetensors(shapes(4))})
    assert "4 blocks" in ask().notes[0]
    assert ask().layers == 2


def test_blocks_inside_blocks_do_not_count(folder, ask):
    tensors = {**shapes(), **{f"model.layers.{i}.mlp.experts.{e}.w": (9, 9) for i in range(2) for e in range(8)}}
    folder(**{"model.safetensors": safetensors(tensors)})
    assert isinstance(ask(), ModelFacts)


def test_layers_that_share_weights_are_no_trouble(folder, ask):
    tensors = {**shapes(0), "encoder.layer_groups.0.w": (4, 4), "encoder.layer_groups.1.w": (4, 4)}
    config = {**CONFIG, "num_hidden_layers": 12, "num_hidden_groups": 2}
    folder(**{"config.json": config, "model.safetensors": safetensors(tensors)})
    assert ask().layers == 12


# ---- code of its own -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("known", "refused"), [(False, True), (True, False), (None, False)])
def test_code_of_its_own(folder, ask, monkeypatch, known, refused):
    monkeypatch.setattr(model_module, "is_built_in", lambda model_type: known)
    folder(**{"config.json": {**CONFIG, "auto_map": {"AutoModel": "modeling.Mine"}}})
    if refused:
        assert trouble(ask()).code is codes.REMOTE_CODE
    else:
        assert ask().remote_code
    assert ask(allow_code=True).remote_code


# ---- tokenizer -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "is empty (0 bytes)"),
        (b"{", "is not JSON"),
        (b"[]", "is not a JSON object"),
        ({"version": "1.0"}, "holds no tokenizer: it has no `model`"),
        (b"{" + b" " * (5 << 20), "is not JSON, or is truncated"),
    ],
)
def test_a_damaged_tokenizer(folder, ask, content, said):
    folder(**{"tokenizer.json": content})
    assert trouble(ask()).message.startswith(f"`models/tiny/tokenizer.json` {said}")


def test_large_tokenizers_are_not_parsed(folder, ask):
    folder(**{"tokenizer.json": json.dumps(TOKENIZER).encode() + b" " * (5 << 20) + b"}\n"})
    assert ask().tokenizer.fast


def test_a_folder_without_tokenizer_still_has_weights(folder, ask):
    folder(**{"tokenizer.json": None, "tokenizer_config.json": None})
    assert ask().tokenizer == TokenizerFacts()
    assert not ask().tokenizer.present


def test_older_tokenizer_files(folder, ask):
    special = {"pad_token": "[PAD]", "eos_token": "old"}
    path = folder(**{"tokenizer.json": None, "vocab.txt": b"a", "special_tokens_map.json": special})
    found = ask().tokenizer
    assert (found.file, found.fast, found.pad, found.eos) == ("vocab.txt", False, "[PAD]", "</s>")
    assert not found.has_chat_template
    (path / "chat_template.jinja").write_text("{{ x }}")
    assert ask().tokenizer.has_chat_template


def test_a_damaged_tokenizer_configuration(folder, ask):
    folder(**{"tokenizer_config.json": b"nope"})
    assert "`models/tiny/tokenizer_config.json` is not JSON" in trouble(ask()).message
