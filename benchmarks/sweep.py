"""A sweep over 8 scales of 16 prompts: all scales as rows of one batch, against one run a scale.

    python benchmarks/sweep.py
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from measuring import Table, at_least, median, one_thread, ratio, take_turns, write
from random_models import MIDDLE, SMALL, Size, save_model, save_pairs, sentences

import steerlang
from steerlang.api import Settings
from steerlang.models import load
from steerlang.models.actions import Add, Recipe, SteeringAction
from steerlang.models.generation import generate
from steerlang.models.loading import LoadedModel
from steerlang.models.overlay import Overlay
from steerlang.models.scopes import AllTokens, GeneratedTokens
from steerlang.models.sites import Site
from steerlang.models.tokens import TokenisedItem, tokenise

SCALES = tuple(0.01 * i for i in range(8))
PROMPTS, STEPS, ROUNDS, TARGET = 16, 24, 7, 3.5

#: What is compared: what it is called, the variant together, the variant one scale after another.
COMPARED = (
    ("all tokens; `model.generate` a scale", "rows, all", "library, all"),
    ("all tokens; our loop a scale", "rows, all", "one by one, all"),
    ("generated tokens; `model.generate` a scale", "rows, generated", "library, generated"),
    ("generated tokens; our loop a scale", "rows, generated", "one by one, generated"),
    ("whole programs", "program", "programs"),
)

PROGRAM = """steerlang 1
model   base  = hf("{model}")
data    pairs = jsonl("pairs.jsonl", source = "before", target = "after")
sweep   s     = {scales}
vector  v     = extract(base, pairs)
model   by    = apply(base, add(v, scale = s))
samples out   = generate(by, lines("prompts.txt"), max_new_tokens = {steps})
metric  ratio = distinct(out)
expect  some  = ratio[s = {first}] >= 0
"""


def program(folder: Path, size: Size, scales: tuple[float, ...], name: str) -> Path:
    path = folder / f"{name}.steer"
    shown = "[" + ", ".join(f"{s:.2f}" for s in scales) + "]"
    path.write_text(PROGRAM.format(model=size.name, scales=shown, steps=STEPS, first=f"{scales[0]:.2f}"))
    return path


def run(paths: list[Path], folder: Path) -> None:
    """Runs programs one after another, each with a store of its own."""
    for path in paths:
        with tempfile.TemporaryDirectory(dir=folder) as cache:
            settings = Settings(cache_dir=Path(cache), threads=1, device="cpu")
            found = steerlang.load(path, settings=settings).run(targets=["out"])
            assert found.outcome == "done", found.diagnostics


def library_one_by_one(loaded: LoadedModel, prompts: list[TokenisedItem], recipes: list[Recipe]) -> None:
    """What one would write without steerlang's loop: `model.generate` on a padded batch, a scale after another."""
    longest = max(len(p) for p in prompts)
    ids = torch.tensor([[0] * (longest - len(p)) + list(p.ids) for p in prompts])
    mask = torch.tensor([[0] * (longest - len(p)) + [1] * len(p) for p in prompts])
    for recipe in recipes:
        with Overlay(loaded, (recipe,)), torch.inference_mode():
            loaded.model.generate(
                ids, attention_mask=mask, max_new_tokens=STEPS, min_new_tokens=STEPS, do_sample=False, pad_token_id=0
            )


def variants(folder: Path, size: Size) -> dict[str, Callable[[], Any]]:
    place = save_model(folder, size)
    save_pairs(folder / "pairs.jsonl", 4, size, 8, 12)
    texts = sentences(PROMPTS, size, 10, 14, seed=1)
    (folder / "prompts.txt").write_text("\n".join(texts) + "\n")
    loaded = load(place)
    prompts = tokenise(loaded.tokenizer, texts)
    directions = {layer: torch.full((1, size.width), 0.01) for layer in range(size.layers)}
    rows = [v for v in range(len(SCALES)) for _ in prompts]
    found: dict[str, Callable[[], Any]] = {}
    for name, scope in (("all", AllTokens()), ("generated", GeneratedTokens())):
        recipes: list[Recipe] = [
            (SteeringAction(Add(), Site("residual"), directions, (s,), scope),) for s in SCALES
        ]

        def together(recipes: list[Recipe] = recipes) -> None:
            many = prompts * len(SCALES)
            generate(loaded, many, max_new_tokens=STEPS, recipes=recipes, rows=rows, batch_tokens=8192)

        def alone(recipes: list[Recipe] = recipes) -> None:
            for one in recipes:
                generate(loaded, prompts, max_new_tokens=STEPS, recipes=(one,))

        found |= {
            f"rows, {name}": together,
            f"one by one, {name}": alone,
            f"library, {name}": lambda recipes=recipes: library_one_by_one(loaded, prompts, recipes),
        }
    if size is SMALL:
        whole = program(folder, size, SCALES, "all")
        single = [program(folder, size, (s,), f"one{i}") for i, s in enumerate(SCALES)]
        found |= {"program": lambda: run([whole], folder), "programs": lambda: run(single, folder)}
    return found


def limit() -> Table:
    """What batching can give at all: one bare pass of one token, 128 rows together against 8 passes of 16 rows."""
    table = Table(
        f"The limit: one bare pass of one token, {len(SCALES) * PROMPTS} rows or {len(SCALES)} passes of {PROMPTS}",
        ("layers × width", "together, CPU s", "one after another, CPU s", "times faster"),
        notes=["Where the arithmetic of the rows fills a core, rows cost what they cost, together or not."],
    )
    for size in (SMALL, MIDDLE):
        with tempfile.TemporaryDirectory() as folder:
            model = load(save_model(Path(folder), size)).model
        few = torch.ones(PROMPTS, 1, dtype=torch.long)
        many = few.repeat(len(SCALES), 1)

        def passes(ids: torch.Tensor, count: int, model: Any = model) -> None:
            with torch.inference_mode():
                for _ in range(count):
                    model(input_ids=ids, use_cache=False)

        acts = {"together": lambda p=passes, m=many: p(m, 4), "alone": lambda p=passes, f=few: p(f, 4 * len(SCALES))}
        times = take_turns(acts, ROUNDS)
        table.add(size.label, median(times, "together"), median(times, "alone"), ratio(times, "alone", "together"))
    return table


def main() -> None:
    one_thread()
    table = Table(
        f"{len(SCALES)} scales × {PROMPTS} prompts, {STEPS} new tokens",
        ("layers × width", "what", "together, CPU s", "one run a scale, CPU s", "times faster", "target"),
        notes=["A whole program loads the model, extracts the vector and writes a new store, in every run."],
    )
    for size in (SMALL, MIDDLE):
        with tempfile.TemporaryDirectory() as folder:
            times = take_turns(variants(Path(folder), size), ROUNDS)
        for what, together, alone in COMPARED:
            if together not in times:
                continue
            found = ratio(times, alone, together)
            seconds = median(times, together), median(times, alone)
            table.add(size.label, what, *seconds, found, at_least(found, TARGET))
    write("sweep", [table, limit()])


if __name__ == "__main__":
    main()
