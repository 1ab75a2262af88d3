"""Reading states: any number of captures on one model in one pass over the union of their texts."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import nullcontext
from typing import Any

from steerlang.diagnostics import codes
from steerlang.engine.operation import Context, Task
from steerlang.engine.payload import Payload
from steerlang.engine.tensors import draft
from steerlang.graph.node import Node
from steerlang.models.capture import CaptureRequest, CaptureResult, capture, result_shape
from steerlang.models.loading import LoadedModel
from steerlang.models.overlay import Overlay
from steerlang.models.tokens import TokenisedItem

from .base import fail
from .model_errors import as_diagnostics
from .options import points, tokens_read
from .recipes import recipe_of
from .rendering import tokenised, within
from .resources import Resources


class Capture:
    """Captures that share a model are one pass: unique texts, the deepest layer anyone reads, only positions read."""

    def run(self, tasks: Sequence[Task], context: Context) -> Iterator[tuple[Node, Payload]]:
        resources: Any = context.resources
        with as_diagnostics():
            yield from _pass(tasks, context, resources)


def _pass(tasks: Sequence[Task], context: Context, resources: Resources) -> Iterator[tuple[Node, Payload]]:
    base, recipe = recipe_of(tasks[0].node.inputs[0], tasks[0].value)
    loaded = resources.model(base, tasks[0].value)
    unique: dict[tuple[int, ...], int] = {}
    items: list[TokenisedItem] = []
    wanted = [_unique(_items(task, loaded), unique, items) for task in tasks]
    requests, drafts = [], []
    for number, (task, indices) in enumerate(zip(tasks, wanted, strict=True)):
        request, states = _request(task, indices, loaded, items, context, number)
        requests.append(request)
        drafts.append(states)
    context.progress(0, len(items), "texts")
    with Overlay(loaded, (recipe,)) if recipe else nullcontext():
        found = capture(loaded, items, requests, batch_tokens=resources.reading_tokens(loaded))
    context.progress(len(items), len(items), "texts")
    for task, result, states in zip(tasks, found, drafts, strict=True):
        yield task.node, _payload(task, result, states)


def _items(task: Task, loaded: LoadedModel) -> list[TokenisedItem]:
    rows = task.value(task.node.inputs[1]).rows
    items = tokenised(loaded.tokenizer, rows, str(task.node.options["role"]), answer=False)
    within(loaded.model, items)
    return items


def _unique(
    found: list[TokenisedItem], unique: dict[tuple[int, ...], int], items: list[TokenisedItem]
) -> tuple[int, ...]:
    """Where each text stands among the unique ones; new ones are added."""
    indices = []
    for item in found:
        index = unique.setdefault(item.ids, len(items))
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


def _payload(task: Task, result: CaptureResult, states: Any) -> Payload:
    options = task.node.options
    found = [bool(f) for f in result.found]
    if not any(found):
        select: Any = options["tokens"]
        raise fail(
            codes.TOKEN_NOT_FOUND,
            f"`{select['select']}` matches no token in any of {len(found)} texts",
            "look at the rendered texts with `steerlang plan`",
        )
    meta: dict[str, Any] = {
        "points": options["points"],
        "tokens": options["tokens"],
        "found": found,
        "offsets": [int(o) for o in result.offsets],
    }
    return Payload("states", meta, states)


OPERATIONS = {"capture": Capture()}
