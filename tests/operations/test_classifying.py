"""Programs about classifiers, from the text to the numbers; every number against plain transformers."""

from __future__ import annotations

import csv
import json
import math
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
import transformers as hf
from models.tiny_classifiers import MAKERS, letters, noise, processor, save
from PIL import Image

from steerlang.api import Settings, SteerlangError, load
from steerlang.data.canonical import row_digest
from steerlang.graph.facts import DiskFacts, ModelFacts, ModelReference

COLOURS = ("cat", "dog", "owl")
COUNT = 12


@pytest.fixture(scope="session")
def place(tmp_path_factory) -> Path:
    """Models `clip`, `clip-tuned`, `vit`, `vit-tuned`, `bert`; images with classes in tables of each form."""
    folder = tmp_path_factory.mktemp("classify")
    (folder / "pyproject.toml").write_text("")
    for name in ("clip", "vit", "bert"):
        save(name, folder / name)
        save(name, folder / f"{name}-tuned", seed=1)
    (folder / "data" / "img").mkdir(parents=True)
    rows = [(f"img/{i}.png", COLOURS[i % 3]) for i in range(COUNT)]
    for i, (file, _) in enumerate(rows):
        noise(i, 16 + i, 20).save(folder / "data" / file)
    for ending, comma in (("csv", ","), ("tsv", "\t")):
        with (folder / f"data/pets.{ending}").open("w", newline="") as out:
            csv.writer(out, delimiter=comma).writerows([("file", "class"), *rows])
    with (folder / "data/numbers.jsonl").open("w") as out:
        out.writelines(json.dumps({"file": f, "class": COLOURS.index(c)}) + "\n" for f, c in rows)
    with (folder / "data/lines.jsonl").open("w") as out:
        out.writelines(
            json.dumps({"line": f"line {i} " + "x" * i, "mood": COLOURS[i % 3]}) + "\n" for i in range(COUNT)
        )
    return folder


@pytest.fixture
def run(place, tmp_path):
    def go(text: str):
        (place / "p.steer").write_text(f"steerlang 1\n{text}\n")
        found = load(place / "p.steer", settings=Settings(cache_dir=tmp_path / "cache", device="cpu")).run()
        assert found.ok, [str(d.message) for d in found.diagnostics]
        return found

    return go


@pytest.fixture
def said(place, tmp_path):
    """The errors of a program: code, message and notes."""

    def go(text: str, run: bool = False):
        (place / "p.steer").write_text(f"steerlang 1\n{text}\n")
        try:
            program = load(place / "p.steer", settings=Settings(cache_dir=tmp_path / "cache", device="cpu"))
            found = program.run().diagnostics if run else program.diagnostics
        except SteerlangError as refused:
            found = refused.diagnostics
        return [(d.code.id, d.message, d.notes) for d in found if d.is_error]

    return go


def pixels(place: Path, name: str) -> torch.Tensor:
    images = [Image.open(place / f"data/img/{i}.png").convert("RGB") for i in range(COUNT)]
    return torch.cat([processor(name)(images=[i], return_tensors="pt")["pixel_values"] for i in images])


TARGETS = torch.tensor([i % 3 for i in range(COUNT)])


def plain_clip(place: Path, weights: dict | None = None, texts: str = "clip") -> torch.Tensor:
    """Logits of CLIP on the images, from its own forward pass, with one template."""
    model = hf.CLIPModel.from_pretrained(place / texts).eval()
    tokens = letters()([f"a {c} here" for c in COLOURS], padding=True, return_tensors="pt")
    with torch.no_grad():
        words = model.get_text_features(**tokens).pooler_output
        scale = model.logit_scale.exp()
        if weights is not None:
            model.load_state_dict(weights)
        seen = model.get_image_features(pixel_values=pixels(place, "clip")).pooler_output
    unit = torch.nn.functional.normalize
    return scale * unit(seen, dim=-1) @ unit(words, dim=-1).T


def mixed(place: Path, name: str, scale: float) -> dict[str, torch.Tensor]:
    base, tuned = ({**m.state_dict()} for m in _pair(place, name))
    return {k: base[k] + scale * (tuned[k] - base[k]) if base[k].is_floating_point() else base[k] for k in base}


def _pair(place: Path, name: str):
    auto = hf.CLIPModel if name == "clip" else hf.ViTForImageClassification
    return auto.from_pretrained(place / name), auto.from_pretrained(place / f"{name}-tuned")


CLIP = """
model base  = hf("clip", task = clip)
model tuned = hf("clip-tuned", task = clip)
model both  = base + 0.5 * (tuned - base)
data  pets  = images("data/pets.csv", label = "class", templates = "a {} here")
"""


def test_clip_with_a_head_of_texts(place, run):
    found = run(
        CLIP
        + """
        metric top1 = accuracy([base, both, tuned], pets)
        metric loss = cross_entropy([base, both, tuned], pets)
        metric sure = confidence([base, both], unlabelled(pets))
        metric rel  = normalized_accuracy([base, both], pets, reference = tuned)
        """
    )
    wanted = {
        "base": plain_clip(place),
        "both": plain_clip(place, mixed(place, "clip", 0.5)),  # the words of the base stay
        "tuned": plain_clip(place, texts="clip-tuned"),
    }
    for name, logits in wanted.items():
        right = (logits.argmax(-1) == TARGETS).double()
        metric = found["top1"][name]
        assert metric.value == right.mean().item()
        assert metric.scores == tuple(right.tolist())
        assert metric.count == COUNT
        assert metric.interval[0] <= metric.value <= metric.interval[1]
        losses = torch.nn.functional.cross_entropy(logits, TARGETS, reduction="none")
        assert found["loss"][name].value == pytest.approx(losses.mean().item(), rel=1e-5)
        assert found["loss"][name].scores == pytest.approx(losses.tolist(), rel=1e-4, abs=1e-6)
    for name in ("base", "both"):
        assert found["sure"][name].value == pytest.approx(wanted[name].softmax(-1).amax(-1).mean().item(), rel=1e-5)
        ratio = found["top1"][name].value / found["top1"]["tuned"].value
        assert found["rel"][name].value == pytest.approx(ratio)
        assert found["rel"][name].count == COUNT


VIT = """
model base  = hf("vit")
model tuned = hf("vit-tuned")
taskvector tau = tuned - base
data  pets  = images("data/pets.csv", label = "class")
"""


def test_an_image_classifier_with_heads_of_others(place, run):
    found = run(
        VIT
        + """
        model both  = base + 0.7 * tau
        data  numbers = images("data/numbers.jsonl", label = "class")
        data  listed  = images("data/numbers.jsonl", label = "class", classes = ["cat", "dog", "owl"])
        metric own    = cross_entropy([base, both], pets)
        metric theirs = cross_entropy(both, pets, head = tuned)
        metric by_number = cross_entropy(both, numbers)
        metric by_list   = cross_entropy(both, listed)
        """
    )
    base, tuned = _pair(place, "vit")
    seen, weights = pixels(place, "vit"), mixed(place, "vit", 0.7)

    def loss(model) -> float:
        with torch.no_grad():
            return float(torch.nn.functional.cross_entropy(model.eval()(pixel_values=seen).logits, TARGETS))

    assert found["own"]["base"].value == pytest.approx(loss(base), rel=1e-5)
    base.load_state_dict(weights)
    assert found["own"]["both"].value == pytest.approx(loss(base), rel=1e-5)
    assert found["by_number"].value == found["own"]["both"].value == found["by_list"].value
    base.classifier.load_state_dict(tuned.classifier.state_dict())
    assert found["theirs"].value == pytest.approx(loss(base), rel=1e-5)
    assert found["theirs"].value != pytest.approx(found["own"]["both"].value, rel=1e-3)


def test_a_sequence_classifier(place, run):
    found = run(
        """
        model mood = hf("bert", task = sequence_classification)
        data lines = jsonl("data/lines.jsonl", text = "line", label = "mood")
        metric loss = cross_entropy(mood, lines)
        metric part = accuracy(mood, split(lines, fraction = 0.5, part = second))
        metric sure = confidence(mood, unlabelled(lines))
        metric more = confidence(mood, jsonl("data/lines.jsonl", text = "line"))
        """
    )
    model = hf.BertForSequenceClassification.from_pretrained(place / "bert").eval()
    with torch.no_grad():
        logits = torch.cat(
            [model(**letters()(f"line {i} " + "x" * i, return_tensors="pt")).logits for i in range(COUNT)]
        )
    assert found["loss"].value == pytest.approx(float(torch.nn.functional.cross_entropy(logits, TARGETS)), rel=1e-5)
    assert found["sure"].value == pytest.approx(float(logits.softmax(-1).amax(-1).mean()), rel=1e-5)
    assert found["sure"].value == found["more"].value
    assert 0 < found["part"].count < COUNT


def test_disentanglement_over_all_pairs(place, run):
    found = run(
        VIT
        + """
        data half = split(pets, fraction = 0.5, part = first)
        metric xi = disentanglement(base, [0.6 * tau, -0.9 * tau], data = [pets, half], heads = [base, tuned])
        data seen = half
        """
    )
    base, tuned = _pair(place, "vit")
    plain, images = {k: v.clone() for k, v in base.state_dict().items()}, pixels(place, "vit")

    def says(scale: float, head) -> torch.Tensor:
        base.load_state_dict({k: plain[k] + scale * (tuned.state_dict()[k] - plain[k]) for k in plain})
        base.classifier.load_state_dict(head)
        with torch.no_grad():
            return base.eval()(pixel_values=images).logits.argmax(-1)

    def own(scale: float) -> dict:
        return {k: plain[f"classifier.{k}"] + scale * (tuned.state_dict()[f"classifier.{k}"] - plain[f"classifier.{k}"])
                for k in ("weight", "bias")}  # fmt: skip

    frozen = {k: plain[f"classifier.{k}"] for k in ("weight", "bias")}
    theirs = tuned.classifier.state_dict()
    kept = [int(r["image"].split("/")[1].split(".")[0]) for r in found["half"]]
    assert 0 < len(kept) < COUNT
    first = (says(0.6, frozen) != says(0.6 - 0.9, frozen)).double()
    second = (says(-0.9, theirs) != says(0.6 - 0.9, theirs)).double()[kept]
    assert found["xi"].value == pytest.approx((first.mean().item() + second.mean().item()) / 2)
    assert found["xi"].value > 0
    assert found["xi"].count == COUNT + len(kept)
    assert own(0)["bias"].shape == (3,)


def test_k_rows_of_each_class(run):
    found = run(
        VIT
        + """
        data two   = sample(pets, k = 2, by = label, seed = 3)
        data three = sample(pets, k = 3, by = label, seed = 3)
        data other = sample(pets, k = 2, by = label, seed = 4)
        data alone = images("data/pets.csv", label = "class", where = equals("class", "cat"))
        data cats  = sample(alone, k = 2, by = label, seed = 3)
        """
    )
    two, three, other, cats = (found[n] for n in ("two", "three", "other", "cats"))
    assert sorted(r["label"] for r in two) == ["cat"] * 2 + ["dog"] * 2 + ["owl"] * 2
    assert {row_digest(r) for r in two} < {row_digest(r) for r in three}
    assert {row_digest(r) for r in two} != {row_digest(r) for r in other}
    assert [r["image"] for r in cats] == [r["image"] for r in two if r["label"] == "cat"]


def test_labels_that_are_taken_away_are_gone(run):
    found = run(VIT + "data bare = unlabelled(pets)\ndata few = sample(bare, k = 4)")
    assert len(found["bare"]) == COUNT
    assert all("label" not in row for row in (*found["bare"], *found["few"]))


def test_tables_of_every_form_give_the_same_rows(run):
    found = run(
        """
        data a = images("data/pets.csv", label = "class")
        data b = images("data/pets.tsv", label = "class")
        data c = images("data/numbers.jsonl", label = "class", classes = ["cat", "dog", "owl"])
        """
    )
    rows = [[(r["image"], r["label"]) for r in found[n]] for n in "abc"]
    assert rows[0] == rows[1] == rows[2]


def test_models_of_a_run_are_classifiers(run):
    found = run(VIT + "model both = base + 0.5 * tau\nmetric top1 = accuracy(both, pets)")
    with found["both"] as model:
        assert isinstance(model, hf.ViTForImageClassification)
    with pytest.raises(TypeError, match="classifier"):
        found["both"].generate("a")


def test_a_second_metric_runs_no_model(place, run, tmp_path):
    run(CLIP + "metric top1 = accuracy([base, both], pets)")
    found = run(CLIP + "metric top1 = accuracy([base, both], pets)\nmetric loss = cross_entropy([base, both], pets)")
    made = [n.operation for step in found.plan.steps for n in step.nodes]
    assert made == ["metric.cross_entropy"] * 2


@pytest.mark.parametrize("name", MAKERS)
def test_what_a_folder_is_for_is_found(name, tmp_path):
    task, _ = MAKERS[name]
    folder = save(name, tmp_path / name)
    facts = DiskFacts()
    found = facts.model(ModelReference(str(folder)))
    assert isinstance(found, ModelFacts), found
    assert found.task == task
    assert found.labels == (() if task == "clip" else COLOURS)
    assert isinstance(facts.model(ModelReference(str(folder), task=task)), ModelFacts)


# ---- what is wrong -------------------------------------------------------------------------------------------------


@pytest.fixture
def table(place):
    """A table beside the images, removed afterwards."""
    path = place / "data/odd.csv"
    yield lambda text: path.write_text(text)
    path.unlink(missing_ok=True)


def test_images_that_are_not_there_or_none(place, said, table):
    table("file,class\nimg/0.png,cat\nimg/gone.png,dog\n\x00bad,dog\n".replace("\x00", ""))
    ((code, message, notes),) = said('data odd = images("data/odd.csv", label = "class")')
    assert (code, message) == ("SL501", "2 of 3 images named in `data/odd.csv` do not exist")
    assert notes == ("line 3: `img/gone.png`", "line 4: `bad`")
    (place / "data/img/text.png").write_text("<!DOCTYPE html>")
    (place / "data/img/empty.png").write_bytes(b"")
    table("file,class\nimg/0.png,cat\nimg/text.png,dog\nimg/empty.png,dog\nimg,dog\n")
    assert said('data odd = images("data/odd.csv", label = "class")')[0][2] == ("line 5: `img`",)
    table("file,class\nimg/0.png,cat\nimg/text.png,dog\nimg/empty.png,dog\n")
    ((code, message, notes),) = said('data odd = images("data/odd.csv", label = "class")')
    assert (code, message) == ("SL457", "2 of 3 images named in `data/odd.csv` cannot be read")
    assert notes[1] == "line 4: `img/empty.png` is empty"


def test_an_image_that_breaks_while_it_is_decoded(place, said, table):
    whole = (place / "data/img/0.png").read_bytes()
    (place / "data/img/cut.png").write_bytes(whole[: len(whole) // 2])
    table("file,class\nimg/0.png,cat\nimg/cut.png,dog\n")
    text = 'model m = hf("vit")\ndata odd = images("data/odd.csv", label = "class")\nmetric top1 = accuracy(m, odd)'
    assert said(text) == []
    ((code, message, _),) = said(text, run=True)
    assert code == "SL457"
    assert message.startswith("line 3 of `odd.csv`: the image ")


def test_the_bytes_of_every_image_are_in_the_key(place, tmp_path):
    copy = tmp_path / "copy"
    shutil.copytree(place / "data", copy / "data")
    (copy / "pyproject.toml").write_text("")
    (copy / "p.steer").write_text('steerlang 1\ndata pets = images("data/pets.csv", label = "class")\n')
    (place / "p.steer").write_text((copy / "p.steer").read_text())

    def key(folder: Path) -> str:
        program = load(folder / "p.steer", settings=Settings(cache_dir=tmp_path / "cache"))
        return program.compiled.tables["pets"].cells[0].value.node.key

    assert key(copy) == key(place)
    noise(99).save(copy / "data/img/7.png")
    assert key(copy) != key(place)


def test_files_that_do_not_fit_the_task(place, said):
    for name in ("clip", "vit", "bert"):
        for part in ("preprocessor_config.json", "tokenizer.json"):
            target = place / f"{name}-no-{part[:3]}"
            if not target.exists():
                shutil.copytree(place / name, target)
                (target / part).unlink(missing_ok=True)
    assert said('model m = hf("clip-no-pre", task = clip)')[0][:1] == ("SL516",)
    assert "no tokenizer" in said('model m = hf("clip-no-tok", task = clip)')[0][1]
    assert "no image processor" in said('model m = hf("vit-no-pre", task = image_classification)')[0][1]
    assert "no tokenizer" in said('model m = hf("bert-no-tok", task = sequence_classification)')[0][1]
    for name, asked in (("clip", "causal"), ("vit", "clip"), ("bert", "image_classification"), ("clip", "causal")):
        ((code, message, _),) = said(f'model m = hf("{name}", task = {asked})')
        assert code == "SL516"
        assert f"`{name}`" in message
    # Found by itself and never asked to classify, a folder needs neither: its weights can be worked on.
    assert said('model m = hf("clip-no-pre")\nmodel n = hf("clip")\ntaskvector t = n - m') == []
    uses = 'model m = hf("clip-no-pre")\ndata d = images("data/pets.csv", label = "class")\nmetric a = accuracy(m, d)'
    assert said(uses)[0][0] == "SL516"


def test_classes_the_model_does_not_have(said, table):
    table("file,class\nimg/0.png,cat\nimg/1.png,bat\n")
    text = 'model m = hf("vit")\ndata odd = images("data/odd.csv", label = "class")\nmetric a = accuracy(m, odd)'
    ((code, _, notes),) = said(text)
    assert code == "SL517"
    assert notes == ("of the data: `bat`, `cat`", "of the model: `cat`, `dog`, `owl`")


def test_numbers_are_what_the_bootstrap_says():
    from steerlang.operations.metric import mean_of_means, ratio_of_means

    one = mean_of_means([[1.0, 1.0], [0.0, 0.0, 0.0]])
    assert (one.value, one.interval, one.count) == (0.5, (0.5, 0.5), 5)
    ratio = ratio_of_means([1.0, 0.0, 1.0, 0.0], [1.0, 1.0, 1.0, 1.0])
    assert ratio.value == 0.5
    assert ratio.interval[0] < 0.5 < ratio.interval[1]
    same = np.random.default_rng(0).integers(0, 2, 50).astype(float).tolist()
    assert ratio_of_means(same, same).interval == (1.0, 1.0)  # the two scores of a sample are drawn together
    assert math.isnan(ratio_of_means([1.0], [0.0]).value)


def test_images_without_the_package_that_reads_them(said, monkeypatch):
    from steerlang.api import running

    real = running.find_spec
    monkeypatch.setattr(running, "find_spec", lambda name: None if name == "PIL" else real(name))
    text = VIT + "metric top1 = accuracy(base, pets)"
    assert said(text) == []
    ((code, message, _),) = said(text, run=True)
    assert (code, message) == ("SL512", "reading images needs `pillow`")
    words = 'model m = hf("bert")\ndata d = jsonl("data/lines.jsonl", text = "line", label = "mood")\n'
    assert said(words + "metric top1 = accuracy(m, d)", run=True) == []


def test_a_sweep_of_edits_is_measured_point_by_point(place, run):
    found = run(
        VIT
        + """
        sweep  s    = [0.0, 0.4, 1.0]
        model  part = base + s * tau
        metric loss = cross_entropy(part, pets)
        metric low  = cross_entropy(part, pets, head = base)
        metric best = loss[s = argmin(loss, over = s)] - loss[s = 0.0]
        metric ends = cross_entropy([base, tuned], pets)
        """
    )
    assert found["loss"][0.0].value == found["ends"]["base"].value == found["low"][0.0].value
    assert found["best"].value == min(m.value for m in found["loss"].values()) - found["loss"][0.0].value
    assert found["loss"][1.0].value == pytest.approx(found["ends"]["tuned"].value, rel=1e-5)
    assert found["loss"][0.4].value != pytest.approx(found["low"][0.4].value, rel=1e-3)  # the head is edited too
