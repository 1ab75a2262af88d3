"""How much each attention head carries of what a model does after solved examples.

Causal mediation on one place at a time (Todd et al., 2024, arXiv 2310.15213): the output of a head at the last token of
a prompt is set to what it is on average after true examples, and the probability of the answer is compared.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from steerlang.models.errors import SiteUnavailable
from steerlang.models.heads import logits
from steerlang.models.loading import LoadedModel
from steerlang.models.sites import HEADS, Point, first_input
from steerlang.models.tokens import TokenisedItem, batches, pad

Begin = Callable[[Sequence[TokenisedItem]], None]


@dataclass(frozen=True)
class Question:
    """A prompt, and the token that answers it."""

    item: TokenisedItem
    answer: int


@dataclass(frozen=True, eq=False)
class Answers:
    """For each question the probability of its answer ``[n]``, float32, and whether that is the likeliest token."""

    probability: Tensor
    first: Tensor


def answers(
    loaded: LoadedModel, questions: Sequence[Question], *, batch_tokens: int = 4096, begin: Begin | None = None
) -> Answers:
    """What the model makes of each question. ``begin`` is called with the prompts of each batch before it runs."""
    probability = torch.zeros(len(questions))
    first = torch.zeros(len(questions), dtype=torch.bool)
    for group, ids in _batches(loaded, questions, batch_tokens):
        batch = [questions[i] for i in group]
        if begin is not None:
            begin([q.item for q in batch])
        table = _next_tokens(loaded, ids, [len(q.item) for q in batch])
        wanted = torch.tensor([q.answer for q in batch], device=table.device)
        probability[group] = table.softmax(-1).gather(-1, wanted[:, None])[:, 0].cpu()
        first[group] = (table.argmax(-1) == wanted).cpu()
    return Answers(probability, first)


def indirect_effects(
    loaded: LoadedModel,
    questions: Sequence[Question],
    means: Tensor,
    *,
    batch_tokens: int = 4096,
    begin: Begin | None = None,
) -> Tensor:
    """Average indirect effect of each head ``[L, H]``: the mean over questions of P(answer | a_lj := ā_lj) − P(answer).

    ``means [L, H·d]`` are the heads' mean outputs, side by side; one head's output at the last token is set at a time.
    All heads of a block run as rows of one batch: L passes over H·n rows.
    """
    layout = loaded.layout
    before = answers(loaded, questions, batch_tokens=batch_tokens, begin=begin).probability
    effects = torch.zeros(layout.depth, layout.heads)
    for layer in range(layout.depth):
        for group, ids in _batches(loaded, questions, max(1, batch_tokens // layout.heads)):
            batch = [questions[i] for i in group]
            patched = _patched(loaded, batch, ids, layer, means[layer], begin)
            effects[layer] += (patched - before[group][:, None]).sum(0)
    return effects / len(questions)


def written(loaded: LoadedModel, layer: int, outputs: Tensor) -> Tensor:
    """What heads' outputs ``[K, H·d]`` add to the residual stream, through the output projection: ``[K, D]``, float32.

    The projection's bias is left out: it belongs to no head. Raises SiteUnavailable where a norm follows the
    projection, because what one head adds then depends on the others.
    """
    layout = loaded.layout
    place = layout.place(Point(HEADS, layer))
    if not layout.head_outputs[layer].adds:
        raise SiteUnavailable(
            "a norm follows this model's attention, so heads do not add to the residual stream one by one",
            "use a task vector of the same examples: `method = task_vector_icl`",
        )
    weight = next(p for p in place.module.parameters(recurse=False) if p.ndim == 2)
    given = outputs.to(weight.device, weight.dtype)
    with torch.inference_mode():
        made: Tensor = (place.module(given) - place.module(torch.zeros_like(given[:1]))).float().cpu()
    return made


def _patched(
    loaded: LoadedModel, batch: Sequence[Question], ids: Tensor, layer: int, mean: Tensor, begin: Begin | None
) -> Tensor:
    """P(answer) of each question with each head of a block set to its mean ``[n, H]``."""
    heads, length = loaded.layout.heads, ids.shape[1]
    lengths = [len(q.item) for q in batch for _ in range(heads)]
    if begin is not None:
        begin([q.item for q in batch for _ in range(heads)])
    rows = torch.arange(len(lengths), device=ids.device)
    last = torch.tensor(lengths, device=ids.device) - 1
    width = mean.shape[0] // heads
    columns = (rows % heads)[:, None] * width + torch.arange(width, device=ids.device)

    def patch(module: Any, args: Any, kwargs: Any) -> Any:
        given = first_input(args, kwargs)
        assert given is not None
        changed = given.reshape(len(lengths), length, -1).clone()
        changed[rows[:, None], last[:, None], columns] = mean.to(changed.device, changed.dtype)[columns]
        changed = changed.reshape(given.shape)
        return ((changed, *args[1:]), kwargs) if args else (args, {**kwargs, "hidden_states": changed})

    handle = loaded.layout.place(Point(HEADS, layer)).module.register_forward_pre_hook(patch, with_kwargs=True)
    try:
        table = _next_tokens(loaded, ids.repeat_interleave(heads, dim=0), lengths)
    finally:
        handle.remove()
    wanted = torch.tensor([q.answer for q in batch for _ in range(heads)], device=table.device)
    return table.softmax(-1).gather(-1, wanted[:, None]).reshape(len(batch), heads).cpu()


def _batches(
    loaded: LoadedModel, questions: Sequence[Question], budget: int
) -> Iterator[tuple[list[int], Tensor]]:
    """Which questions, and their ids padded on the right: a causal model needs no mask, others get one length."""
    loaded.check_lengths(len(q.item) for q in questions)
    lengths = [len(q.item) for q in questions]
    for group in batches(lengths, budget, equal=not loaded.layout.causal):
        ids, _ = pad([questions[i].item.ids for i in group], left=False, device=loaded.device)
        yield group, ids


def _next_tokens(loaded: LoadedModel, ids: Tensor, lengths: Sequence[int]) -> Tensor:
    """Logits after the last token of each row ``[B, V]``, float32."""
    with torch.inference_mode():
        states = loaded.layout.decoder(input_ids=ids, use_cache=False)[0]
        last = torch.tensor(lengths, device=ids.device) - 1
        return logits(loaded.layout, states[torch.arange(len(lengths), device=ids.device), last]).float()
