"""What steering costs while text is generated: a vector at every layer, against the same decoding unsteered.

    python benchmarks/generation.py [--no-peers]

Greedy, 8 prompts of 12 tokens, 16 new tokens, on two random Llamas; and the same for other libraries, each against its
own unsteered decoding.
"""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import peers
import torch
from floor import library_generate
from measuring import Table, median, one_thread, ratio, take_turns, verdict, write
from random_models import MIDDLE, SMALL, Size, save_model

from steerlang.models import LoadedModel, TokenisedItem, load
from steerlang.models.actions import Add, Operator, Recipe, Rotate, SteeringAction
from steerlang.models.generation import generate
from steerlang.models.overlay import Overlay
from steerlang.models.sites import Site

BATCH, PROMPT, STEPS = 8, 12, 16
ROUNDS = {SMALL: 15, MIDDLE: 5}
TARGETS = {"add": 1.02, "three vectors": 1.02, "add, norm = keep": 1.08, "rotate": 1.08}
OPERATORS: dict[str, Operator] = {"add": Add(), "add, norm = keep": Add("keep"), "rotate": Rotate()}
LOOP = 0.8
LOOPS = {
    "ours": "steerlang, own loop (constant additions are biases)",
    "library": "steerlang, `model.generate` in an overlay",
}


def recipe(operator: Operator, loaded: LoadedModel) -> Recipe:
    """A small vector at every layer."""
    directions = {layer: torch.full((1, loaded.layout.width), 0.01) for layer in range(loaded.layout.depth)}
    return (SteeringAction(operator, Site("residual"), directions, (1.0,)),)


def ways(loaded: LoadedModel) -> dict[str, Recipe]:
    """What is done at every layer, by name."""
    found = {name: recipe(operator, loaded) for name, operator in OPERATORS.items()}
    return {**found, "three vectors": found["add"] * 3}


def variants(loaded: LoadedModel, ids: torch.Tensor) -> dict[str, Callable[[], Any]]:
    """Both decoding loops, ours and the library's: bare, and steered in each way; and ours with a hook by row."""
    prompts = [TokenisedItem(tuple(row)) for row in ids.tolist()]

    def ours(*recipes: Recipe) -> Callable[[], Any]:
        return lambda: generate(loaded, prompts, max_new_tokens=STEPS, recipes=recipes or ((),))

    def inside(made: Recipe) -> Callable[[], Any]:
        def run() -> Any:
            with Overlay(loaded, (made,)):
                return library_generate(loaded.model, ids, STEPS)

        return run

    bare = ours()

    def least() -> Any:
        delta = torch.full((loaded.layout.width,), 0.01)
        hooks = [b.register_forward_hook(lambda _, __, h: h.add_(delta)) for b in loaded.layout.blocks]
        try:
            return bare()
        finally:
            for hook in hooks:
                hook.remove()

    found = {"ours": bare, "least": least, "library": lambda: library_generate(loaded.model, ids, STEPS)}
    for name, made in ways(loaded).items():
        found[f"ours, {name}"], found[f"library, {name}"] = ours(made), inside(made)
    rows = [i % 2 for i in range(BATCH)]
    two = [recipe(Add(), loaded), recipe(Add(), loaded)]
    found["by row"] = lambda: generate(loaded, prompts, max_new_tokens=STEPS, recipes=two, rows=rows)
    return found


def same_tokens(acts: dict[str, Callable[[], Any]]) -> None:
    """Both loops give the same tokens, steered or not."""
    for name in ("", *(f", {way}" for way in TARGETS)):
        ours = [list(reply.ids) for reply in acts[f"ours{name}"]()]
        assert ours == acts[f"library{name}"]()[:, PROMPT:].tolist(), f"the loops differ{name}"


def measure(folder: Path, size: Size, table: Table, loops: Table, with_peers: bool) -> None:
    place = save_model(folder, size)
    ids = torch.randint(1, size.vocabulary, (BATCH, PROMPT), generator=torch.Generator().manual_seed(0))
    acts = variants(load(place), ids)
    same_tokens(acts)
    times = take_turns(acts, ROUNDS[size])
    least = "least hook: an addition in place, our loop"
    table.add(size.label, least, "add", median(times, "ours"), ratio(times, "least", "ours"), "the limit")
    table.add(
        size.label, "steerlang, own loop, a recipe a row", "add", median(times, "ours"),
        ratio(times, "by row", "ours"), "",
    )
    most = 0.0
    for loop in ("ours", "library"):
        what = LOOPS[loop]
        for name, target in TARGETS.items():
            found = ratio(times, f"{loop}, {name}", loop)
            most = max(most, found) if name == "add" else most
            table.add(size.label, what, name, median(times, loop), found, verdict(found, target))
    relation = ratio(times, "ours", "library")
    loops.add(size.label, median(times, "library"), median(times, "ours"), relation, verdict(relation, LOOP))
    given = {"model": str(place), "ids": ids.tolist(), "steps": STEPS, "rounds": ROUNDS[size]}
    for peer, result in (peers.measure("generation", given) if with_peers else {}).items():
        found = result["ratios"]["steered"]
        label = f"{peer} {result['versions'][peer]} (transformers {result['versions']['transformers']})"
        lower = "steerlang is lower" if most < found else "steerlang is not lower"
        table.add(size.label, label, "add", result["seconds"]["unsteered"], found, lower)


def main() -> None:
    one_thread()
    table = Table(
        "Steered generation, in times the same decoding unsteered",
        ("layers × width", "what", "operator", "unsteered, CPU s", "steered, ×", "target"),
        notes=[f"{BATCH} prompts of {PROMPT} tokens, {STEPS} new tokens, one vector at every layer, every token."],
    )
    loops = Table(
        "Unsteered decoding: our loop and the library's, same tokens",
        ("layers × width", "library, CPU s", "steerlang, CPU s", "ratio", "target"),
    )
    with tempfile.TemporaryDirectory() as folder:
        for size in (SMALL, MIDDLE):
            measure(Path(folder), size, table, loops, "--no-peers" not in sys.argv)
            write("generation", [table, loops])


if __name__ == "__main__":
    main()
