"""The loss of a language model on texts, differentiable through its weights."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn import functional

from steerlang.models.heads import logit_chunks
from steerlang.models.loading import LoadedModel
from steerlang.models.scoring import ScoredText, predicting
from steerlang.models.tokens import batches, pad


def token_losses(loaded: LoadedModel, texts: Sequence[ScoredText]) -> tuple[Tensor, int]:
    """−Σ log p(token | before) over the tokens of all completions (nats, a float32 scalar), and how many these are.

    Prompts are read and do not count. Rows are padded on the right, which a causal model does not see; models that are
    not causal get rows of one length at a time.
    """
    total = torch.zeros((), dtype=torch.float32, device=loaded.device)
    lengths = [len(text.ids) for text in texts]
    whole = max(lengths, default=0) * len(lengths)
    for group in batches(lengths, whole, equal=not loaded.layout.causal):
        chosen = [texts[i] for i in group]
        ids, _ = pad([text.ids for text in chosen], left=False, device=loaded.device)
        states: Tensor = loaded.layout.decoder(input_ids=ids, use_cache=False)[0]
        at = predicting(chosen, ids.shape[1]).to(ids.device)
        kept = states.reshape(-1, states.shape[-1])[at]
        targets = torch.tensor([t for text in chosen for t in text.completion], device=ids.device)
        for part, made in logit_chunks(loaded.layout, kept):
            total = total + functional.cross_entropy(made.float(), targets[part], reduction="sum")
    return total, sum(len(text.completion) for text in texts)
