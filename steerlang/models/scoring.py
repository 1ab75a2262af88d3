"""How likely texts are under a model, steered or not; logits are made only where they are needed."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from steerlang.kernels.metrics import kl_divergence, token_log_likelihoods
from steerlang.models.actions import Recipe
from steerlang.models.errors import BadBatch, NoTokens, UnsupportedModel, UnusableLogits
from steerlang.models.heads import logit_chunks
from steerlang.models.loading import LoadedModel
from steerlang.models.overlay import Overlay
from steerlang.models.prefill import last_states
from steerlang.models.prompts import marks_of
from steerlang.models.tokens import TokenisedItem, batches


@dataclass(frozen=True)
class ScoredText:
    """A prompt and the tokens that follow it. A text scored as a whole has its first token as the prompt.

    ``steered_as`` is what scopes take for the prompt where that is not ``prompt``: a text that a model only reads is
    all prompt, though its tokens are scored.
    """

    prompt: TokenisedItem
    completion: tuple[int, ...]
    steered_as: TokenisedItem | None = None

    @property
    def ids(self) -> tuple[int, ...]:
        return self.prompt.ids + self.completion

    @property
    def item(self) -> TokenisedItem:
        """All of it, as it is read."""
        return replace(self.prompt, ids=self.ids)

    @staticmethod
    def whole(item: TokenisedItem, read: bool = False) -> ScoredText:
        """All tokens but the first are scored; of a prompt with an image those after it. ``read``: the text is a prompt
        for scopes; else as if it were generated after its first token."""
        if item.picture is not None:
            start = item.image[-1] + 1
            return ScoredText(replace(item, ids=item.ids[:start]), item.ids[start:], item if read else None)
        first = TokenisedItem(item.ids[:1], item.text, None if item.offsets is None else item.offsets[:1])
        return ScoredText(first, item.ids[1:], item if read else None)


@dataclass(frozen=True, eq=False)
class Likelihoods:
    """Per text: Σ log p(token | before) over the completion in nats ``total [n]`` float64, and its ``tokens [n]``."""

    total: NDArray[np.float64]
    tokens: NDArray[np.int64]


def log_likelihoods(
    loaded: LoadedModel,
    texts: Sequence[ScoredText],
    *,
    recipes: Sequence[Recipe] = ((),),
    rows: Sequence[int] | None = None,
    batch_tokens: int = 4096,
) -> Likelihoods:
    """Log-likelihood of each completion after its prompt, text i under recipe ``rows[i]``.

    Token scopes mean what they mean in generation: the same positions are steered as if the completion were produced.
    """
    overlay = _checked_overlay(loaded, texts, recipes, rows)
    total = np.zeros(len(texts))
    for group, states in _final_states(loaded, texts, overlay, rows, batch_tokens):
        targets = torch.tensor([t for i in group for t in texts[i].completion], device=states.device)
        owner = np.array([i for i in group for _ in texts[i].completion])
        for part, made in logit_chunks(loaded.layout, states):
            values = token_log_likelihoods(made, targets[part]).double().cpu().numpy()
            np.add.at(total, owner[part], values)
    _check_usable(total)
    return Likelihoods(total, np.array([len(text.completion) for text in texts], dtype=np.int64))


def next_token_logits(
    loaded: LoadedModel,
    prompts: Sequence[TokenisedItem],
    *,
    recipes: Sequence[Recipe] = ((),),
    rows: Sequence[int] | None = None,
    batch_tokens: int = 4096,
) -> NDArray[np.float32]:
    """Logits of the token after each prompt ``[n, V]``, float32."""
    found: dict[int, NDArray[np.float32]] = {}
    # A completion of one token that is never looked at: its predecessor is the prompt's last token.
    texts = [ScoredText(prompt, prompt.ids[-1:]) for prompt in prompts]
    overlay = _checked_overlay(loaded, texts, recipes, rows)
    for group, states in _final_states(loaded, texts, overlay, rows, batch_tokens):
        for part, made in logit_chunks(loaded.layout, states):
            for index, row in zip(group[part], made.float().cpu().numpy(), strict=True):
                found[index] = row
    return np.stack([found[i] for i in range(len(prompts))])


def mean_kl(
    loaded: LoadedModel,
    texts: Sequence[ScoredText],
    *,
    recipes: Sequence[Recipe],
    rows: Sequence[int] | None = None,
    batch_tokens: int = 4096,
) -> NDArray[np.float64]:
    """KL(base ‖ steered) of the next-token distribution in nats, mean over each completion's tokens ``[n]``.

    Both see the same text. 0 for recipes that do nothing; NaN for an empty completion.
    """
    total = np.zeros(len(texts))
    overlay = _checked_overlay(loaded, texts, recipes, rows)
    base = _final_states(loaded, texts, Overlay(loaded, ((),)), None, batch_tokens)
    steered = _final_states(loaded, texts, overlay, rows, batch_tokens)
    for (group, plain), (_, moved) in zip(base, steered, strict=True):
        owner = np.array([i for i in group for _ in texts[i].completion])
        pairs = zip(logit_chunks(loaded.layout, plain), logit_chunks(loaded.layout, moved), strict=True)
        for (part, p), (_, q) in pairs:
            np.add.at(total, owner[part], kl_divergence(p, q).double().cpu().numpy())
    _check_usable(total)
    counts = np.array([len(text.completion) for text in texts], dtype=np.float64)
    mean = np.full(len(texts), np.nan)
    np.divide(total, counts, out=mean, where=counts > 0)
    return mean


def gates_opened(
    loaded: LoadedModel, texts: Sequence[ScoredText], recipe: Recipe, *, batch_tokens: int = 4096
) -> NDArray[np.bool_] | None:
    """On which texts some gate of a recipe is open, on one token at least: ``[n]``; None for a recipe without gates.

    As in generation: gates of the prompt are decided on the prompt; of a completion all tokens but the last are read.
    """
    overlay = _checked_overlay(loaded, texts, (recipe,), None)
    if not overlay.gated:
        return None
    found = np.zeros(len(texts), dtype=bool)
    for group, _ in _final_states(loaded, texts, overlay, None, batch_tokens):
        read = [len(texts[i].prompt) + max(len(texts[i].completion) - 1, 0) for i in group]
        found[group] = overlay.opened(read).cpu().numpy()
    return found


def _check_usable(values: NDArray[np.float64]) -> None:
    """NaN comes of logits that are not finite; −∞ is a token that the model rules out."""
    bad = np.flatnonzero(np.isnan(values))
    if len(bad):
        raise UnusableLogits(int(bad[0]))


def _final_states(
    loaded: LoadedModel,
    texts: Sequence[ScoredText],
    overlay: Overlay,
    rows: Sequence[int] | None,
    batch_tokens: int,
) -> Iterator[tuple[list[int], Tensor]]:
    """Batches as (indices, the decoder's last states ``[M, D]`` at the positions that predict completion tokens)."""
    layout = loaded.layout
    # Padding on the right needs no mask in a causal model; others get rows of one length only.
    equal = not layout.causal and all(text.prompt.picture is None for text in texts)
    for group in batches([len(text.ids) for text in texts], batch_tokens, equal=equal):
        prompts = [texts[i].steered_as or texts[i].prompt for i in group]
        with torch.inference_mode(), overlay:
            overlay.begin(
                rows=None if rows is None else [rows[i] for i in group],
                prompt_lengths=[len(prompt) for prompt in prompts],
                marks=marks_of(overlay.scopes, prompts, loaded.device),
            )
            states = last_states(loaded, [texts[i].item for i in group])
        at = predicting([texts[i] for i in group], states.shape[1])
        yield group, states.reshape(-1, states.shape[-1])[at.to(states.device)]


def predicting(texts: Sequence[ScoredText], width: int) -> Tensor:
    """Where completion tokens are predicted in texts padded on the right to ``width`` and laid end to end ``[M]``."""
    at = [
        row * width + position
        for row, text in enumerate(texts)
        for position in range(len(text.prompt) - 1, len(text.ids) - 1)
    ]
    return torch.tensor(at, dtype=torch.long)


def _checked_overlay(
    loaded: LoadedModel, texts: Sequence[ScoredText], recipes: Sequence[Recipe], rows: Sequence[int] | None
) -> Overlay:
    empty = next((i for i, text in enumerate(texts) if not len(text.prompt)), None)
    if empty is not None:
        raise NoTokens(empty)
    loaded.check_lengths(len(text.ids) for text in texts)
    if loaded.layout.encoder is not None:
        raise UnsupportedModel(
            "likelihoods of models with an encoder are not measured",
            [type(loaded.model).__name__],
            "measure what is generated, or use a decoder-only model",
        )
    if rows is None and len(recipes) != 1:
        raise BadBatch(f"{len(recipes)} recipes, and no word on which text takes which", "give rows")
    if rows is not None and len(rows) != len(texts):
        raise BadBatch(f"{len(rows)} rows for {len(texts)} texts", "give one for each text")
    return Overlay(loaded, recipes)
