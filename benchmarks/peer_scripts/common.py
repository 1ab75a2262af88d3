"""What the scripts of all peers share: the model, the floors, and how a result is handed back."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Mapping
from importlib.metadata import version
from typing import Any

import torch
from floor import bare_passes, library_generate, token_batches
from measuring import median, one_thread, ratio, take_turns
from transformers import AutoModelForCausalLM, PreTrainedTokenizerFast

Pair = tuple[str, str]
Variants = Mapping[str, Callable[[], object]]


def load(folder: str) -> tuple[Any, Any]:
    """The model of a folder, in evaluation mode, and its tokenizer."""
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_file=f"{folder}/tokenizer.json", pad_token="<pad>", eos_token="<pad>", padding_side="left"
    )
    return AutoModelForCausalLM.from_pretrained(folder).eval(), tokenizer


def passes(model: Any, tokenizer: Any, pairs: list[Pair]) -> Callable[[], object]:
    """The floor of an extraction: bare passes over its texts."""
    batches = token_batches(tokenizer, [text for pair in pairs for text in pair])
    return lambda: bare_passes(model, batches)


def generation(model: Any, ids: torch.Tensor, steps: int) -> Callable[[], object]:
    """The library's own decoding with a model."""
    return lambda: library_generate(model, ids, steps)


def report(package: str, variants: Variants, floor: str, rounds: int) -> None:
    """Measures the variants in turn and writes one JSON line with their ratios to the floor."""
    times = take_turns(variants, rounds)
    versions = {name: version(name) for name in (package, "torch", "transformers")}
    ratios = {name: ratio(times, name, floor) for name in variants if name != floor}
    seconds = {name: median(times, name) for name in variants}
    print(json.dumps({"versions": versions, "seconds": seconds, "ratios": ratios}))


def main(extraction: Callable[[dict[str, Any]], None], generation: Callable[[dict[str, Any]], None]) -> None:
    """Runs the benchmark named on the command line."""
    one_thread()
    {"extraction": extraction, "generation": generation}[sys.argv[1]](json.loads(sys.argv[2]))
