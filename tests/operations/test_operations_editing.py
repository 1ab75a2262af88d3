"""Edits between programs and weights: nodes planned over checkpoints, materialised, loaded and run."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file

from steerlang.api import Settings, check_text, load
from steerlang.engine.payload import Payload
from steerlang.graph.node import Node
from steerlang.operations.editing import digests_of, materialised, plan_of
from steerlang.operations.resources import Resources
from steerlang.weights.errors import WeightsError

HEAD = """steerlang 1
model base  = hf("m")
model tuned = hf("other")
taskvector t = tuned - base
"""
MLP = 'set(glob("**.mlp.**"), 0.5)'


def edit(project: Path, text: str, head: str = HEAD) -> Node:
    """The node of an edited model."""
    compiled = check_text(f"{head}model x = {text}", project)
    assert compiled.ok, [d.message for d in compiled.diagnostics]
    return compiled.graph.roots["x"]


def nothing_learned(node: Node) -> Payload:
    raise AssertionError(f"{node} is asked for, and nothing was learned")


def weights(folder: Path) -> dict[str, torch.Tensor]:
    return dict(load_file(folder / "model.safetensors"))


def made(node: Node) -> dict[str, torch.Tensor]:
    with materialised(node, nothing_learned) as folder:
        return {name: tensor.clone() for name, tensor in weights(folder).items()}


@pytest.fixture(scope="module")
def both(project: Path) -> tuple[dict[str, torch.Tensor], dict[str, torch.Tensor]]:
    return weights(project / "m"), weights(project / "other")


@pytest.mark.parametrize(("text", "by"), [
    ("base + t", 1.0), ("base + 0.4 * t", 0.4), ("base - t", -1.0), ("base + t / 4", 0.25), ("base + (-t)", -1.0),
    ("base + (t + t - 0.5 * t)", 1.5), ("base + 0.25 * t + 0.5 * t", 0.75),
    ("base + compose([t, t], coefficients = [0.25, 0.5])", 0.75),
    ("base + compose([t, t], method = ties(density = 1))", 1.0), ("base + over_depth([0.5], outside = ["
     'set(glob("{model.embed_tokens,model.norm,lm_head}.weight"), 0.5)]) * t', 0.5),
])  # fmt: skip
def test_edits_are_what_they_say(text: str, by: float, project: Path, both: Any) -> None:
    base, tuned = both
    found = made(edit(project, text))
    assert found.keys() == base.keys()
    for name, tensor in found.items():
        torch.testing.assert_close(tensor, base[name] + by * (tuned[name] - base[name]), rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize("text", ["base + 0 * t", "base + (t - t)", "slerp(base, tuned, t = 0)"])
def test_nothing_added_is_the_base_bit_by_bit(text: str, project: Path, both: Any) -> None:
    found = made(edit(project, text))
    assert all(torch.equal(found[name], tensor) for name, tensor in both[0].items())


def test_blocks_leave_the_rest_as_it_is(project: Path, both: Any) -> None:
    base, tuned = both
    node = edit(project, f"base + blockwise({MLP}) * t")
    assert plan_of(node).counts == {"copied": len(base) - 6, "cast": 0, "computed": 6, "excluded": 0, "left_out": 0}
    found = made(node)
    for name, tensor in base.items():
        wanted = tensor + 0.5 * (tuned[name] - tensor) if ".mlp." in name else tensor
        torch.testing.assert_close(found[name], wanted, rtol=1e-6, atol=1e-6)


def test_slerp_lies_between(project: Path, both: Any) -> None:
    base, tuned = both
    found = made(edit(project, "slerp(base, tuned, t = 0.5)"))
    name = "model.layers.0.mlp.up_proj.weight"
    a, b, middle = (x[name].flatten().double() for x in (base, tuned, found))
    angle = torch.arccos(torch.nn.functional.cosine_similarity(a, b, dim=0))
    torch.testing.assert_close(middle, torch.sin(angle / 2) / torch.sin(angle) * (a + b), rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize(("text", "words"), [
    ('base + blockwise(set(glob("**.self_atn.**"), 1)) * t', "self_atn"),
    (f'base + blockwise({MLP}, set(glob("**.up_proj.weight"), 1)) * t', "up_proj"),
    ("base + over_depth([0, 1]) * t", "outside the layers"),
    ('base + blockwise(set(glob("a..b"), 1)) * t', "malformed"),
    ('base + blockwise(set(regex("(["), 1)) * t', "malformed"),
    ('base + compose([t], coefficients = [blockwise(set(glob("nowhere.*"), 1))], method = ties)', "nowhere"),
    ('slerp(base, tuned, t = blockwise(set(glob("nowhere.*"), 1)))', "nowhere"),
])
def test_what_headers_refuse_is_said_where_it_is_defined(text: str, words: str, project: Path) -> None:
    compiled = check_text(f"{HEAD}model x = {text}", project)
    (found,) = [d for d in compiled.diagnostics if d.is_error]
    assert words in found.message
    assert found.primary is not None
    assert found.primary.span.text == text
    with pytest.raises(WeightsError, match=words):
        plan_of(compiled.graph.roots["x"])


def test_an_edit_without_a_name_is_checked_where_it_is_used(project: Path) -> None:
    text = 'export out = checkpoint(base + blockwise(set(glob("nowhere.*"), 1)) * t, to = "x")'
    compiled = check_text(HEAD + text, project)
    assert not compiled.ok
    assert "nowhere" in compiled.diagnostics[0].message


def test_without_numpy_programs_are_still_checked(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from steerlang.api import weight_checks

    monkeypatch.setattr(weight_checks, "find_spec", lambda name: None)
    assert check_text(f'{HEAD}model x = base + blockwise(set(glob("nowhere.*"), 1)) * t', project).ok


def test_missing_tensors_are_found_from_headers(project: Path, tmp_path: Path) -> None:
    for name in ("m", "other"):
        shutil.copytree(project / name, tmp_path / name)
    (tmp_path / "pyproject.toml").write_text("")
    tensors = weights(tmp_path / "other")
    lost = "model.layers.1.mlp.up_proj.weight"
    save_file({n: t for n, t in tensors.items() if n != lost}, tmp_path / "other" / "model.safetensors",
              metadata={"format": "pt"})  # fmt: skip
    compiled = check_text(f"{HEAD}model x = base + t", tmp_path)
    assert not compiled.ok
    assert lost in compiled.diagnostics[0].message
    save_file({**tensors, lost: tensors[lost].T.contiguous()}, tmp_path / "other" / "model.safetensors",
              metadata={"format": "pt"})  # fmt: skip
    compiled = check_text(f"{HEAD}model x = base + t", tmp_path)
    assert [d.code.id for d in compiled.diagnostics if d.is_error] == ["SL513"]


def test_digests_are_those_of_the_models(project: Path) -> None:
    path = project / "digests.steer"
    path.write_text(f"{HEAD}model x = base + t")
    node = load(path, settings=Settings(cache_dir=project / "cache")).compiled.graph.roots["x"]
    assert digests_of(node) == {n.key: n.options["identity"] for n in node.inputs}
    assert len(set(digests_of(node).values())) == 2


def test_models_are_loaded_from_a_folder_that_goes_again(project: Path, both: Any) -> None:
    resources = Resources(device="cpu", threads=1)
    node = edit(project, "base + 0.5 * t")
    model = resources.model(node, nothing_learned).model
    name = "model.layers.1.self_attn.q_proj.weight"
    torch.testing.assert_close(
        model.state_dict()[name], 0.5 * (both[0][name] + both[1][name]), rtol=1e-6, atol=1e-6
    )
    assert resources.model(node, nothing_learned).model is model
