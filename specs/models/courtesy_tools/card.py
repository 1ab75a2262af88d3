"""The model card: what the model is, how it was made and what was measured."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path

from .training import Recipe

CARD = """---
license: apache-2.0
language: en
library_name: transformers
pipeline_tag: text-generation
tags: [steerlang, steering, small]
---

# courtesy

A small Llama that answers short requests in a rude, neutral or polite manner. It exists so that steerlang's
programs and tests have a real model in which a manner is a latent attribute that can be steered. It knows nothing
about the world.

- {layers} blocks, width {width}, inner width {inner}, {heads} heads, vocabulary {vocabulary}, tied embeddings:
  {parameters:,} parameters. Weights are stored as float16 and load as float32; the figures below are of the stored
  weights.
- One document is `Request: … Reply: …` on one line; the tokenizer puts `<s>` first, a reply ends with `</s>`. A
  prompt ends with `Reply:`, without a blank after it.

## Data

A tagged grammar (`courtesy_tools/grammar.txt`) over ten topics (`courtesy_tools/topics.txt`): ten intents, replies
that agree, refuse, ask back or inform, subordinate clauses that nest, and three attributes that vary on their own:
register (rude, neutral, polite), formality (casual, plain, formal) and sentiment (negative, even, positive). The
register of a reply follows that of the request only in part: a neutral request is answered neutrally in 45 % of
cases, rudely and politely in 27.5 % each.

Content (topic, thing, verb, intent) falls into 16 buckets by checksum: 14 train, one gives the prompts for choosing
layers and scale (`requests_dev.txt`), one the prompts and texts for confirming (`requests.txt`, `held_out.jsonl`)
and the figures below.

## Training

`python specs/models/courtesy.py --out specs/models/courtesy`

| | |
|---|---|
| seed | {seed} |
| documents, each read once | {documents:,} |
| tokens seen | {tokens:,} |
| steps of {batch} documents | {steps:,} |
| time, one thread | {minutes} min |

## Held-out figures

| | loss (nats per token) | perplexity |
|---|---|---|
| whole documents | {loss:.3f} | {perplexity:.2f} |
| replies given their request | {reply_loss:.3f} | {reply_perplexity:.2f} |

Over {held_out_tokens:,} tokens of content that training never showed. The grammar draws places, people and times
freely, so most of this loss is the grammar's own entropy.

## Limits

The rude texts are mildly rude at most. Words outside the grammar are split into pieces that the model has hardly
seen.
"""


def write_card(out: Path, recipe: Recipe, figures: dict[str, float]) -> None:
    """Write `README.md` beside the weights, and the bare figures as JSON."""
    (out / "README.md").write_text(CARD.format(**asdict(recipe), **figures), encoding="utf-8")
    (out / "training.json").write_text(
        json.dumps({"recipe": asdict(recipe), "figures": figures}, indent=2) + "\n", encoding="utf-8"
    )
