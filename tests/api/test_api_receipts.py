"""What is measured of edited weights: in the plan before, in the results after, and again when nothing runs."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from operations.tiny import program
from safetensors.numpy import load_file

from steerlang.operations import editing
from steerlang.reports.document import findings_document
from steerlang.reports.gathering import gather
from steerlang.reports.html import page
from steerlang.reports.layout import Screen
from steerlang.reports.terminal import render

HEAD = """steerlang 1
model  m     = hf("m")
model  other = hf("other")
data   words = lines("prompts.txt")
taskvector t = other - m
"""
MLP = 'blockwise(set(glob("**.mlp.**"), 0.5))'


def load(project: Path, text: str, cache: Path | None = None) -> Any:
    return program(project, text, head=HEAD, cache=cache)


def tau(project: Path) -> dict[str, np.ndarray]:
    base, tuned = (load_file(project / n / "model.safetensors") for n in ("m", "other"))
    return {name: tuned[name].astype(np.float64) - base[name] for name in base}


def test_a_plan_accounts_for_every_tensor(project: Path) -> None:
    text = f'model x = m + {MLP} * t\n' \
           'export out = checkpoint(x, to = "o", dtype = bfloat16, exclude = glob("lm_head.*"))'  # fmt: skip
    document = load(project, text).plan().document()
    edits = {e["label"]: e for e in document["edits"]}
    names = set(load_file(project / "m" / "model.safetensors"))
    x, out = edits["x"], edits["out"]
    assert x["counts"] == {"copied": len(names) - 6, "cast": 0, "computed": 6, "excluded": 0, "left_out": 0}
    assert {*x["copied"], *x["computed"]} == names
    assert out["counts"]["cast"] == len(names) - 7
    assert out["excluded"] == ["lm_head.weight"]
    size = 4 * sum(np.prod(v.shape) for v in tau(project).values())
    edited = 4 * sum(np.prod(v.shape) for n, v in tau(project).items() if ".mlp." in n)
    assert x["bytes_read"] == size + edited
    assert x["bytes_written"] == size
    assert out["bytes_written"] == size // 2 - 2 * np.prod(tau(project)["lm_head.weight"].shape)
    assert 0 < x["peak_memory"] < 100 * 2**20
    assert json.dumps(document["edits"]) == json.dumps(load(project, text).plan().document()["edits"])


def test_an_export_may_leave_tensors_out(project: Path, tmp_path: Path) -> None:
    patterns = '[glob("lm_head.*"), regex(".*norm.*")]'
    text = f'export out = checkpoint(m + t, to = "{tmp_path / "out"}", exclude = {patterns})'
    run = load(project, text).run()
    assert run.outcome == "done", [d.message for d in run.diagnostics]
    found = load_file(tmp_path / "out" / "model.safetensors")
    assert set(tau(project)) - set(found) == {n for n in tau(project) if n.startswith("lm_head") or "norm" in n}


@pytest.fixture(scope="module")
def made(project: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Any, Path, str]:
    text = f"model both = m + 0.4 * t\nmodel some = m + {MLP} * t - 0.1 * top(t, keep = 0.5)\n" \
           "samples r = generate([both, some], words, max_new_tokens = 2)\n"  # fmt: skip
    cache = tmp_path_factory.mktemp("cache")
    return load(project, text, cache).run(), cache, text


def check(run: Any, project: Path) -> None:
    found = run.receipt("both")
    norm = np.sqrt(sum((v**2).sum() for v in tau(project).values()))
    numbers = found["numbers"]
    assert numbers["vectors"][0]["norm"] == pytest.approx(norm, rel=1e-5)
    assert numbers["change"]["norm"] == pytest.approx(0.4 * norm, rel=1e-5)
    layer = np.sqrt(sum((v**2).sum() for n, v in tau(project).items() if n.startswith("model.layers.1.")))
    assert numbers["vectors"][0]["by_block"]["model.layers.1"] == pytest.approx(layer, rel=1e-5)
    assert numbers["change"]["survived"] == pytest.approx(1.0, abs=1e-4)
    assert found["counts"]["computed"] == len(tau(project))


def test_the_receipt_of_a_model_that_is_only_generated_with(made: Any, project: Path) -> None:
    check(made[0], project)
    with pytest.raises(KeyError, match="no receipt"):
        made[0].receipt("m")
    with pytest.raises(KeyError, match="nothing named"):
        made[0].receipt("nobody")


def test_receipts_are_found_again_without_computing(
    made: Any, project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _, cache, text = made
    monkeypatch.setattr(editing, "export_checkpoint", lambda *_, **__: pytest.fail("made again"))
    again = load(project, text, cache).run()
    assert not again.results.made
    check(again, project)
    assert set(again.weights()) == {"both", "some"}


def test_receipts_are_shown(made: Any) -> None:
    found = gather(made[0])
    text = render(found, Screen(120))
    assert "norm of t" in text
    assert "both" in text.split("weights\n")[1]
    weights = {w["name"]: w for w in findings_document(found)["weights"]}
    assert weights["both"]["vectors"][0]["name"] == "t"
    assert weights["both"]["finite"] is True
    html = page(found)
    assert "<h2>Weights</h2>" in html
    assert "model.layers.1" in html


def test_pairs_of_task_vectors(project: Path) -> None:
    from operations.tiny import make_folder

    make_folder(project / "third", seed=7)
    run = load(project, 'model third = hf("third")\nmodel x = m + compose([t, third - m])\n'
                        "samples r = generate(x, words, max_new_tokens = 1)").run()  # fmt: skip
    (pair,) = run.receipt("x")["numbers"]["pairs"]
    third, base = (load_file(project / n / "model.safetensors") for n in ("third", "m"))
    a = np.concatenate([v.ravel() for v in tau(project).values()])
    b = np.concatenate([(third[n].astype(np.float64) - base[n]).ravel() for n in tau(project)])
    assert pair["between"] == ["other - m", "third - m"]
    assert pair["cosine"] == pytest.approx(a @ b / np.linalg.norm(a) / np.linalg.norm(b), rel=1e-4)
    assert pair["conflict"] == pytest.approx((a * b < 0).sum() / (a * b != 0).sum(), rel=1e-4)
    text = render(gather(run), Screen(120))
    assert f"signs conflict in {100 * pair['conflict']:.1f}%" in text


def test_sweeps_have_a_table_of_receipts(project: Path) -> None:
    text = "sweep s = [0.0, 0.5]\nmodel x = m + s * t\nsamples r = generate(x, words, max_new_tokens = 1)"
    found = load(project, text).run().receipt("x")
    assert found[0.0]["numbers"]["change"]["norm"] == 0
    assert found[0.5]["counts"]["computed"] == len(tau(project))


def test_what_a_cut_loses_is_in_the_receipt(project: Path) -> None:
    text = "model x = m + low_rank(t, rank = 2)\nsamples r = generate(x, words, max_new_tokens = 1)"
    run = load(project, text).run()
    lost = total = 0.0
    for values in (v for v in tau(project).values() if v.ndim == 2):
        s = np.linalg.svd(values, compute_uv=False)
        lost, total = lost + (s[2:] ** 2).sum(), total + (s**2).sum()
    numbers = run.receipt("x")["numbers"]
    assert numbers["change"]["cut"] == pytest.approx(np.sqrt(lost / total), rel=1e-4)
    assert numbers["vectors"][0]["norm"] == pytest.approx(np.sqrt(total), rel=1e-4)
    assert "cut loses" in render(gather(run), Screen(120))


def test_an_export_has_a_receipt_of_its_own(project: Path, tmp_path: Path) -> None:
    text = f'export out = checkpoint(m + 0.001 * t, to = "{tmp_path / "o"}", dtype = bfloat16)'
    run = load(project, text).run()
    assert run.receipt("out")["numbers"]["change"]["survived"] < 0.9
    assert run.receipt("out")["tensors"]
    assert "out" in {t.name for t in gather(run).edits}
