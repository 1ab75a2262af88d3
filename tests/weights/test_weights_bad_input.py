"""What cannot be: one message that names tensor, checkpoint or file, before weights are read where it can be known."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from weights_models import CONFIG, VOCABULARY, WIDTH, Arrays, arrays, model, planned, result, write

from steerlang.diagnostics import codes
from steerlang.weights.checkpoint import Checkpoint
from steerlang.weights.coefficients import Depth, Rules
from steerlang.weights.errors import WeightsError
from steerlang.weights.expression import Composed, Difference, Edit, Slerp, Sum
from steerlang.weights.patterns import glob, regex
from steerlang.weights.planning import plan_edit

A = Difference("a", "base")
UP = "model.layers.1.mlp.up_proj.weight"


def _plan(tmp_path: Path, change: Callable[[Arrays], Arrays], vector: Difference = A, **options: object) -> object:
    base = arrays(0)
    tuned = change(arrays(1, base))
    models = {"base": model(tmp_path / "base", base), "a": model(tmp_path / "a", tuned, **options)}
    return planned(models, 1.0 * vector)


def _without(name: str) -> Callable[[Arrays], Arrays]:
    return lambda t: {k: v for k, v in t.items() if k != name}


def _with(**more: np.ndarray) -> Callable[[Arrays], Arrays]:
    return lambda t: {**t, **{k.replace("__", "."): v for k, v in more.items()}}


def _vocabulary(rows: int) -> Callable[[Arrays], Arrays]:
    def change(t: Arrays) -> Arrays:
        names = ("model.embed_tokens.weight", "lm_head.weight")
        return {k: np.resize(v, (rows, WIDTH)) if k in names else v for k, v in t.items()}

    return change


CASES: dict[str, tuple[Callable[[Arrays], Arrays], dict[str, object], str]] = {
    "missing tensor": (_without(UP), {}, f"`a` lacks `{UP}`, which `base` has"),
    "missing head": (_without("lm_head.weight"), {}, "`a` lacks `lm_head.weight`, which `base` has"),
    "extra tensor": (
        _with(model__layers__0__self_attn__q_proj__bias=np.zeros(8, np.float32)), {},
        "`a` has `model.layers.0.self_attn.q_proj.bias`, which `base` does not have",
    ),
    "other shape": (
        lambda t: {**t, UP: np.zeros((10, WIDTH), np.float32)}, {},
        rf"`{UP}` is \[10, 8\] in `a`, but \[16, 8\] in `base`",
    ),
    "transposed": (lambda t: {**t, UP: t[UP].T}, {}, "it is transposed"),
    "more tokens": (_vocabulary(54), {"config": {**CONFIG, "vocab_size": 54}}, "`a` has 54 tokens and `base` 50"),
    "fewer tokens": (_vocabulary(47), {"config": {**CONFIG, "vocab_size": 47}}, "`a` has 47 tokens and `base` 50"),
    "int8": (lambda t: {**t, UP: np.zeros((16, 8), np.int8)}, {}, f"`{UP}` is I8 in `a` and F32 in `base`"),
    "quantised": (
        lambda t: t, {"config": {**CONFIG, "quantization_config": {"quant_method": "gptq"}}},
        r"`a` is quantised \(gptq\)",
    ),
    "other architecture": (
        lambda t: t, {"config": {**CONFIG, "model_type": "gpt2"}}, "`a` is a gpt2 and `base` a llama",
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", CASES)
def test_refused_from_headers(tmp_path: Path, case: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Checkpoint, "_map", lambda *_: pytest.fail("weights were read"))
    change, options, message = CASES[case]
    with pytest.raises(WeightsError, match=message) as caught:
        _plan(tmp_path, change, **options)
    assert caught.value.help
    assert "\n" not in caught.value.message


def test_nearest_names(tmp_path: Path) -> None:
    def misspelt(t: Arrays) -> Arrays:
        return {k.replace("layers.1.mlp.up_proj", "layers.1.mlp.upp_proj"): v for k, v in t.items()}

    with pytest.raises(WeightsError) as caught:
        _plan(tmp_path, misspelt)
    assert "`model.layers.1.mlp.upp_proj.weight`" in caught.value.help[0]


def test_skipping_lists_what_is_left_out(tmp_path: Path) -> None:
    plan = _plan(tmp_path, _without(UP), Difference("a", "base", missing="skip"))
    assert [(out.source, out.tensor) for out in plan.left_out] == [("base", UP)]
    assert next(o for o in plan.outputs if o.name == UP).action == "copied"
    assert plan.counts == {"copied": 1, "cast": 0, "computed": len(arrays(0)) - 1, "excluded": 0, "left_out": 1}


@pytest.mark.parametrize("rows", [47, 54])
def test_common_tokens(tmp_path: Path, rows: int) -> None:
    config = {**CONFIG, "vocab_size": rows}
    plan = _plan(tmp_path, _vocabulary(rows), Difference("a", "base", vocabulary="common"), config=config)
    found, base = result(plan, chunk=100), arrays(0)
    tuned, common = _vocabulary(rows)(arrays(1, base)), min(rows, VOCABULARY)
    for name in ("lm_head.weight", "model.embed_tokens.weight"):
        np.testing.assert_allclose(found[name][:common], tuned[name][:common], atol=1e-6)
        assert (found[name][common:] == base[name][common:]).all()


def test_integers_and_buffers_are_copied_and_listed(tmp_path: Path) -> None:
    more = {
        "position_ids": np.arange(4), "model.rotary.inv_freq": np.ones(4, np.float32), "steps": np.zeros(1, np.int64)
    }  # fmt: skip
    base = {**arrays(0), **more}
    tuned = {**arrays(1, base), **more, "steps": np.ones(1, np.int64)}
    models = {"base": model(tmp_path / "base", base), "a": model(tmp_path / "a", tuned)}
    plan = planned(models, 1.0 * A)
    assert set(plan.unedited) == set(more)
    assert {out.tensor: out.reason for out in plan.left_out} == {
        "position_ids": "I64, not a float", "model.rotary.inv_freq": "buffer", "steps": "I64, not a float",
    }  # fmt: skip
    assert plan.counts["copied"] == 3


@pytest.mark.parametrize("bad", [np.nan, np.inf])
@pytest.mark.parametrize(("who", "change"), [("a", 1.0 * A), ("a", Composed((A,), (1.0,), "ties")), ("base", 0.0 * A)])
def test_numbers_that_are_none(tmp_path: Path, bad: float, who: str, change: object) -> None:
    tensors = {"base": arrays(0), "a": arrays(1, arrays(0))}
    tensors[who][UP][3, 3] = bad
    models = {name: model(tmp_path / name, found) for name, found in tensors.items()}
    with pytest.raises(WeightsError, match=f"`{UP}` of `{who}` holds NaN or infinite numbers") as caught:
        result(planned(models, change))
    assert caught.value.code is codes.NON_FINITE
    assert str(caught.value.place).endswith("model.safetensors")


def test_too_large_for_the_dtype(tmp_path: Path, tensors: dict[str, Arrays]) -> None:
    tuned = {**tensors["a"], UP: tensors["a"][UP] + np.float32(1e5)}
    models = {"base": model(tmp_path / "base", tensors["base"]), "a": model(tmp_path / "a", tuned)}
    with pytest.raises(WeightsError, match=f"`{UP}` has numbers too large for F16"):
        result(planned(models, 1.0 * A, dtype="float16"))


def test_another_base(models: dict[str, Checkpoint]) -> None:
    with pytest.raises(WeightsError, match="taken from `b`, but is added to `base`") as caught:
        plan_edit(Edit("base", Difference("a", "b")), models)
    assert caught.value.code is codes.PROVENANCE_MISMATCH
    analogy = Edit("base", Difference("a", "b"), across=True)
    assert plan_edit(analogy, models).counts["computed"] == len(models["base"].names)


def test_analogy(models: dict[str, Checkpoint], tensors: dict[str, Arrays]) -> None:
    found = result(plan_edit(Edit("b", Difference("a", "c"), across=True), models))
    for name, values in found.items():
        want = tensors["b"][name] + (tensors["a"][name] - tensors["c"][name])
        np.testing.assert_allclose(values, want, atol=1e-6)


def test_the_same_model_twice_is_noted(models: dict[str, Checkpoint]) -> None:
    same = {**models, "a": models["base"]}
    assert "one folder" in planned(same, 1.0 * A).notes[0]


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_coefficients_are_finite(models: dict[str, Checkpoint], value: float) -> None:
    with pytest.raises(WeightsError, match="no finite number"):
        A * value
    with pytest.raises(WeightsError, match="no finite number"):
        Rules(((glob("**"), value),))
    with pytest.raises(WeightsError, match="no finite number"):
        planned(models, Composed((A,), (value,)))
    with pytest.raises(WeightsError, match="no finite number"):
        plan_edit(Slerp("base", "a", value), models)


def test_patterns_that_match_nothing(models: dict[str, Checkpoint]) -> None:
    with pytest.raises(WeightsError, match=r'glob\("\*\*.self_atn.\*\*"\) matches no tensor') as caught:
        planned(models, A * Rules(((glob("**.self_atn.**"), 0.9),)))
    assert "self_attn" in caught.value.help[0]
    assert caught.value.code is codes.PATTERN_EMPTY


def test_patterns_that_overlap(models: dict[str, Checkpoint]) -> None:
    with pytest.raises(WeightsError, match=r"both match `model\.layers\.0\.mlp\.up_proj\.weight`"):
        planned(models, A * Rules(((glob("**.mlp.**"), 0.9), (glob("**.up_proj.weight"), 0.1))))


@pytest.mark.parametrize("text", ["", "a..b", "{a", "a}", "{a,{b}}", "a**.b", ".a"])
def test_malformed_globs(text: str) -> None:
    with pytest.raises(WeightsError, match="malformed") as caught:
        glob(text).check()
    assert caught.value.code is codes.BAD_GLOB


def test_malformed_regex() -> None:
    with pytest.raises(WeightsError, match="malformed"):
        regex("(").check()


def test_depth_says_what_lies_outside_the_layers(models: dict[str, Checkpoint]) -> None:
    outside = ((glob("{model.embed_tokens,lm_head}.weight"), 0.0),)
    with pytest.raises(WeightsError, match=r"says nothing of `model\.norm\.weight`"):
        planned(models, A * Depth((0.0, 1.0), outside))


def test_nothing_to_write(models: dict[str, Checkpoint]) -> None:
    with pytest.raises(WeightsError, match="every tensor is excluded"):
        plan_edit(Edit("base", A, exclude=(glob("**"),)), models)


def test_lists_that_do_not_fit(models: dict[str, Checkpoint]) -> None:
    with pytest.raises(WeightsError, match="1 task vectors have 2 coefficients"):
        Composed((A,), (1.0, 2.0))
    with pytest.raises(WeightsError, match="no model was given for `a`"):
        plan_edit(Edit("base", Sum((A,))), {"base": models["base"]})
    with pytest.raises(WeightsError, match="`bf16` is no dtype"):
        planned(models, 1.0 * A, dtype="bf16")


def _truncate(folder: Path) -> None:
    path = folder / "model-00002-of-00003.safetensors"
    path.write_bytes(path.read_bytes()[:-10])


def _empty(folder: Path) -> None:
    (folder / "model-00002-of-00003.safetensors").write_bytes(b"")


def _garbage(folder: Path) -> None:
    path = folder / "model-00002-of-00003.safetensors"
    path.write_bytes(b"\xff" * 8 + path.read_bytes()[8:])


def _damaged(folder: Path) -> None:
    path = folder / "model-00002-of-00003.safetensors"
    data = bytearray(path.read_bytes())
    data[8:12] = b"\xff\xfe\xfd\xfc"
    path.write_bytes(bytes(data))


@pytest.mark.parametrize("harm", [_truncate, _empty, _garbage, _damaged])
def test_files_that_are_broken(tmp_path: Path, harm: Callable[[Path], None]) -> None:
    folder = write(tmp_path / "m", arrays(0), shard=4000)
    harm(folder)
    with pytest.raises(WeightsError, match=r"m/model-00002-of-00003\.safetensors"):
        Checkpoint.open(folder, "m")


def test_folders_without_weights(tmp_path: Path) -> None:
    with pytest.raises(WeightsError, match="is not a folder"):
        Checkpoint.open(tmp_path / "nowhere")
    with pytest.raises(WeightsError, match="has no weights"):
        Checkpoint.open(tmp_path)
    (tmp_path / "pytorch_model.bin").write_bytes(b"\x80\x02")
    with pytest.raises(WeightsError, match="only as a pickle") as caught:
        Checkpoint.open(tmp_path)
    assert caught.value.code is codes.PICKLED_CHECKPOINT
    assert "save_pretrained" in caught.value.help[0]


def test_a_shard_that_is_missing(tmp_path: Path) -> None:
    folder = write(tmp_path / "m", arrays(0), shard=4000)
    (folder / "model-00003-of-00003.safetensors").unlink()
    with pytest.raises(WeightsError, match=r"names `model-00003-of-00003\.safetensors`, which is not in the folder"):
        Checkpoint.open(folder, "m")


def test_aliases_of_tied_weights(tmp_path: Path) -> None:
    tied = _without("lm_head.weight")(arrays(1, arrays(0)))
    folder = write(tmp_path / "a", tied)
    path = folder / "model.safetensors"
    data = path.read_bytes()
    length = int.from_bytes(data[:8], "little")
    header = json.loads(data[8 : 8 + length])
    header["__metadata__"]["lm_head.weight"] = "model.embed_tokens.weight"
    text = json.dumps(header).encode()
    path.write_bytes(len(text).to_bytes(8, "little") + text + data[8 + length :])
    opened = Checkpoint.open(folder, "a")
    assert "lm_head.weight" in opened
    assert opened.info("lm_head.weight").name == "model.embed_tokens.weight"
    models = {"base": model(tmp_path / "base", arrays(0)), "a": opened}
    found = result(planned(models, 1.0 * A))
    np.testing.assert_allclose(found["lm_head.weight"], tied["model.embed_tokens.weight"], atol=1e-6)
