"""Replies judged by models: every number against plain transformers; what can be told before anything loads."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import transformers as hf
from models.tiny_classifiers import LABELS, letters, noise
from models.tiny_classifiers import save as save_classifier
from models.tiny_seeing import llava, save
from PIL import Image

from steerlang.api import Settings, SteerlangError, load

COUNT = 5
HEAD = """steerlang 1
model   m       = hf("llava")
model   seed1   = hf("other")
data    photos  = images("data/t.csv", prompt = "describe the picture .", references = "said")
samples replies = generate([m, seed1], photos, max_new_tokens = 6)
"""


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("judged")
    (folder / "pyproject.toml").write_text("")
    save(llava(), folder / "llava")
    save(llava(), folder / "other", seed=1)
    save_classifier("clip", folder / "clip", seed=1)
    save_classifier("bert", folder / "moods")
    torch.manual_seed(3)
    config = {
        "vocab_size": 300, "hidden_size": 16, "intermediate_size": 24, "num_hidden_layers": 2,
        "num_attention_heads": 2, "max_position_embeddings": 48, "initializer_range": 0.3,
    }  # fmt: skip
    hf.BertModel(hf.BertConfig(**config), add_pooling_layer=False).save_pretrained(folder / "reader")
    letters().save_pretrained(folder / "reader")
    (folder / "data").mkdir()
    with (folder / "data/t.csv").open("w", newline="") as out:
        table = csv.writer(out)
        table.writerow(("file", "said"))
        for i in range(COUNT):
            noise(i).save(folder / f"data/{i}.png")
            table.writerow((f"{i}.png", "a red circle|one circle" if i % 2 else "a blue square"))
    return folder


@pytest.fixture(scope="module")
def done(place: Path, tmp_path_factory: pytest.TempPathFactory) -> Any:
    text = """
    metric seen    = clip_score(replies, by = hf("clip", task = clip))
    metric bare    = clip_score(replies, by = hf("clip", task = clip), prefix = "")
    metric near    = text_similarity(replies, by = hf("reader", task = text_embedding))
    metric alike   = text_similarity(replies, by = hf("reader", task = text_embedding), to = replies[m])
    metric owls    = classifier_rate(replies, by = hf("moods", task = sequence_classification), label = "owl")
    metric gain    = difference(seen, to = seen[m])
    """
    (place / "p.steer").write_text(HEAD + text)
    settings = Settings(cache_dir=tmp_path_factory.mktemp("cache"), device="cpu")
    found = load(place / "p.steer", settings=settings).run()
    assert found.outcome == "done", [d.message for d in found.diagnostics]
    return found


def said(done: Any, model: str = "m") -> list[str]:
    return [s.completion.strip() for s in done["replies"][model]]


@pytest.mark.parametrize(("name", "prefix"), [("seen", "A photo depicts "), ("bare", "")])
def test_clip_score_is_its_formula(place: Path, done: Any, name: str, prefix: str) -> None:
    model = hf.CLIPModel.from_pretrained(place / "clip").eval()
    processor = hf.AutoImageProcessor.from_pretrained(place / "clip", backend="pil")
    tokenizer = hf.AutoTokenizer.from_pretrained(place / "clip")
    expected = []
    with torch.inference_mode():
        for i, reply in enumerate(said(done)):
            with Image.open(place / f"data/{i}.png") as image:
                pixels = processor(images=image, return_tensors="pt")
            text = tokenizer(prefix + reply, truncation=True, max_length=48, return_tensors="pt")
            found = model(**pixels, input_ids=text["input_ids"])
            cosine = torch.nn.functional.cosine_similarity(found.image_embeds, found.text_embeds).item()
            expected.append(2.5 * max(cosine, 0) if reply else 0)
    assert done[name]["m"].scores == pytest.approx(expected, abs=1e-5)
    assert any(expected)


def embedded(place: Path, text: str) -> torch.Tensor:
    model = hf.AutoModel.from_pretrained(place / "reader").eval()
    tokenizer = hf.AutoTokenizer.from_pretrained(place / "reader")
    with torch.inference_mode():
        states = model(**tokenizer(text, truncation=True, max_length=48, return_tensors="pt")).last_hidden_state[0]
    return states.mean(0)


def test_similarity_is_to_the_nearest_reference(place: Path, done: Any) -> None:
    for i, (reply, score) in enumerate(zip(said(done), done["near"]["m"].scores, strict=True)):
        texts = ["a red circle", "one circle"] if i % 2 else ["a blue square"]
        vector = embedded(place, reply)
        cosines = [torch.cosine_similarity(vector, embedded(place, t), dim=0).item() for t in texts]
        assert score == pytest.approx(max(cosines) if reply else 0.0, abs=1e-5)


def test_similarity_to_other_replies(place: Path, done: Any) -> None:
    assert done["alike"]["m"].scores == pytest.approx([1.0 if reply else 0.0 for reply in said(done)], abs=1e-5)
    for ours, theirs, score in zip(said(done, "seed1"), said(done), done["alike"]["seed1"].scores, strict=True):
        cosine = torch.cosine_similarity(embedded(place, ours), embedded(place, theirs), dim=0).item()
        assert score == pytest.approx(cosine if ours else 0.0, abs=1e-5)


def test_rate_is_the_share_of_the_likeliest_label(place: Path, done: Any) -> None:
    model = hf.BertForSequenceClassification.from_pretrained(place / "moods").eval()
    tokenizer = hf.AutoTokenizer.from_pretrained(place / "moods")
    for name in ("m", "seed1"):
        with torch.inference_mode():
            found = [model(**tokenizer(r, return_tensors="pt")).logits.argmax().item() for r in said(done, name)]
        expected = [float(LABELS[i] == "owl") if r else 0.0 for i, r in zip(found, said(done, name), strict=True)]
        assert done["owls"][name].scores == tuple(expected)


def test_differences_are_in_pairs(done: Any) -> None:
    assert done["gain"]["m"].interval == (0.0, 0.0)
    apart = np.subtract(done["seen"]["seed1"].scores, done["seen"]["m"].scores)
    assert done["gain"]["seed1"].scores == pytest.approx(tuple(apart))


@pytest.mark.parametrize(
    ("text", "code", "part"),
    [
        ('clip_score(replies, by = hf("moods", task = sequence_classification))', "SL515", "needs a model of"),
        ('clip_score(generate(m, ["a"]), by = hf("clip", task = clip))', "SL580", "needs images"),
        ('text_similarity(replies, by = hf("clip", task = clip))', "SL515", "needs a text encoder"),
        ('classifier_rate(replies, by = hf("moods"), label = "ow")', "SL456", "has no class `ow`"),
    ],
)
def test_mistakes_are_told_before_anything_loads(place: Path, text: str, code: str, part: str) -> None:
    (place / "q.steer").write_text(f"{HEAD}metric x = {text}\n")
    with pytest.raises(SteerlangError) as caught:
        load(place / "q.steer", settings=Settings(device="cpu"))
    assert [(d.code.id, part in d.message) for d in caught.value.diagnostics if d.code.severity.value == "error"] == [
        (code, True)
    ]
