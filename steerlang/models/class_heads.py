"""Heads of classifiers: a model's own, one of another model, or one made of texts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from steerlang.data.classes import Unknown, listed, places_in, say
from steerlang.models.errors import ClassMismatch, LoadFailure, TooLong, UnsupportedModel

_AT_ONCE = 64


@dataclass(frozen=True, eq=False)
class Head:
    """What turns features ``[n, D]`` into logits ``[n, C]``: features @ weightᵀ + bias.

    names   of the classes, in the order of the logits
    weight  float32 ``[C, D]``; None: the model's own classifier
    bias    float32 ``[C]`` or None
    """

    names: tuple[str, ...]
    weight: Tensor | None = None
    bias: Tensor | None = None

    def to(self, device: torch.device) -> Head:
        moved = [None if t is None else t.to(device) for t in (self.weight, self.bias)]
        return Head(self.names, *moved)

    def __call__(self, features: Tensor) -> Tensor:
        """Logits ``[…, C]`` in float32."""
        assert self.weight is not None
        if features.shape[-1] != self.weight.shape[1]:
            raise ClassMismatch(
                f"a head for features of width {self.weight.shape[1]} is put on features of width {features.shape[-1]}",
                "take the head from a model of the same sizes",
            )
        return nn.functional.linear(features.float(), self.weight, self.bias)

    def places(self, classes: Sequence[str]) -> tuple[int, ...]:
        """Where classes of data stand among the logits. Raises ClassMismatch, which lists both."""
        found = places_in(classes, self.names)
        if isinstance(found, Unknown):
            raise ClassMismatch(
                f"the classes of the data ({listed(classes)}) are not among those of the model ({listed(self.names)})",
                "name them as `id2label` in the model's `config.json` does, or by number",
            )
        return found


def own_head(config: Any) -> Head:
    """The classifier a model has, its classes named by `id2label`."""
    labels = {int(place): str(name) for place, name in config.id2label.items()}
    return Head(tuple(labels[i] for i in sorted(labels)))


def text_head(
    model: Any, tokenizer: Any, classes: Sequence[str], templates: Sequence[str], device: torch.device
) -> Head:
    """A head made of texts (Radford et al., 2021): for each class the mean over templates of the normalised text
    embeddings, normalised again, times exp(logit_scale); the bias is the model's `logit_bias`, where it has one.

    Texts of one length are read together, so nothing is padded; models with a `logit_bias` (trained with a sigmoid
    loss) were trained on texts padded to their full length and read them so.
    """
    texts = [text for name in classes for text in say(name, templates)]
    with torch.no_grad():
        embedded = _normalised(embedded_texts(model, tokenizer, texts, device).double())
        means = _normalised(embedded.reshape(len(classes), len(templates), -1).mean(1))
        weight = (means * model.logit_scale.double().exp()).float().cpu()
        bias = getattr(model, "logit_bias", None)
        shift = None if bias is None else bias.float().cpu().reshape(1).expand(len(classes)).clone()
    return Head(tuple(classes), weight, shift)


def embedded_texts(
    model: Any, tokenizer: Any, texts: Sequence[str], device: torch.device, cut: bool = False
) -> Tensor:
    """Text embeddings ``[n, D]`` in the model's dtype, in the order of the texts. Longer ones are cut to the tokens the
    model reads (the last of them the end token), or else raise TooLong."""
    longest = int(model.config.get_text_config().max_position_embeddings)
    whole = hasattr(model, "logit_bias")
    if whole and tokenizer.pad_token is None:
        raise LoadFailure("the model reads texts padded, and its tokenizer has no token to pad with", "name one in it")
    options = {"padding": "max_length", "max_length": longest} if whole else {"padding": False}
    limits = {"truncation": True, "max_length": longest} if cut else {"truncation": False}
    encoded = [dict(tokenizer(text, **{**options, **limits})) for text in texts]
    for i, one in enumerate(encoded):
        if len(one["input_ids"]) > longest:
            raise TooLong(i, len(one["input_ids"]), longest)
    made: dict[int, Tensor] = {}
    by_length: dict[int, list[int]] = {}
    for i, one in enumerate(encoded):
        by_length.setdefault(len(one["input_ids"]), []).append(i)
    for places in by_length.values():
        for start in range(0, len(places), _AT_ONCE):
            part = places[start : start + _AT_ONCE]
            names = [n for n in ("input_ids", "attention_mask", "token_type_ids") if n in encoded[part[0]]]
            inputs = {n: torch.tensor([encoded[i][n] for i in part], device=device) for n in names}
            made.update(zip(part, pooled(model.get_text_features(**inputs)), strict=True))
    return torch.stack([made[i] for i in range(len(texts))])


def pooled(output: Any) -> Tensor:
    """The embedding of what a tower gives: the tensor itself, or its pooled output."""
    found: Tensor = output if isinstance(output, Tensor) else output.pooler_output
    return found


def _normalised(x: Tensor) -> Tensor:
    return nn.functional.normalize(x, dim=-1)


def last_linear(model: Any, outputs: int, run: Any) -> nn.Linear:
    """The linear map whose output is the model's logits, proven by running it once (`run()` gives logits ``[1, C]``).

    A model whose logits are anything else of its maps' outputs (a mean of two, say) has no such map: UnsupportedModel.
    """
    seen: list[tuple[nn.Linear, Tensor]] = []
    candidates = [m for m in model.modules() if isinstance(m, nn.Linear) and m.out_features == outputs]
    handles = [m.register_forward_hook(lambda m, _, out: seen.append((m, out))) for m in candidates]
    try:
        with torch.inference_mode():
            logits: Tensor = run()
    finally:
        for handle in handles:
            handle.remove()
    for module, output in reversed(seen):
        if (output.reshape(-1, outputs) == logits[0]).all(-1).any():
            return module
    raise UnsupportedModel(
        "the linear map that makes the logits was not found, so its head cannot be exchanged",
        [type(m).__name__ for m in candidates],
        "leave out `head`: the model's own classifier works without",
    )
