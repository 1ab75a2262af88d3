"""Coefficients learned by programs: against autograd through the merge, killed and taken up, searched, written."""

from __future__ import annotations

import json
import math
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import transformers as hf
from PIL import Image
from safetensors.torch import load_file, save_file
from tiny_classifiers import save
from torch.func import functional_call

from steerlang.api import Settings, load
from steerlang.api.results import Run
from steerlang.operations.coefficients import Coefficients

HEAD = """steerlang 1
model base = hf("base", task = image_classification)
model a    = hf("a", task = image_classification)
model b    = hf("b", task = image_classification)
data  few  = images("few.csv", label = "class")
data  rest = images("rest.csv", label = "class")
taskvector t = a - base
taskvector u = b - base
"""
LEARN = "coefficients c = learn([t, u], on = base, data = few, steps = 4, lr = 0.1, batch_size = 100"


def pictures(folder: Path, name: str, count: int, seed: int) -> None:
    chance = np.random.default_rng(seed)
    lines = ["file,class"]
    for i in range(count):
        label = ("cat", "dog", "owl")[i % 3]
        pixels = chance.integers(0, 256, (16, 16, 3)).astype(np.uint8)
        pixels[:, :, i % 3] = 200
        Image.fromarray(pixels).save(folder / f"{name}{i}.png")
        lines.append(f"{name}{i}.png,{label}")
    (folder / f"{name}.csv").write_text("\n".join(lines) + "\n", encoding="utf-8")


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("learning")
    for seed, name in enumerate(("base", "a", "b")):
        save("vit", folder / name, seed)
        file = folder / name / "model.safetensors"  # biases and norms differ too, as after training
        noisy = {n: x + 0.1 * torch.randn_like(x) for n, x in load_file(file).items()}
        save_file(noisy, file, {"format": "pt"})
    pictures(folder, "few", 12, 0)
    pictures(folder, "rest", 9, 1)
    return folder


def go(place: Path, tmp_path: Path, text: str, name: str = "p") -> Run:
    file = place / f"{name}.steer"
    file.write_text(HEAD + text, encoding="utf-8")
    run = load(file, settings=Settings(cache_dir=tmp_path / "cache", threads=1)).run()
    assert run.outcome == "done", [d.message for d in run.diagnostics]
    return run


def weights(folder: Path) -> dict[str, torch.Tensor]:
    return dict(load_file(folder / "model.safetensors"))


def by_autograd(place: Path, steps: int, lr: float) -> tuple[torch.Tensor, list[float]]:
    """The same learning, written plainly: autograd through the merge, all rows at once, a block a tensor."""
    base, a, b = (weights(place / n) for n in ("base", "a", "b"))
    model = hf.AutoModelForImageClassification.from_pretrained(place / "base").eval()
    processor = hf.AutoImageProcessor.from_pretrained(place / "base")
    lines = (place / "few.csv").read_text().splitlines()[1:]
    pixels = processor([Image.open(place / x.split(",")[0]).convert("RGB") for x in lines], return_tensors="pt")
    labels = torch.tensor([("cat", "dog", "owl").index(x.split(",")[1]) for x in lines])
    names = list(base)
    values = torch.zeros(2, len(names), requires_grad=True)
    adam = torch.optim.AdamW([values], lr=lr, weight_decay=0.1)
    losses = []
    renamed = {n: next(p for p, v in model.named_parameters() if torch.equal(v, base[n])) for n in names}
    for step in range(steps):
        made = {
            renamed[n]: base[n] + values[0, j] * (a[n] - base[n]) + values[1, j] * (b[n] - base[n])
            for j, n in enumerate(names)
        }
        loss = torch.nn.functional.cross_entropy(
            functional_call(model, made, kwargs={"pixel_values": pixels["pixel_values"]}).logits, labels
        )
        losses.append(float(loss.detach()))
        adam.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_([values], 1.0)
        adam.param_groups[0]["lr"] = lr * 0.5 * (1 + math.cos(math.pi * step / steps))
        adam.step()
    return values.detach(), losses


def test_learning_is_descent_through_the_merge(place: Path, tmp_path: Path) -> None:
    found: Coefficients = go(place, tmp_path, f"{LEARN})")["c"]
    values, losses = by_autograd(place, 4, 0.1)
    assert found.vectors == ("t", "u")
    order = [list(weights(place / "base")).index(name) for name in found.blocks]
    # Attention does not see what is added to all its keys, so these gradients are rounding errors.
    seen = ["key.bias" not in name for name in found.blocks]
    np.testing.assert_allclose(found.values[:, seen], values[:, order][:, seen], atol=2e-5)
    np.testing.assert_allclose([step["loss"] for step in found.history], losses, rtol=1e-5)


def test_what_is_learned_is_what_is_used(place: Path, tmp_path: Path) -> None:
    text = f"{LEARN})\nmodel x = base + compose([t, u], coefficients = c)\nmetric m = cross_entropy(x, rest)\n"
    run = go(place, tmp_path, f'{text}export f = checkpoint(x, to = "out/x", overwrite = true)')
    found: Coefficients = run["c"]
    base, a, b, made = (weights(place / n) for n in ("base", "a", "b", "out/x"))
    for name in base:
        wanted = base[name] + found["t"][name] * (a[name] - base[name]) + found["u"][name] * (b[name] - base[name])
        torch.testing.assert_close(made[name], wanted, atol=1e-6, rtol=1e-5)
    card = (place / "out/x/README.md").read_text(encoding="utf-8")
    assert "| t | " in card
    assert json.loads((place / "out/x/coefficients.json").read_text())["u"].keys() == base.keys()


def test_a_file_of_coefficients_gives_the_same_model(place: Path, tmp_path: Path) -> None:
    use = "model x = base + compose([t, u], coefficients = c)\nmetric m = cross_entropy(x, rest)\n"
    go(place, tmp_path, f'{LEARN})\nexport f = coefficients_file(c, to = "out/c.json")')
    first = go(place, tmp_path, f"{LEARN})\n{use}")
    again = go(place, tmp_path, f'coefficients c = load_coefficients("out/c.json")\n{use}')
    assert again["m"].value == first["m"].value


def test_nothing_is_learned_twice(place: Path, tmp_path: Path) -> None:
    go(place, tmp_path, f"{LEARN})")
    renamed = go(place, tmp_path, "taskvector v = a - base\n" + LEARN.replace("[t, u]", "[v, u]") + ")")
    assert renamed.results.made == ()
    assert renamed["c"].vectors == ("v", "u")


def test_search_takes_the_best_of_the_grid(place: Path, tmp_path: Path) -> None:
    scales = [0.0, 0.25, 0.5, 1.0]
    text = f"coefficients s = search([t, u], on = base, data = few, grid = {scales})\n"
    text += "sweep k = [0.0, 0.25, 0.5, 1.0]\nmetric m = accuracy(base + k * (t + u), few)"
    run = go(place, tmp_path, text)
    accuracies = [run["m"][k].value for k in scales]
    assert set(run["s"]["t"].values()) == {scales[accuracies.index(max(accuracies))]}


@pytest.mark.parametrize(
    "more",
    [
        "objective = negate(control = rest)", "objective = entropy", "objective = self_training",
        "penalty = l1(gamma = 0.1)", "linearize = true", "blocks = random_parts(3)", "blocks = by_row()",
        "pool = gradient(keep = 1)", "pool = gradient_blockwise(keep = 1)", "pool = random(keep = 1)",
        "pool = features(keep = 1, of = [few, rest])", "select = best(on = rest)", "heads = a",
    ],
)  # fmt: skip
def test_every_way_runs(place: Path, tmp_path: Path, more: str) -> None:
    found: Coefficients = go(place, tmp_path, f"{LEARN}, {more})")["c"]
    assert np.isfinite(found.values).all()
    assert len(found.history) == 4
    if "keep = 1" in more:
        assert ((found.values != 0).sum(0) <= 1).all()
        assert (found.values != 0).any()


CHILD = """
import sys
from pathlib import Path
from steerlang.api import Settings, load
import steerlang.learning.learner as learner
write = learner.write_state
def then_die(state, identity, saved):
    write(state, identity, saved)
    if saved.values["done"] >= 20:
        import os, signal
        os.kill(os.getpid(), signal.SIGKILL)
learner.write_state = then_die
load(sys.argv[1], settings=Settings(cache_dir=Path(sys.argv[2]), threads=1)).run()
"""


def test_a_killed_run_goes_on_to_the_same_bits(place: Path, tmp_path: Path) -> None:
    text = LEARN.replace("steps = 4", "steps = 45").replace("batch_size = 100", "batch_size = 5") + ")"
    whole: Coefficients = go(place, tmp_path / "one", text, "killed")["c"]
    cache = tmp_path / "two" / "cache"
    child = subprocess.run(
        [sys.executable, "-c", CHILD, str(place / "killed.steer"), str(cache)],
        env={**os.environ, "OMP_NUM_THREADS": "1"}, check=False, capture_output=True,
    )  # fmt: skip
    assert child.returncode == -signal.SIGKILL, child.stderr.decode()
    assert len(list((cache / "unfinished").iterdir())) == 1
    run = go(place, tmp_path / "two", text, "killed")
    assert np.array_equal(run["c"].values, whole.values)
    assert [s["loss"] for s in run["c"].history] == [s["loss"] for s in whole.history]
    assert list((cache / "unfinished").iterdir()) == []


@pytest.mark.parametrize(
    ("text", "code", "said"),
    [
        (f'{LEARN}, blocks = by_tensor(include = glob("**.nowhere")))', "SL431", "nowhere"),
        (
            f'{LEARN}, blocks = by_tensor(tie = [glob("**.weight"), glob("**.dense.weight")]))',
            "SL432",
            "both match",
        ),
        (f"{LEARN}, objective = negate(control = unlabelled(rest)))", "SL458", "needs labels"),
        (LEARN.replace("data = few", "data = unlabelled(few)") + ")", "SL458", "needs labels"),
        (LEARN.replace("data = few", 'data = ["some", "texts"]') + ")", "SL302", "classifies images"),
        (f"{LEARN}, objective = language_model)", "SL302", "no objective"),
    ],
)
def test_what_is_wrong_is_known_before_anything_runs(place: Path, text: str, code: str, said: str) -> None:
    file = place / "wrong.steer"
    file.write_text(HEAD + text, encoding="utf-8")
    from steerlang.api import check

    found = [d for d in check(file).diagnostics if d.is_error]
    assert [d.code.id for d in found] == [code], [d.message for d in found]
    assert said in found[0].message


def test_what_diverges_is_named(place: Path, tmp_path: Path) -> None:
    file = place / "far.steer"
    file.write_text(HEAD + LEARN.replace("lr = 0.1", "lr = 1e30") + ")", encoding="utf-8")
    run = load(file, settings=Settings(cache_dir=tmp_path / "cache", threads=1)).run()
    (problem,) = [d for d in run.found if d.is_error]
    assert problem.code.id in ("SL808", "SL802"), problem
    assert "step" in problem.message
    assert any("lr" in line for line in problem.help)


# ---- language models -----------------------------------------------------------------------------------------------

TEXTS = ["please go away", "no thanks kindly good day", "help me"]


def test_token_losses_are_those_of_the_library(project: Path) -> None:
    from steerlang.models.loading import load as load_model
    from steerlang.models.scoring import ScoredText
    from steerlang.models.token_losses import token_losses
    from steerlang.models.tokens import tokenise

    loaded = load_model(project / "m", dtype="float32")
    items = [ScoredText.whole(item) for item in tokenise(loaded.tokenizer, TEXTS)]
    total, count = token_losses(loaded, items)
    wanted = 0.0
    for item in items:
        ids = torch.tensor([item.ids])
        wanted += float(loaded.model(input_ids=ids, labels=ids).loss) * (len(item.ids) - 1)
    assert count == sum(len(i.ids) - 1 for i in items)
    assert float(total) == pytest.approx(wanted, rel=1e-5)


def test_a_language_model_learns_its_coefficients(project: Path, tmp_path: Path) -> None:
    text = f"""steerlang 1
model base  = hf("m")
model other = hf("other")
taskvector t = other - base
coefficients c = learn(t, on = base, data = DATA, objective = language_model, steps = 6, lr = 0.05, batch_size = 2)
model x = base + c * t
metric before = perplexity({json.dumps(TEXTS)}, by = base)
metric after  = perplexity({json.dumps(TEXTS)}, by = x)
"""
    file = project / "learning.steer"
    for data in (json.dumps(TEXTS), 'pairs([["go away", "please go away"], ["no", "no thanks"]])'):
        file.write_text(text.replace("DATA", data), encoding="utf-8")
        run = load(file, settings=Settings(cache_dir=tmp_path / "cache", threads=1)).run()
        assert run.outcome == "done", [d.message for d in run.diagnostics]
        losses: list[Any] = [step["loss"] for step in run["c"].history]
        assert losses[-1] < losses[0]
        if data.startswith("["):
            assert run["after"].value < run["before"].value


# ---- other classifiers ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["bert", "clip", "llama"])
def test_other_classifiers_learn_too(tmp_path: Path, name: str) -> None:
    """Texts, and images with heads made of texts; two data sets at once."""
    task = {"clip": "clip"}.get(name, "sequence_classification")
    for seed, folder in enumerate(("base", "a")):
        save(name, tmp_path / folder, seed)
    if task == "clip":
        pictures(tmp_path, "one", 6, 0)
        pictures(tmp_path, "two", 6, 1)
        # This tiny text encoder reads the largest letter, which should be one of the class's name.
        data = [f'images("{n}.csv", label = "class", templates = "{t}")' for n, t in (("one", "{}"), ("two", "{}!"))]
    else:
        rows = [{"text": f"a {kind} {i}", "kind": kind} for i in range(3) for kind in ("cat", "dog", "owl")]
        (tmp_path / "rows.jsonl").write_text("\n".join(map(json.dumps, rows)), encoding="utf-8")
        read = 'jsonl("rows.jsonl", text = "text", label = "kind")'
        data = [f"split({read}, fraction = 0.5, part = {part})" for part in ("first", "second")]
    text = f"""steerlang 1
model base = hf("base", task = {task})
model a    = hf("a", task = {task})
taskvector t = a - base
coefficients c = learn(t, on = base, data = [{", ".join(data)}], steps = 5, lr = 0.05, batch_size = 4)
"""
    file = tmp_path / "p.steer"
    file.write_text(text, encoding="utf-8")
    run = load(file, settings=Settings(cache_dir=tmp_path / "cache", threads=1)).run()
    assert run.outcome == "done", [d.message for d in run.diagnostics]
    losses = [step["loss"] for step in run["c"].history]
    assert losses[-1] < losses[0]
