"""Classifiers against plain transformers: logits, heads, batches, and what is refused."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch
import transformers as hf
from PIL import Image
from safetensors.torch import load_file, save_file
from tiny_classifiers import LABELS, MAKERS, SIDE, TEXTS, letters, noise, pictures, processor, save

from steerlang.models.class_heads import Head
from steerlang.models.classifiers import Classifier, load_classifier
from steerlang.models.errors import BadImage, BadWeights, ClassMismatch, LoadFailure, TooLong, UnsupportedModel
from steerlang.models.pictures import picture

OWN = [name for name, (task, _) in MAKERS.items() if task != "clip"]
IMAGES = [name for name, (task, _) in MAKERS.items() if task == "image_classification"]
TEXT_MODELS = [name for name, (task, _) in MAKERS.items() if task == "sequence_classification"]
EXCHANGEABLE = [name for name in OWN if name != "deit_with_teacher"]
CLASSES, TEMPLATES = ("cat", "dog", "night owl"), ("a photo of a {}.", "{}", "it is no {}, is it?")


@pytest.fixture(scope="session")
def folders(tmp_path_factory):
    made: dict[str, Path] = {}

    def folder(name: str) -> Path:
        if name not in made:
            made[name] = save(name, tmp_path_factory.mktemp(name))
        return made[name]

    return folder


@pytest.fixture(scope="session")
def loaded(folders):
    made: dict[str, Classifier] = {}

    def load(name: str) -> Classifier:
        if name not in made:
            made[name] = load_classifier(folders(name), MAKERS[name][0], device="cpu")
        return made[name]

    return load


def rows_for(name: str, folder: Path) -> list[dict[str, str]]:
    return TEXTS if MAKERS[name][0] == "sequence_classification" else pictures(folder)


def head_for(classifier: Classifier) -> Head:
    return classifier.own_head or classifier.head_of_texts(CLASSES, TEMPLATES)


def plain_pixels(name: str, rows: list[dict[str, str]]) -> torch.Tensor:
    mode = "L" if name == "grey_vit" else "RGB"
    images = [Image.open(row["image"]).convert(mode) for row in rows]
    return torch.cat([processor(name)(images=[i], return_tensors="pt")["pixel_values"] for i in images])


@pytest.mark.parametrize("name", IMAGES)
def test_logits_of_images_are_those_of_the_library(name, folders, loaded, tmp_path):
    rows = pictures(tmp_path)
    model = hf.AutoModelForImageClassification.from_pretrained(folders(name)).eval()
    with torch.no_grad():
        wanted = model(pixel_values=plain_pixels(name, rows)).logits
    classifier = loaded(name)
    got = classifier.logits(classifier.encode(rows), classifier.own_head)
    assert classifier.own_head.names == tuple(LABELS.values())
    torch.testing.assert_close(got, wanted, rtol=1e-4, atol=1e-5)
    assert got.std() > 1e-3


@pytest.mark.parametrize("name", TEXT_MODELS)
def test_logits_of_texts_are_those_of_the_library(name, folders, loaded):
    model = hf.AutoModelForSequenceClassification.from_pretrained(folders(name)).eval()
    tokenizer = letters()
    with torch.no_grad():
        wanted = torch.cat([model(**tokenizer(row["text"], return_tensors="pt")).logits for row in TEXTS])
    classifier = loaded(name)
    got = classifier.logits(classifier.encode(TEXTS), classifier.own_head)
    torch.testing.assert_close(got, wanted, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("name", ["clip", "siglip"])
def test_a_head_of_texts_is_what_the_paper_says(name, folders, loaded, tmp_path):
    """For each class: embed every text, normalise, average, normalise, scale (Radford et al., 2021)."""
    rows = pictures(tmp_path)
    model = hf.AutoModel.from_pretrained(folders(name)).eval()
    padding = {"padding": "max_length", "max_length": 48} if name == "siglip" else {}
    weight = []
    with torch.no_grad():
        for label in CLASSES:
            found = []
            for template in TEMPLATES:
                text = template.replace("{}", label)
                tokenizer = hf.AutoTokenizer.from_pretrained(folders(name))
                made = model.get_text_features(**tokenizer(text, return_tensors="pt", **padding)).pooler_output[0]
                found.append(made / made.norm())
            mean = torch.stack(found).mean(0)
            weight.append(mean / mean.norm() * model.logit_scale.exp())
        features = model.get_image_features(pixel_values=plain_pixels(name, rows)).pooler_output
        wanted = features / features.norm(dim=-1, keepdim=True) @ torch.stack(weight).T
        if name == "siglip":
            wanted = wanted + model.logit_bias
    classifier = loaded(name)
    head = classifier.head_of_texts(CLASSES, TEMPLATES)
    assert head.names == CLASSES
    torch.testing.assert_close(head.weight, torch.stack(weight), rtol=1e-4, atol=1e-5)
    torch.testing.assert_close(classifier.logits(classifier.encode(rows), head), wanted, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("name", ["clip", "siglip"])
def test_one_template_gives_what_the_model_itself_says(name, folders, loaded, tmp_path):
    rows = pictures(tmp_path)
    model = hf.AutoModel.from_pretrained(folders(name)).eval()
    tokenizer = hf.AutoTokenizer.from_pretrained(folders(name))
    texts = tokenizer([f"a {c}" for c in CLASSES], padding="max_length", max_length=48, return_tensors="pt")
    with torch.no_grad():
        wanted = model(**texts, pixel_values=plain_pixels(name, rows)).logits_per_image
    classifier = loaded(name)
    head = classifier.head_of_texts(CLASSES, ("a {}",))
    torch.testing.assert_close(classifier.logits(classifier.encode(rows), head), wanted, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("name", MAKERS)
def test_no_row_changes_with_those_beside_it(name, loaded, tmp_path):
    classifier = loaded(name)
    rows, head = rows_for(name, tmp_path), head_for(classifier)
    batch = classifier.encode(rows)
    together = classifier.logits(batch, head)
    alone = torch.cat([classifier.logits(batch.take([i]), head) for i in range(len(batch))])
    torch.testing.assert_close(together, alone, rtol=1e-4, atol=2e-5)
    order = [3, 0, 5, 1]
    torch.testing.assert_close(classifier.logits(batch.take(order), head), together[order], rtol=1e-4, atol=2e-5)
    streamed = torch.empty_like(together)
    for places, found in classifier.predict(rows, head, at_once=4):
        streamed[places] = found
    torch.testing.assert_close(streamed, together, rtol=1e-4, atol=2e-5)


@pytest.mark.parametrize("name", ["vit", "clip", "bert", "llama"])
def test_gradients_reach_the_parameters(name, loaded, tmp_path):
    classifier = loaded(name)
    batch, head = classifier.encode(rows_for(name, tmp_path)), head_for(classifier)
    named = classifier.model.named_parameters()
    weight = next(p for n, p in named if ("layers.0" in n or "layer.0" in n) and "text_model" not in n)
    assert not classifier.logits(batch, head).requires_grad
    weight.requires_grad_(True)
    try:
        (gradient,) = torch.autograd.grad(classifier.logits(batch, head).logsumexp(-1).sum(), [weight])
    finally:
        weight.requires_grad_(False)
    assert torch.isfinite(gradient).all()
    assert gradient.abs().max() > 0


@pytest.mark.parametrize("name", EXCHANGEABLE)
def test_a_head_is_taken_from_another_model(name, folders, loaded, tmp_path):
    """The other model's last linear map on this one's encoder is this model with those tensors swapped."""
    other = load_classifier(save(name, tmp_path / "other", seed=1), MAKERS[name][0], device="cpu")
    head = other.exchangeable_head()
    swapped = load_classifier(folders(name), MAKERS[name][0], device="cpu")
    theirs = dict(other.model.named_parameters())
    last = next(n for n, p in theirs.items() if p.shape == head.weight.shape and torch.equal(p, head.weight))
    with torch.no_grad():
        for tensor, parameter in swapped.model.named_parameters():
            if tensor.rpartition(".")[0] == last.rpartition(".")[0]:
                parameter.copy_(theirs[tensor])
    classifier = loaded(name)
    batch = classifier.encode(rows_for(name, tmp_path))
    wanted = swapped.logits(batch, swapped.own_head)
    before = classifier.logits(batch, classifier.own_head)
    torch.testing.assert_close(classifier.logits(batch, head), wanted, rtol=1e-4, atol=1e-5)
    assert not torch.allclose(wanted, before, atol=1e-3)
    assert torch.equal(classifier.logits(batch, classifier.own_head), before)  # nothing stays behind


def test_a_head_of_more_classes(loaded, tmp_path):
    classifier = loaded("vit")
    head = Head(tuple("abcdefg"), torch.randn(7, 16), torch.randn(7))
    assert classifier.logits(classifier.encode(pictures(tmp_path)), head).shape == (6, 7)


def test_heads_that_cannot_be_exchanged(loaded, tmp_path):
    with pytest.raises(UnsupportedModel, match="head cannot be exchanged"):
        loaded("deit_with_teacher").exchangeable_head()
    with pytest.raises(ClassMismatch, match="width 9"):
        loaded("vit").logits(loaded("vit").encode(pictures(tmp_path)), Head(("a", "b"), torch.randn(2, 9)))


def test_classes_stand_among_the_labels_by_name_or_number(loaded):
    head = loaded("vit").own_head
    assert head.places(("owl", "cat")) == (2, 0)
    assert head.places(("2", "1")) == (2, 1)
    with pytest.raises(ClassMismatch, match=r"\(`owl`, `bat`\).*\(`cat`, `dog`, `owl`\)"):
        head.places(("owl", "bat"))
    with pytest.raises(ClassMismatch):
        head.places(("2", "3"))


def test_rows_are_made_ready_once(loaded, tmp_path, monkeypatch):
    classifier, rows = loaded("vit"), pictures(tmp_path)
    first = classifier.encode(rows)
    for row in rows:
        Path(row["image"]).unlink()
    again = classifier.encode(rows)  # the files are gone
    assert all(a is b for a, b in zip(first.rows, again.rows, strict=True))


# ---- images --------------------------------------------------------------------------------------------------------


def pixels(path: Path) -> np.ndarray:
    return np.asarray(picture(path))


def test_images_of_every_sort(tmp_path):
    image = noise(0)
    image.save(tmp_path / "rgb.png")
    wanted = pixels(tmp_path / "rgb.png")
    assert wanted.tolist() == np.asarray(image).tolist()
    faint = image.copy()
    faint.putalpha(40)
    faint.save(tmp_path / "rgba.png")
    assert pixels(tmp_path / "rgba.png").tolist() == wanted.tolist()  # transparency is dropped
    for name, saved in (("bmp", image), ("tiff", image), ("gif", image.quantize(255)), ("webp", image)):
        saved.save(tmp_path / f"a.{name}", **({"lossless": True} if name == "webp" else {}))
        assert pixels(tmp_path / f"a.{name}").shape == (18, 20, 3)
    assert pixels(tmp_path / "a.bmp").tolist() == wanted.tolist()
    grey = image.convert("L")
    grey.save(tmp_path / "grey.png")
    assert pixels(tmp_path / "grey.png").tolist() == np.repeat(np.asarray(grey)[..., None], 3, 2).tolist()
    assert np.asarray(picture(tmp_path / "grey.png", channels=1)).tolist() == np.asarray(grey).tolist()


def test_sixteen_bits_keep_their_shades(tmp_path):
    grey = np.asarray(noise(0).convert("L"))
    Image.fromarray(grey.astype(np.uint16) * 257).save(tmp_path / "deep.png")
    assert pixels(tmp_path / "deep.png")[..., 0].tolist() == grey.tolist()


def test_photographs_are_turned_upright(tmp_path):
    image = noise(0)
    exif = image.getexif()
    exif[0x0112] = 6  # shown turned by 90 degrees clockwise
    image.save(tmp_path / "turned.png", exif=exif)
    assert pixels(tmp_path / "turned.png").tolist() == np.rot90(np.asarray(image), -1).tolist()


@pytest.mark.parametrize("cut", [20, 200, 500])
def test_broken_images_are_named(tmp_path, cut):
    noise(0).save(tmp_path / "a.png")
    (tmp_path / "a.png").write_bytes((tmp_path / "a.png").read_bytes()[:cut])
    with pytest.raises(BadImage, match=r"a\.png"):
        picture(tmp_path / "a.png")


def test_images_that_cannot_be_decoded_safely(tmp_path, monkeypatch):
    Image.new("1", (20_000, 20_000)).save(tmp_path / "huge.png")
    assert (tmp_path / "huge.png").stat().st_size < 200_000
    with pytest.raises(BadImage, match=r"pixels"):
        picture(tmp_path / "huge.png")
    Image.fromarray(np.ones((4, 4), np.float32)).save(tmp_path / "float.tiff")
    with pytest.raises(BadImage, match="no known range"):
        picture(tmp_path / "float.tiff")
    (tmp_path / "a.eps").write_text("%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 4 4\n")
    with pytest.raises(BadImage, match="is none of"):
        picture(tmp_path / "a.eps")


# ---- what is refused -----------------------------------------------------------------------------------------------


def test_checkpoints_that_are_not_whole(tmp_path, folders):
    folder = save("vit", tmp_path / "vit")
    tensors = load_file(folder / "model.safetensors")
    spoilt = {**tensors, "classifier.bias": torch.full((3,), float("nan"))}
    save_file(spoilt, folder / "model.safetensors", {"format": "pt"})
    with pytest.raises(BadWeights, match=r"classifier\.bias"):
        load_classifier(folder, "image_classification")
    less = {n: t for n, t in tensors.items() if "classifier" not in n}
    save_file(less, folder / "model.safetensors", {"format": "pt"})
    with pytest.raises(LoadFailure, match=r"lacks 2 .*classifier"):
        load_classifier(folder, "image_classification")
    with pytest.raises(LoadFailure, match="no folder"):
        load_classifier(tmp_path / "absent", "clip")
    folder = save("clip", tmp_path / "clip")
    (folder / "preprocessor_config.json").unlink()
    with pytest.raises(LoadFailure, match="image processor"):
        load_classifier(folder, "clip")


@pytest.mark.parametrize(
    ("changed", "said"),
    [({"problem_type": "multi_label_classification"}, "do not exclude"), ({"id2label": {"0": "score"}}, "a score")],
)
def test_models_that_do_not_choose(tmp_path, changed, said):
    folder = save("bert", tmp_path / "bert")
    config = json.loads((folder / "config.json").read_text()) | changed
    (folder / "config.json").write_text(json.dumps(config))
    if "id2label" in changed:
        tensors = load_file(folder / "model.safetensors")
        tensors |= {n: t[:1].clone() for n, t in tensors.items() if n.startswith("classifier.")}
        save_file(tensors, folder / "model.safetensors", {"format": "pt"})
    with pytest.raises(UnsupportedModel, match=said):
        load_classifier(folder, "sequence_classification")


def test_texts_that_are_too_long(loaded):
    with pytest.raises(TooLong):
        loaded("bert").encode([{"text": "a" * 60}])
    with pytest.raises(TooLong):
        loaded("clip").head_of_texts(("a" * 60,), ("{}",))


def test_the_side_is_what_the_models_read(loaded, tmp_path):
    batch = loaded("clip").encode(pictures(tmp_path, 2))
    assert {tuple(row["pixel_values"].shape) for row in batch.rows} == {(3, SIDE, SIDE)}
