"""What gates, schedules and norms cost while text is generated, against the same decoding unsteered or ungated.

    python benchmarks/conditions.py

Greedy, 8 prompts of 12 tokens, 16 new tokens, on two random Llamas, one thread. Actions are at every layer but the
first, where the gate is read; gates are open, so that all is computed that can be.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from measuring import Table, median, one_thread, ratio, take_turns, verdict, write
from random_models import MIDDLE, SMALL, Size, save_model

from steerlang.models import LoadedModel, Point, TokenisedItem, load
from steerlang.models.actions import Add, Operator, Recipe, Rotate, SteeringAction
from steerlang.models.gates import Compare, CosineTo, Gate, Reading
from steerlang.models.generation import generate
from steerlang.models.schedules import Linear, Schedule
from steerlang.models.sites import RESIDUAL

BATCH, PROMPT, STEPS = 8, 12, 16
ROUNDS = {SMALL: 15, MIDDLE: 5}
# What each variant is held against, and by how much it may be slower.
TARGETS = {
    "three vectors": ("add", 1.02),
    "add, norm = keep": ("unsteered", 1.08),
    "rotate": ("unsteered", 1.08),
    "add, gate on the prompt": ("add", 1.05),
    "add, gate at each token": ("add", 1.05),
    "add, schedule": ("add", 1.05),
}


def variants(loaded: LoadedModel) -> dict[str, Recipe]:
    """Recipes by what they show."""

    def action(operator: Operator, schedule: Schedule | None = None, gate: Gate | None = None) -> SteeringAction:
        vectors = {layer: torch.full((1, loaded.layout.width), 0.01) for layer in range(1, loaded.layout.depth)}
        return SteeringAction(operator, RESIDUAL, vectors, (0.1,), schedule=schedule, gate=gate)

    def gate(each: Any) -> Gate:
        return Compare(Reading(CosineTo(), Point(RESIDUAL, 0), torch.ones(loaded.layout.width), each=each), ">", -2.0)

    return {
        "unsteered": (),
        "add": (action(Add()),),
        "three vectors": tuple(action(Add()) for _ in range(3)),
        "add, norm = keep": (action(Add("keep")),),
        "rotate": (action(Rotate()),),
        "add, gate on the prompt": (action(Add(), gate=gate("prompt")),),
        "add, gate at each token": (action(Add(), gate=gate("token")),),
        "add, schedule": (action(Add(), Linear(1.0, 0.5, 8)),),
    }


def measure(folder: Path, size: Size, table: Table) -> None:
    loaded = load(save_model(folder, size))
    ids = torch.randint(1, size.vocabulary, (BATCH, PROMPT), generator=torch.Generator().manual_seed(0))
    prompts = [TokenisedItem(tuple(row)) for row in ids.tolist()]

    def acting(recipe: Recipe) -> Callable[[], Any]:
        return lambda: generate(loaded, prompts, max_new_tokens=STEPS, recipes=(recipe,))

    times = take_turns({name: acting(recipe) for name, recipe in variants(loaded).items()}, ROUNDS[size])
    for name, (against, target) in TARGETS.items():
        found = ratio(times, name, against)
        table.add(size.label, name, against, median(times, against), found, verdict(found, target))


def main() -> None:
    one_thread()
    table = Table(
        "Gates, schedules and norms while text is generated",
        ("layers × width", "steered by", "against", "CPU s", "×", "target"),
        notes=[f"{BATCH} prompts of {PROMPT} tokens, {STEPS} new tokens, one vector at every layer but the first."],
    )
    with tempfile.TemporaryDirectory() as folder:
        for size in (SMALL, MIDDLE):
            measure(Path(folder), size, table)
            write("conditions", [table])


if __name__ == "__main__":
    main()
