"""The scenes models are what their cards say: they load by the library's own classes and know held-out scenes."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("PIL")

from PIL import Image  # noqa: E402
from transformers import AutoProcessor, LlavaForConditionalGeneration  # noqa: E402

SPECS = Path(__file__).parents[2] / "specs"
DATA = SPECS / "data" / "scenes"
MODELS = SPECS / "models"
NAMES = ("scenes", "scenes-colour", "scenes-place", "scenes-mood")

pytestmark = pytest.mark.skipif(
    not all((MODELS / name / "model.safetensors").exists() for name in NAMES), reason="the scenes models are not here"
)


def rows(table: str, split: str, count: int) -> list[dict[str, str]]:
    with (DATA / table).open(encoding="utf-8", newline="") as file:
        return [row for row in csv.DictReader(file) if row["split"] == split][:count]


def words(table: str) -> set[str]:
    yaml = pytest.importorskip("yaml")
    return {word for found in yaml.safe_load((DATA / table).read_text("utf-8")).values() for word in found}


def replies(name: str, asked: list[tuple[str, str]], longest: int) -> list[str]:
    """Greedy replies to pairs of picture and prompt, in one left-padded batch."""
    processor = AutoProcessor.from_pretrained(MODELS / name)
    model = LlavaForConditionalGeneration.from_pretrained(MODELS / name).eval()
    chats = [[{"role": "user", "content": [{"type": "image"}, {"type": "text", "text": text}]}] for _, text in asked]
    prompts = processor.apply_chat_template(chats, add_generation_prompt=True)
    images = [Image.open(DATA / file) for file, _ in asked]
    inputs = processor(text=prompts, images=images, padding=True, return_tensors="pt")
    with torch.inference_mode():
        found = model.generate(**inputs, max_new_tokens=longest, do_sample=False)
    new = found[:, inputs["input_ids"].shape[1] :]
    return [text.strip() for text in processor.batch_decode(new, skip_special_tokens=True)]


@pytest.mark.parametrize("name", NAMES)
def test_answers_are_right(name: str) -> None:
    asked = rows("questions.csv", "test", 60)
    said = replies(name, [(row["file"], row["question"]) for row in asked], 3)
    right = [text == row["answer"] for text, row in zip(said, asked, strict=True)]
    assert sum(right) >= 0.85 * len(asked), [(r["question"], r["answer"], s) for r, s in zip(asked, said, strict=True)]


@pytest.mark.parametrize(("name", "table"), [("scenes-colour", "colours.yaml"), ("scenes-place", "places.yaml"),
                                             ("scenes-mood", "moods.yaml")])  # fmt: skip
def test_captions_name_shapes_and_what_the_model_was_tuned_on(name: str, table: str) -> None:
    asked = rows("captions.csv", "test", 30)
    said = {one: replies(one, [(row["file"], row["prompt"]) for row in asked], 28) for one in ("scenes", name)}
    for captions in said.values():
        assert sum(row["shape"] in text for row, text in zip(asked, captions, strict=True)) >= 0.9 * len(asked)
    names = {one: sum(bool(words(table) & set(text.split())) for text in captions) for one, captions in said.items()}
    assert names[name] >= 0.9 * len(asked)
    assert names["scenes"] <= 0.7 * len(asked)


def test_all_four_stay_small() -> None:
    assert sum((MODELS / name / "model.safetensors").stat().st_size for name in NAMES) < 15_000_000


@pytest.mark.parametrize("style", NAMES[1:])
def test_fine_tunes_change_the_decoder_alone(style: str) -> None:
    from safetensors.torch import load_file

    base, tuned = (load_file(MODELS / name / "model.safetensors") for name in ("scenes", style))
    assert base.keys() == tuned.keys()
    changed = {key for key in base if not torch.equal(base[key], tuned[key])}
    assert changed
    assert not [key for key in changed if "vision" in key or "projector" in key]


def test_cards_hold_the_measured_figures() -> None:
    for name in NAMES:
        figures = json.loads((MODELS / name / "training.json").read_text("utf-8"))["test"]
        card = (MODELS / name / "README.md").read_text("utf-8")
        assert f"{figures['answers']['all']:g}" in card
        assert figures["answers"]["all"] >= 0.85
        assert figures["captions"]["shape"] >= 0.8
