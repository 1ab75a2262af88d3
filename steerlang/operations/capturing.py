"""Reading states: any number of captures on one model in one pass over the union of their texts."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import nullcontext
from dataclasses import replace
from functools import partial
from typing import Any

from steerlang.diagnostics import codes
from steerlang.engine.operation import Context, Task
from steerlang.engine.payload import Payload
from steerlang.engine.tensors import draft
from steerlang.graph.node import Node
from steerlang.models.capture import CaptureRequest, CaptureResult, capture, result_shape
from steerlang.models.errors import NonFinite
from steerlang.models.loading import LoadedModel
from steerlang.models.overlay import Overlay
from steerlang.models.prompts import marks_of
from steerlang.models.replies import reply_item, spelled
from steerlang.models.scopes import AtText
from steerlang.models.tokens import TokenisedItem

from .base import fail
from .model_errors import as_diagnostics
from .options import points, tokens_read
from .recipes import recipe_of
from .rendering import vocabulary_of, within
from .resources import Resources
from .showing import has_images, items_of, replied, with_references

# What makes two texts one item: their tokens, where the prompt ends, which tokens are the assistant's, and the image.
_Same = tuple[tuple[int, ...], int, tuple[int, ...], str]


class Capture:
    """Captures that share a model are one pass: unique texts, the deepest layer anyone reads, only positions read."""

    def run(self, tasks: Sequence[Task], context: Context) -> Iterator[tuple[Node, Payload]]:
        resources: Any = context.resources
        with as_diagnostics():
            yield from _pass(tasks, context, resources)


def _pass(tasks: Sequence[Task], context: Context, resources: Resources) -> Iterator[tuple[Node, Payload]]:
    base, recipe = recipe_of(tasks[0].node.inputs[0], tasks[0].value)
    loaded = resources.model(base, tasks[0].value)
    unique: dict[_Same, int] = {}
    items: list[TokenisedItem] = []
    by_text = any(isinstance(action.tokens, AtText) for action in recipe) or any(_by_text(task) for task in tasks)
    wanted = [_unique(_items(task, loaded, by_text), unique, items) for task in tasks]
    requests, drafts = [], []
    for number, (task, indices) in enumerate(zip(tasks, wanted, strict=True)):
        request, states = _request(task, indices, loaded, items, context, number)
        requests.append(request)
        drafts.append(states)
    context.progress(0, len(items), "texts")
    with Overlay(loaded, (recipe,)) if recipe else nullcontext() as overlay:
        begin = None if overlay is None else partial(_begin, overlay, loaded, items)
        try:
            found = capture(loaded, items, requests, batch_tokens=resources.reading_tokens(loaded), begin=begin)
        except NonFinite as bad:
            raise _unusable(bad, tasks, wanted) from bad
    context.progress(len(items), len(items), "texts")
    for task, result, states in zip(tasks, found, drafts, strict=True):
        if result.found.any():
            yield task.node, _payload(task, result, states)
    # What others of the pass have read is kept.
    for task, result in zip(tasks, found, strict=True):
        if not result.found.any():
            raise _nowhere(task, len(result.found))


def _unusable(bad: NonFinite, tasks: Sequence[Task], wanted: Sequence[tuple[int, ...]]) -> Exception:
    """A state that is not finite, by the row of the data it was read for."""
    role, row = next(
        (str(task.node.options["role"]), indices.index(bad.row))
        for task, indices in zip(tasks, wanted, strict=True)
        if bad.row in indices
    )
    side = "" if role in ("text", "reference") else f" ({role})"
    where = f"{bad.site} of layer {bad.layer}"
    return fail(codes.NON_FINITE, f"the state of row {row + 1}{side} at {where} is not finite", bad.help)


def _begin(overlay: Overlay, loaded: LoadedModel, items: Sequence[TokenisedItem], batch: Sequence[int]) -> None:
    """Tells an overlay where the prompts of a batch end: texts that are read are all prompt, replies are not."""
    by_text = any(isinstance(scope, AtText) for scope in overlay.scopes)
    prompts = [
        replace(spelled(loaded.tokenizer, item.ids[: item.prompt]), image=item.image)
            if item.prompt and by_text
            else item
        for item in (items[i] for i in batch)
    ]
    marks = marks_of(overlay.scopes, prompts, loaded.device)
    overlay.begin(prompt_lengths=[items[i].prompt or len(items[i]) for i in batch], marks=marks)


def _by_text(task: Task) -> bool:
    options: Any = task.node.options
    return options["tokens"]["select"] in ("at", "predicting", "before")


def _items(task: Task, loaded: LoadedModel, by_text: bool) -> list[TokenisedItem]:
    given = task.value(task.node.inputs[1])
    if given.kind == "samples":
        items = _replies(given, loaded, task.node.inputs[1])
    elif task.node.options["role"] == "reference":
        items = with_references(loaded, given.rows, task.node.inputs[1])
    else:
        role = str(task.node.options["role"])
        items = items_of(loaded, given.rows, task.node.inputs[1], role, answer=False, by_text=by_text)
    within(loaded.model, items)
    return items


def _replies(samples: Payload, loaded: LoadedModel, node: Node) -> list[TokenisedItem]:
    """Generated texts after their prompts, token for token; the token that ended a text is no part of it."""
    if samples.meta.get("vocabulary") != vocabulary_of(loaded.tokenizer):
        raise fail(
            codes.UNREADABLE_MODEL,
            "the texts were generated by a model with another vocabulary, so this one cannot read their tokens",
            "capture with a model of the same tokenizer",
        )
    if has_images(samples.rows):
        return replied(loaded, samples.rows, node)
    ended = [row["completion_ids"][: -1 if row["finish"] == "end" else None] for row in samples.rows]
    return [reply_item(loaded.tokenizer, r["prompt_ids"], ids) for r, ids in zip(samples.rows, ended, strict=True)]


def _unique(found: list[TokenisedItem], unique: dict[_Same, int], items: list[TokenisedItem]) -> tuple[int, ...]:
    """Where each text stands among the unique ones; new ones are added."""
    indices = []
    for item in found:
        path = "" if item.picture is None else item.picture.path
        index = unique.setdefault((item.ids, item.prompt, item.assistant, path), len(items))
        if index == len(items):
            items.append(item)
        indices.append(index)
    return tuple(indices)


def _request(
    task: Task, indices: tuple[int, ...], loaded: LoadedModel, items: list[TokenisedItem], context: Context, number: int
) -> tuple[CaptureRequest, Any]:
    """A request that writes into a file of the store, so that memory does not grow with the number of texts."""
    options = task.node.options
    request = CaptureRequest(indices, points(options["points"]), tokens_read(options["tokens"]))
    states = draft(context.temp, f"states-{number}", {"states": (result_shape(loaded, items, request), "float32")})
    return CaptureRequest(indices, request.points, request.selector, states["states"]), states


def _nowhere(task: Task, texts: int) -> Exception:
    """The token that is read is in none of the texts."""
    select: Any = task.node.options["tokens"]
    message = f"`{select['select']}` matches no token in any of {texts} texts"
    return fail(codes.TOKEN_NOT_FOUND, message, "look at the rendered texts with `steerlang plan`")


def _payload(task: Task, result: CaptureResult, states: Any) -> Payload:
    options = task.node.options
    meta: dict[str, Any] = {
        "points": options["points"],
        "tokens": options["tokens"],
        "found": [bool(f) for f in result.found],
        "offsets": [int(o) for o in result.offsets],
    }
    return Payload("states", meta, states)


OPERATIONS = {"capture": Capture()}
