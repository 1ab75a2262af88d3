"""Generating text: variants of one model on the same prompts run as rows of one batch."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from steerlang.data import CARRIED
from steerlang.diagnostics import codes
from steerlang.engine.operation import Context, Task
from steerlang.engine.payload import Payload
from steerlang.graph.node import Node
from steerlang.models.actions import Recipe
from steerlang.models.generation import Generated, Sampling, generate
from steerlang.models.loading import LoadedModel
from steerlang.models.prompts import without_text
from steerlang.models.scopes import AtText
from steerlang.models.scoring import ScoredText, gates_opened
from steerlang.models.tokens import TokenisedItem, tokenise

from .base import fail
from .model_errors import as_diagnostics
from .origins import identity_of
from .recipes import recipe_of
from .rendering import vocabulary_of, within
from .resources import Resources
from .showing import beside, items_of
from .text import text_of


class Generate:
    """One batch for all variants: each prompt is a row for each of them, with the recipe of its variant."""

    def run(self, tasks: Sequence[Task], context: Context) -> Iterator[tuple[Node, Payload]]:
        resources: Any = context.resources
        with as_diagnostics():
            yield from _together(tasks, context, resources)


def _together(tasks: Sequence[Task], context: Context, resources: Resources) -> Iterator[tuple[Node, Payload]]:
    recipes: list[Recipe] = []
    for task in tasks:
        base, recipe = recipe_of(task.node.inputs[0], task.value)
        recipes.append(recipe)
    loaded = resources.model(base, tasks[0].value)
    rows = tasks[0].value(tasks[0].node.inputs[1]).rows
    by_text = any(isinstance(action.tokens, AtText) for recipe in recipes for action in recipe)
    prompts = items_of(loaded, rows, tasks[0].node.inputs[1], answer=True, by_text=by_text)
    options: Any = tasks[0].node.options
    within(loaded.model, prompts, options["max_new_tokens"])
    count = len(prompts)
    unmatched = [_unmatched(recipe, prompts) for recipe in recipes]
    context.progress(0, count * len(tasks), "replies")
    made = generate(
        loaded,
        prompts * len(tasks),
        max_new_tokens=options["max_new_tokens"],
        recipes=recipes,
        rows=[v for v in range(len(tasks)) for _ in range(count)],
        sampling=_sampling(options),
        # The same noise for a prompt whatever the variant: differences come from steering alone.
        noise_rows=[i for _ in tasks for i in range(count)],
        batch_tokens=resources.batch_tokens,
    )
    context.progress(count * len(tasks), count * len(tasks), "replies")
    meta = {"identity": identity_of(base), "vocabulary": vocabulary_of(loaded.tokenizer)}
    for number, task in enumerate(tasks):
        said = {**meta, "unmatched": unmatched[number]} if unmatched[number] else meta
        own = made[number * count : (number + 1) * count]
        opened = _opened(loaded, recipes[number], prompts, own, resources.reading_tokens(loaded))
        if opened is not None:
            said = {**said, "gate": {"open": sum(opened), "of": count}}
        yield task.node, _payload(task, said, rows, prompts, own, opened)


def _opened(
    loaded: LoadedModel,
    recipe: Recipe,
    prompts: Sequence[TokenisedItem],
    made: Sequence[Generated],
    batch_tokens: int,
) -> list[bool] | None:
    """On which prompts some gate was open while they or their replies were read, from one more pass over both; None
    where no action has a gate, and for models with an encoder, which read the two apart."""
    if loaded.layout.encoder is not None or all(action.gate is None for action in recipe):
        return None
    texts = [ScoredText(prompt, reply.ids) for prompt, reply in zip(prompts, made, strict=True)]
    found = gates_opened(loaded, texts, recipe, batch_tokens=batch_tokens)
    return None if found is None else [bool(x) for x in found]


def _unmatched(recipe: Recipe, prompts: Sequence[TokenisedItem]) -> dict[str, int]:
    """Texts at which tokens are steered, by how many prompts lack them; one that all prompts lack is an error."""
    found = without_text(recipe, prompts)
    for text, missing in found.items():
        if missing == len(prompts):
            raise fail(
                codes.TOKEN_NOT_FOUND,
                f"`{text}`, at which tokens are steered, occurs in none of {missing} prompts",
                "write the text as it stands in the prompts, or steer other tokens",
            )
    return found


def _sampling(options: Any) -> Sampling | None:
    if options["method"]["name"] == "greedy":
        return None
    chosen = options["method"]["options"]
    return Sampling(options["seed"], float(chosen["temperature"]), float(chosen["top_p"]), chosen["top_k"] or 0)


def _payload(
    task: Task,
    meta: dict[str, Any],
    rows: Sequence[dict[str, Any]],
    prompts: Sequence[TokenisedItem],
    made: Sequence[Generated],
    opened: Sequence[bool] | None,
) -> Payload:
    found = [
        {
            "id": row["id"],
            "prompt": row.get("shown", text_of(row)),
            "completion": reply.text,
            "prompt_ids": list(item.ids),
            "completion_ids": list(reply.ids),
            "finish": reply.finish,
            **_handed_on(row),
        }
        for row, item, reply in zip(rows, prompts, made, strict=True)
    ]
    if opened is not None:
        found = [{**row, "gate_open": is_open} for row, is_open in zip(found, opened, strict=True)]
    return Payload("samples", {**meta, "method": task.node.options["method"]}, rows=tuple(found))


def _handed_on(row: dict[str, Any]) -> dict[str, Any]:
    """What goes along with the text of a row: what metrics compare it with, and its image to be read again."""
    image = ("image", "line", "system") if "image" in row else ()
    return {name: row[name] for name in (*CARRIED, *image) if name in row}


def continue_texts(
    loaded: LoadedModel, recipes: Sequence[Recipe], rows: Sequence[int], texts: Sequence[str], max_new_tokens: int,
    images: Sequence[str] | None = None,
) -> list[str]:  # fmt: skip
    """Greedy continuations of plain texts, text i under recipe `rows[i]`; or of prompts, each beside its image."""
    if not texts:
        return []
    items = tokenise(loaded.tokenizer, texts) if images is None else beside(loaded, texts, images)
    return [r.text for r in generate(loaded, items, max_new_tokens=max_new_tokens, recipes=recipes, rows=rows)]


OPERATIONS = {"generate": Generate()}
