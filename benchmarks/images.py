"""What reading and writing beside images costs, against the library's own passes over the same images.

    python benchmarks/images.py [--samples N] [--no-memory]

Three tables: states of prompts with images against bare batched passes and against one sample at a time; states of what
is generated against the library's own generation; and peak anonymous memory as the number of samples grows.
"""

from __future__ import annotations

import csv
import random
import sys
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from floor import token_batches
from measuring import Table, at_least, median, one_thread, peak_memory, ratio, take_turns, verdict, write
from PIL import Image
from random_models import SMALL, Size, sentences, tokenizer
from transformers import CLIPVisionConfig, LlamaConfig, LlavaConfig, LlavaForConditionalGeneration, LlavaProcessor
from transformers.models.clip.image_processing_pil_clip import CLIPImageProcessorPil

import steerlang
from steerlang.api import Settings
from steerlang.models.capture import CaptureRequest, capture
from steerlang.models.eyes import of_parts
from steerlang.models.loading import LoadedModel, load
from steerlang.models.positions import Last
from steerlang.models.seeing import Shown
from steerlang.models.sites import RESIDUAL, points

SAMPLES, ROUNDS = 2_000, 3
SIDE, PATCH, TOKENS = 32, 8, 16
DECODER = Size("decoder", layers=12, width=128, vocabulary=SMALL.vocabulary)
EYES = Size("eyes", layers=4, width=64, vocabulary=0)
NEW_TOKENS = 12
PASSES, GENERATION, SINGLES = 1.1, 1.1, 3.0
MEMORY_SAMPLES = (500, 1_000, 2_000)
SLACK = 16 * 2**20
LAYER = DECODER.layers - 1

PROGRAM = """steerlang 1
model base = hf("{model}", task = image_text_to_text)
data  photos = images("{data}", question = "asked")
activations acts = capture(base, photos, layers = {layer}{during})
"""
GENERATED = f", during = generation, max_new_tokens = {NEW_TOKENS}"


# ---- a model and images --------------------------------------------------------------------------------------------


def save_model(folder: Path) -> Path:
    """A random LLaVA: a vision tower, a decoder, and a processor with a tokenizer of words."""
    torch.manual_seed(0)
    words = tokenizer(DECODER)
    words.add_special_tokens({"additional_special_tokens": ["<image>"]})
    place = words.convert_tokens_to_ids("<image>")
    text = LlamaConfig(
        vocab_size=len(words), hidden_size=DECODER.width, intermediate_size=DECODER.width * 8 // 3 // 8 * 8,
        num_hidden_layers=DECODER.layers, num_attention_heads=8, num_key_value_heads=8, max_position_embeddings=512,
        bos_token_id=None, eos_token_id=None, pad_token_id=0,
    )  # fmt: skip
    eyes = CLIPVisionConfig(
        hidden_size=EYES.width, intermediate_size=2 * EYES.width, num_hidden_layers=EYES.layers, num_attention_heads=8,
        image_size=SIDE, patch_size=PATCH,
    )  # fmt: skip
    config = LlavaConfig(text_config=text, vision_config=eyes, image_token_id=place, image_seq_length=TOKENS)
    images = CLIPImageProcessorPil(size={"shortest_edge": SIDE}, crop_size={"height": SIDE, "width": SIDE})
    processor = of_parts(
        LlavaProcessor, images, words, patch_size=PATCH, vision_feature_select_strategy="default",
        num_additional_image_tokens=1,
    )  # fmt: skip
    found = folder / "llava"
    LlavaForConditionalGeneration(config).save_pretrained(found)
    processor.save_pretrained(found)
    return found


def save_images(folder: Path, count: int) -> Path:
    """Images of noise and a table of them, each with a prompt of its own."""
    (folder / "img").mkdir(exist_ok=True)
    chance = np.random.default_rng(0)
    for i in range(count):
        place = folder / f"img/{i}.png"
        if not place.exists():
            Image.fromarray(chance.integers(0, 255, (SIDE, SIDE, 3), dtype=np.uint8)).save(place)
    table = folder / f"{count}.csv"
    prompts = sentences(count, DECODER, 6, 14)
    with table.open("w", newline="") as out:
        csv.writer(out).writerows([("file", "asked"), *((f"img/{i}.png", p) for i, p in enumerate(prompts))])
    return table


def rows_of(table: Path) -> list[Shown]:
    with table.open(newline="") as lines:
        return [Shown("<image>" + row["asked"], str(table.parent / row["file"])) for row in csv.DictReader(lines)]


# ---- the library's own passes ----------------------------------------------------------------------------------------


def batches(rows: Sequence[Shown], loaded: LoadedModel, budget: int = 1024) -> list[list[Shown]]:
    """Rows, longest first, in batches of at most `budget` tokens, as many as the library's passes do best with."""
    texts = [row.text.replace("<image>", "w1 " * TOKENS) for row in rows]
    order = sorted(range(len(rows)), key=lambda i: -len(loaded.tokenizer(texts[i])["input_ids"]))
    found, start = [], 0
    for batch in token_batches(loaded.tokenizer, texts, budget):
        found.append([rows[i] for i in order[start : start + batch.shape[0]]])
        start += batch.shape[0]
    return found


def given(rows: Sequence[Shown], loaded: LoadedModel) -> dict[str, Any]:
    """Rows as the model's own processor gives them: images opened, texts padded."""
    assert loaded.eyes is not None
    pictures = []
    for row in rows:
        with Image.open(row.path) as image:
            pictures.append([image.convert("RGB")])
    texts = [row.text for row in rows]
    return dict(loaded.eyes.processor(images=pictures, text=texts, padding=True, return_tensors="pt"))


def bare(groups: Sequence[Sequence[Shown]], loaded: LoadedModel) -> None:
    """Batched passes of the model below its vocabulary projection; nothing is kept."""
    with torch.inference_mode():
        for group in groups:
            loaded.model.model(**given(group, loaded), use_cache=False)


def library_generation(groups: Sequence[Sequence[Shown]], loaded: LoadedModel) -> None:
    with torch.inference_mode():
        for group in groups:
            loaded.model.generate(
                **given(group, loaded), max_new_tokens=NEW_TOKENS, min_new_tokens=NEW_TOKENS, do_sample=False
            )


def run_program(path: Path) -> None:
    """A whole program with a store of its own."""
    with tempfile.TemporaryDirectory(dir=path.parent) as cache:
        settings = Settings(cache_dir=Path(cache), threads=1, device="cpu")
        found = steerlang.load(path, settings=settings).run(targets=["acts"])
        assert found.outcome == "done", found.diagnostics


def write_program(folder: Path, table: Path, during: str = "") -> Path:
    path = folder / f"{table.stem}{'-generated' if during else ''}.steer"
    path.write_text(PROGRAM.format(model="llava", data=table.name, layer=LAYER, during=during))
    return path


# ---- tables ----------------------------------------------------------------------------------------------------------


def reading(folder: Path, count: int) -> Table:
    table = save_images(folder, count)
    loaded, rows = load(folder / "llava", sees=True, device="cpu"), rows_of(table)
    groups, some = batches(rows, loaded), random.Random(0).sample(rows, max(count // 8, 1))
    program = write_program(folder, table)

    def ours() -> None:
        fresh = load_eyes(loaded)
        items = fresh.eyes.items(rows)  # type: ignore[union-attr]
        request = CaptureRequest(tuple(range(len(items))), points(RESIDUAL, (LAYER,)), Last())
        assert np.isfinite(capture(fresh, items, [request], batch_tokens=1024)[0].states).all()

    variants: dict[str, Callable[[], Any]] = {
        "floor": lambda: bare(groups, loaded),
        "ours": ours,
        "singles": lambda: bare([[row] for row in some], loaded),
        "loading": lambda: load(folder / "llava", sees=True, device="cpu"),
        "program": lambda: run_program(program),
    }
    times = take_turns(variants, ROUNDS)
    times["singles"] = [seconds * count / len(some) for seconds in times["singles"]]
    times["rest"] = [a - b for a, b in zip(times["program"], times["loading"], strict=True)]
    found = Table(
        f"States of {count:,} prompts with images at one layer and one token",
        ("what", "CPU s", "× bare passes", "target"),
        notes=[
            f"A random LLaVA: decoder {DECODER.label}, vision tower {EYES.label}, {TOKENS} tokens an image, prompts of "
            "6 to 14 words. Bare passes open the images, call the model's processor and run the model below its "
            "vocabulary projection, in batches of 1,024 tokens, longest first.",
            f"One sample at a time: the same with one row a batch, measured on {len(some):,} of them.",
            "The program reads the table, plans, loads the model (taken off in the last row), and stores the states.",
        ],
    )
    floor = median(times, "floor")
    found.add("bare passes", floor, 1.0, "")
    for name, label in (("ours", "capture"), ("program", "whole program"), ("rest", "whole program without loading")):
        against = ratio(times, name, "floor")
        found.add(label, median(times, name), against, "" if name == "program" else verdict(against, PASSES))
    single = ratio(times, "singles", "rest")
    found.add("one sample at a time", median(times, "singles"), ratio(times, "singles", "floor"), "")
    found.add("one at a time / whole program without loading", "", single, at_least(single, SINGLES))
    return found


def load_eyes(loaded: LoadedModel) -> LoadedModel:
    """The same model with nothing made ready yet."""
    from dataclasses import replace

    from steerlang.models.seeing import Eyes

    assert loaded.eyes is not None
    return replace(loaded, eyes=Eyes(loaded.eyes.processor, loaded.eyes.image_id))


def generating(folder: Path, count: int) -> Table:
    table = save_images(folder, count)
    loaded, rows = load(folder / "llava", sees=True, device="cpu"), rows_of(table)
    groups = batches(rows, loaded, 4096)
    program = write_program(folder, table, GENERATED)
    variants: dict[str, Callable[[], Any]] = {
        "library": lambda: library_generation(groups, loaded),
        "loading": lambda: load(folder / "llava", sees=True, device="cpu"),
        "program": lambda: run_program(program),
    }
    times = take_turns(variants, ROUNDS)
    times["rest"] = [a - b for a, b in zip(times["program"], times["loading"], strict=True)]
    found = Table(
        f"States while {NEW_TOKENS} tokens are generated beside each of {count:,} images",
        ("what", "CPU s", "× library", "target"),
        notes=["The library's `generate`, greedy, on the same images in batches of 4,096 tokens, without any states."],
    )
    found.add("the library's generate", median(times, "library"), 1.0, "")
    against = ratio(times, "rest", "library")
    found.add("whole program without loading", median(times, "rest"), against, verdict(against, GENERATION))
    return found


def memory(folder: Path, most: int) -> Table:
    sizes = [min(count, most) for count in MEMORY_SAMPLES]
    found = Table(
        "Peak anonymous memory of a whole program, MiB",
        ("what", *(f"{count:,} samples" for count in sizes), "target"),
        notes=[f"Target: no growth beyond {SLACK // 2**20} MiB of allocator slack and of images kept ready."],
    )
    for label, during in (("states of prompts", ""), ("states of what is generated", GENERATED)):
        peaks = []
        for count in sizes:
            program = write_program(folder, save_images(folder, count), during)
            peaks.append(peak_memory([sys.executable, __file__, "--run", str(program)]))
        kept = max(peaks) - peaks[0] <= SLACK
        found.add(label, *(f"{peak / 2**20:.0f}" for peak in peaks), "kept" if kept else "missed")
    return found


def main() -> None:
    one_thread()
    if "--run" in sys.argv:
        return run_program(Path(sys.argv[-1]))
    count = int(sys.argv[sys.argv.index("--samples") + 1]) if "--samples" in sys.argv else SAMPLES
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        save_model(folder)
        tables = [reading(folder, count), generating(folder, count // 8)]
        if "--no-memory" not in sys.argv:
            write("images", tables)
            tables.append(memory(folder, count))
    write("images", tables)
    return None


if __name__ == "__main__":
    main()
