"""Directions of what a model does after solved examples: function vectors and task vectors of in-context learning."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import cosine_similarity

from steerlang.data import Template, parse_template
from steerlang.diagnostics import codes
from steerlang.engine.operation import Context, Task
from steerlang.engine.payload import Payload
from steerlang.models.capture import CaptureRequest, capture
from steerlang.models.errors import TooLong
from steerlang.models.in_context import Answers, Begin, Question, answers, indirect_effects, written
from steerlang.models.loading import LoadedModel
from steerlang.models.overlay import Overlay
from steerlang.models.positions import Last
from steerlang.models.prompts import marks_of
from steerlang.models.sites import HEADS, RESIDUAL, Site, points
from steerlang.models.tokens import TokenisedItem, tokenise

from .base import Single, fail
from .model_errors import as_diagnostics
from .origins import identity_of
from .recipes import recipe_of
from .vector import SteeringVector


@dataclass(frozen=True)
class Exercise:
    """The texts of one prompt: the query after true examples, after the same with other rows' answers, and alone; and
    the answer that follows each of them."""

    true: str
    shuffled: str
    alone: str
    answer: str


def exercises(rows: Sequence[dict[str, Any]], options: dict[str, Any], seed: int) -> list[Exercise]:
    """Prompts of `shots` examples and a query, each drawn without replacement by (seed, its number) alone.

    Blanks before the answer belong to the answer, as tokenizers have it. In the shuffled prompt each answer is that of
    another row, drawn at random (Todd et al., 2024, §2.3).
    """
    template = parse_template(options["form"])
    assert isinstance(template, Template)
    made = []
    for number in range(options["prompts"]):
        random = np.random.default_rng([seed, number])
        *shots, query = random.permutation(len(rows))[: options["shots"] + 1].tolist()
        others = [(shot + 1 + random.integers(len(rows) - 1)) % len(rows) for shot in shots]
        ask = _form(template, str(rows[query]["source"]), "")
        opening = ask.rstrip(" ")
        true, shuffled = (
            options["separator"].join(
                [*(_form(template, str(rows[s]["source"]), str(rows[a]["target"])) for s, a in pairs), opening]
            )
            for pairs in (zip(shots, shots, strict=True), zip(shots, others, strict=True))
        )
        made.append(Exercise(true, shuffled, opening, ask[len(opening) :] + str(rows[query]["target"])))
    return made


def _form(template: Template, source: str, target: str) -> str:
    return "".join(text + {"source": source, "target": target, None: ""}[name] for text, name in template.pieces)


@dataclass(frozen=True, eq=False)
class _Reader:
    """A model, steered or not, and how its passes begin."""

    loaded: LoadedModel
    overlay: Overlay | None
    batch_tokens: int

    def questions(self, texts: Sequence[str], wanted: Sequence[str]) -> list[Question]:
        items = tokenise(self.loaded.tokenizer, texts)
        whole = tokenise(self.loaded.tokenizer, [t + a for t, a in zip(texts, wanted, strict=True)])
        return [Question(i, self._answer(i, w, a)) for i, w, a in zip(items, whole, wanted, strict=True)]

    def _answer(self, item: TokenisedItem, whole: TokenisedItem, answer: str) -> int:
        """The first token of an answer: as it follows the prompt, or where the two run together, by itself."""
        if whole.ids[: len(item)] == item.ids and len(whole) > len(item):
            return whole.ids[len(item)]
        return tokenise(self.loaded.tokenizer, [answer], add_special_tokens=False)[0].ids[0]

    def answers(self, questions: Sequence[Question]) -> Answers:
        return answers(self.loaded, questions, batch_tokens=self.batch_tokens, begin=self.begin)

    def states(self, questions: Sequence[Question], site: Site, layers: Sequence[int]) -> Tensor:
        """States at the last token of each prompt ``[n, L, width]``."""
        items = [q.item for q in questions]
        request = CaptureRequest(tuple(range(len(items))), points(site, layers), Last())
        begin = None if self.begin is None else lambda batch: self._begin([items[i] for i in batch])
        (found,) = capture(self.loaded, items, [request], batch_tokens=self.batch_tokens, begin=begin)
        return torch.from_numpy(found.states)

    @property
    def begin(self) -> Begin | None:
        return None if self.overlay is None else self._begin

    def _begin(self, items: Sequence[TokenisedItem]) -> None:
        assert self.overlay is not None
        marks = marks_of(self.overlay.scopes, items, self.loaded.device)
        self.overlay.begin(prompt_lengths=[len(item) for item in items], marks=marks)


def _extract(task: Task, context: Context, make: Any) -> Payload:
    resources: Any = context.resources
    options: Any = task.node.options
    rows = task.value(task.node.inputs[1]).rows
    given = exercises(rows, options["method"]["options"], options["seed"])
    with as_diagnostics():
        base, recipe = recipe_of(task.node.inputs[0], task.value)
        loaded = resources.model(base, task.value)
        with Overlay(loaded, (recipe,)) if recipe else nullcontext() as overlay:
            reader = _Reader(loaded, overlay, resources.reading_tokens(loaded))
            found = _within(make, reader, given, options, context)
    if not bool(found.directions.any()):
        raise fail(codes.ZERO_DIRECTION, "the direction has no length in any layer", "give other examples")
    provenance = {"data": [task.node.inputs[1].key], "prompts": len(given), "seed": options["seed"], **found.record}
    return SteeringVector(
        tuple(options["layers"]),
        found.directions.numpy(),
        found.states.norm(dim=-1).mean(0).numpy(),
        {"select": "residual"},
        {"select": "last"},
        {"id": base.locators.get("name", ""), "identity": identity_of(base)},
        options["method"],
        _report(found),
        provenance,
        _largest(found).numpy(),
    ).payload()


def _within(make: Any, reader: _Reader, given: Sequence[Exercise], options: Any, context: Context) -> _Found:
    """What `make` finds; prompts that the model has no positions for are said as what they are."""
    try:
        found: _Found = make(reader, given, options, context)
    except TooLong as long:
        shots = options["method"]["options"]["shots"]
        message = f"a prompt of {shots} examples has {long.length} tokens, and the model has {long.limit} positions"
        raise fail(codes.OUT_OF_BOUNDS, message, "take fewer `shots`, or shorter pairs") from long
    return found


@dataclass(frozen=True, eq=False)
class _Found:
    """Directions ``[L, D]``, those of two halves of the prompts, the states there ``[n, L, D]``, and what to record."""

    directions: Tensor
    halves: tuple[Tensor, Tensor] | None
    states: Tensor
    record: dict[str, Any]


def _function_vector(reader: _Reader, given: Sequence[Exercise], options: Any, context: Context) -> _Found:
    """Σ over the top heads of W_O ā_lj, the same in every layer asked for."""
    loaded, layout = reader.loaded, reader.loaded.layout
    wanted = [e.answer for e in given]
    true, shuffled = (reader.questions([getattr(e, n) for e in given], wanted) for n in ("true", "shuffled"))
    outputs = reader.states(true, HEADS, range(layout.depth))
    context.progress(0, layout.depth, "layers")
    effects = indirect_effects(
        loaded, shuffled, outputs.mean(0), batch_tokens=reader.batch_tokens, begin=reader.begin
    )
    context.progress(layout.depth, layout.depth, "layers")
    count = options["method"]["options"]["heads"]
    if count > effects.numel():
        message = f"{count} heads are asked for, and the model has {effects.numel()}"
        raise fail(codes.OUT_OF_BOUNDS, message, f"give at most {effects.numel()}")
    ranked = effects.flatten().argsort(descending=True, stable=True)[:count].tolist()
    chosen = [divmod(place, layout.heads) for place in ranked]
    layers = options["layers"]
    sums = partial(_summed, loaded, chosen)
    half = len(given) // 2
    halves = (sums(outputs[:half].mean(0)), sums(outputs[half:].mean(0))) if half else None
    record = {
        "heads": [[layer, head, float(effects[layer, head])] for layer, head in chosen],
        **_answered(reader, {"examples": true, "shuffled": shuffled, "alone": _alone(reader, given)}),
    }
    return _Found(
        sums(outputs.mean(0)).expand(len(layers), -1).contiguous(),
        None if halves is None else (halves[0].expand(len(layers), -1), halves[1].expand(len(layers), -1)),
        reader.states(true, RESIDUAL, layers),
        record,
    )


def _summed(loaded: LoadedModel, chosen: Sequence[tuple[int, int]], means: Tensor) -> Tensor:
    """What some heads add to the residual stream ``[D]``, given all heads' mean outputs ``[L, H·d]``."""
    total = torch.zeros(loaded.layout.width, dtype=torch.float64)
    width = means.shape[1] // loaded.layout.heads
    for layer, head in chosen:
        alone = torch.zeros_like(means[:1])
        part = slice(head * width, (head + 1) * width)
        alone[0, part] = means[layer, part]
        total += written(loaded, layer, alone)[0].double()
    return total.float()


def _task_vector(reader: _Reader, given: Sequence[Exercise], options: Any, _: Context) -> _Found:
    """The state at the last token, after the examples and a dummy query, averaged over prompts."""
    true = reader.questions([e.true for e in given], [e.answer for e in given])
    states = reader.states(true, RESIDUAL, options["layers"])
    half = len(given) // 2
    halves = (states[:half].mean(0), states[half:].mean(0)) if half else None
    record = _answered(reader, {"examples": true, "alone": _alone(reader, given)})
    return _Found(states.double().mean(0).float(), halves, states, record)


def _alone(reader: _Reader, given: Sequence[Exercise]) -> list[Question]:
    return reader.questions([e.alone for e in given], [e.answer for e in given])


def _answered(reader: _Reader, asked: dict[str, list[Question]]) -> dict[str, Any]:
    """How often, and how likely, the first token of the answer follows each form of the prompts."""
    found = {name: reader.answers(questions) for name, questions in asked.items()}
    return {
        "accuracy": {name: float(f.first.double().mean()) for name, f in found.items()},
        "answer_probability": {name: float(f.probability.double().mean()) for name, f in found.items()},
    }


def _report(found: _Found) -> dict[str, list[float] | None]:
    """The extraction report; what is defined by two sides stays out."""
    halves = None if found.halves is None else cosine_similarity(found.halves[0], found.halves[1], dim=-1).tolist()
    return {
        "direction_norm": found.directions.norm(dim=-1).tolist(),
        "state_norm": found.states.norm(dim=-1).mean(0).tolist(),
        "variance_explained": None,
        "cosine_to_mean_difference": None,
        "split_half_cosine": halves,
        "held_out_auc": None,
    }


def _largest(found: _Found) -> Tensor:
    unit = torch.nn.functional.normalize(found.directions, dim=-1, eps=1e-30)
    return torch.einsum("nld,ld->nl", found.states, unit).abs().amax(0)


OPERATIONS = {
    "extract.function_vector": Single(partial(_extract, make=_function_vector)),
    "extract.task_vector_icl": Single(partial(_extract, make=_task_vector)),
}
