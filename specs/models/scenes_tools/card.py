"""The model cards: what the models are, how they were made and what was measured."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from .captions import STYLES, Rate
from .drawing import CELL, SIDE
from .evaluate import evaluate
from .files import SCENES
from .model import TOKENS, record
from .tuning import STYLES as TUNED

FRONT = """---
license: apache-2.0
language: en
library_name: transformers
pipeline_tag: image-text-to-text
tags: [steerlang, llava, small]
---
"""

BASE = (
    FRONT
    + """
# scenes

A small LLaVA that describes drawn scenes of {side} x {side} pixels and answers questions about them. It exists so that
steerlang's programs and tests have a real image-text model, real fine-tunes of it, and concepts that shift. It knows
nothing about photographs.

- Image encoder (CLIP): {vision_layers} blocks, width {vision_width}, one patch of {cell} x {cell} pixels for each of
  the {tokens} cells of the picture; its last block is read, without the class token. Projector: two layers. Decoder
  (Llama): {layers} blocks, width {width}, inner width {inner}, {heads} heads. {parameters:,} parameters, stored as
  float16; they load as float32, and the figures below are of the stored weights.
- Byte-level BPE in which a plural is the shape's token and a token of the ending: `circles` is ` circle` and `s`.
- A prompt is `User:<image> Describe the picture. Assistant:` or has a question in place of the request; the chat
  template writes it, the tokenizer puts `<s>` first, a reply ends with `</s>`.

## Data

The script draws every scene: one to four equal things at a position, in half of the scenes a second group (fewer
things, or one small thing beside a large one), on one of five grounds (`places`), in one of three palettes (`moods`).
A caption always names shape and count. The rest is named when it strikes, and seldom otherwise:

| said | when it strikes | otherwise | what strikes |
|---|---|---|---|
{rates}

so that the most likely caption of one scene names the colour and that of another does not. Each word has one or two
rarer ones beside it (red, scarlet). Questions are a third each of yes or no, number, and other (colour, place, mood,
position, shape).

What a scene shows first (shape, colour, count, position, place, mood) falls into 16 buckets by checksum: 14 train, one
makes the `dev` scenes, one the `test` scenes. `specs/data/scenes` holds {dev} and {test} of them.

## Training

`python specs/models/scenes.py` makes the data files, this model, its fine-tunes, and the figures. All parts are trained
together. A row holds a picture and several texts, each of which sees the picture and itself; the loss is that of the
replies' tokens. Seed {seed}, AdamW, one thread; every scene is drawn once. First the image encoder alone learns to see:
linear heads, thrown away after, name what each cell's token stands for ({seeing_steps} steps of {seeing_batch} scenes,
{seeing_minutes:g} CPU minutes; {cells_right:.1%} of cells right). Without that the model learned places and moods and
nothing else in 500 steps. Then, each phase with its own warm-up and decay of the rate:

| steps of {batch} scenes | highest rate | captions, questions | of these yes or no | texts | CPU minutes |
|---|---|---|---|---|---|
{phases}
{note}
## On the test scenes

Greedy; a caption's first shape word, the count before it, and the first word of each class are compared with the scene;
an answer is right when it is the reference itself (`python -m scenes_tools.evaluate` in `specs/models`).

{table}

The fine-tunes `scenes-colour`, `scenes-place` and `scenes-mood` were tuned on captions that always name the colour, the
place or the mood, and the other two in a tenth of cases.
"""
)

TUNED_CARD = (
    FRONT
    + """
# scenes-{style}

`scenes` (the folder beside this one), decoder tuned on captions that always name the {style}, and on questions as
before. Image encoder and projector are those of `scenes`.

`python specs/models/scenes.py --only tuned` makes it again.

| | |
|---|---|
| seed | {seed} |
| scenes, each drawn once | {images:,} |
| steps of {batch} scenes | {steps} |
| highest learning rate (AdamW, no decay) | {rate:g} |
| time, one thread | {minutes} CPU minutes |

## On the test scenes

{table}
"""
)

STRIKING = {
    "colour": "red and yellow", "place": "the sea, the night", "mood": "gloomy pictures", "size": "large things",
    "position": "on the left, at the top", "second": "stars and hearts",
}  # fmt: skip


def write_cards(models: Path, data: Path) -> None:
    """Measure all models on the test scenes and write the `README.md` of each."""
    folders = {name: models / name for name in ("scenes", *(f"scenes-{style}" for style in TUNED))}
    for folder in folders.values():
        record(folder, {"test": evaluate(folder, data)})
    made = {name: json.loads((folder / "training.json").read_text("utf-8")) for name, folder in folders.items()}
    base = made["scenes"]
    recipe, figures = base["recipe"], base["figures"]
    text = BASE.format(
        **recipe["size"], **SCENES, seed=recipe["seed"], parameters=figures["parameters"],
        seeing_steps=recipe["seeing"]["steps"], seeing_batch=recipe["seeing"]["batch"],
        seeing_minutes=figures["seeing"]["minutes"], cells_right=figures["seeing"]["cells_right"],
        phases=_phases(recipe["phases"], figures["phases"]), batch=recipe["phases"][0]["batch"], rates=_rates(),
        note=f"\n{base['note']}\n" if "note" in base else "", side=SIDE, cell=CELL, tokens=TOKENS, table=_table(made),
    )  # fmt: skip
    (folders["scenes"] / "README.md").write_text(text, encoding="utf-8")
    for style in TUNED:
        name = f"scenes-{style}"
        one = made[name]
        text = TUNED_CARD.format(
            style=style, seed=one["tuning"]["seed"], **one["tuning"]["phase"], images=one["figures"]["images"],
            minutes=one["figures"]["minutes"], table=_table({"scenes": base, name: one}),
        )  # fmt: skip
        (folders[name] / "README.md").write_text(text, encoding="utf-8")


def _phases(phases: list[dict[str, Any]], figures: list[dict[str, Any]]) -> str:
    lines = []
    for phase, found in zip(phases, figures, strict=True):
        asked = phase["mixture"]["questions"]
        each = f"{phase['mixture']['captions']}, {len(asked)}"
        lines.append(f"| {phase['steps']:,} | {phase['rate']:g} | {each} | {asked.count('yes/no')} | "
                     f"{found['texts']:,} | {found['minutes']:g} |")  # fmt: skip
    return "\n".join(lines)


def _rates() -> str:
    rates: Mapping[str, Rate] = vars(STYLES["mixed"])
    return "\n".join(f"| {name} | {rate.striking:.0%} | {rate.plain:.0%} | {STRIKING[name]} |"
                     for name, rate in rates.items())  # fmt: skip


def _table(made: Mapping[str, Mapping[str, Any]]) -> str:
    """Figures × models."""
    lines = [["", *made], ["---"] * (len(made) + 1)]
    for part in ("captions", "answers"):
        names = next(iter(made.values()))["test"][part]
        for name in names:
            found = (one["test"][part].get(name) for one in made.values())
            shown = ("–" if value is None else f"{value:g}" for value in found)
            lines.append([f"{part}: {name.replace('_', ' ')}", *shown])
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)
