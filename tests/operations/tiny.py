"""A tiny random Llama with a word tokenizer in a folder, data beside it, and programs run on them."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from tokenizers import Tokenizer, models, pre_tokenizers, processors
from transformers import AutoModelForCausalLM, AutoTokenizer, LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

from steerlang.api import Settings, load
from steerlang.api.program import Program
from steerlang.api.results import Run

WORDS = (  # noqa: SIM905
    "please thanks kindly now go away give me that I will not and good day no yes sure help door tea"
).split()
SPECIAL = ["<pad>", "<s>", "</s>", "<unk>"]
PAIRS = [
    ("go away now", "please go away"),
    ("give me that", "please give me that thanks"),
    ("no", "no thanks"),
    ("now help me", "kindly help me"),
    ("door", "door please and thanks"),
]
PROMPTS = ["good day", "I will not", "give me tea now please", "no", "yes and no"]


def make_folder(folder: Path, seed: int = 0, **config: Any) -> Path:
    """A model as `save_pretrained` writes it: 2 layers, width 16."""
    torch.manual_seed(seed)
    vocabulary = {w: i for i, w in enumerate([*SPECIAL, *WORDS])}
    tokenizer = Tokenizer(models.WordLevel(vocabulary, unk_token="<unk>"))
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    tokenizer.post_processor = processors.TemplateProcessing(single="<s> $A", special_tokens=[("<s>", 1)])
    fast = PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, bos_token="<s>", eos_token="</s>", pad_token="<pad>", unk_token="<unk>"
    )
    sizes = {"hidden_size": 16, "intermediate_size": 24, "num_hidden_layers": 2, "num_attention_heads": 2}
    LlamaForCausalLM(
        LlamaConfig(
            **{**sizes, **config},
            vocab_size=len(vocabulary),
            num_key_value_heads=2,
            initializer_range=0.4,
            bos_token_id=1,
            eos_token_id=2,
            pad_token_id=0,
            max_position_embeddings=64,
        )
    ).save_pretrained(folder)
    fast.save_pretrained(folder)
    return folder


def make_project(folder: Path) -> Path:
    """A project: the model `m`, another of the same form `other`, pairs and prompts."""
    make_folder(folder / "m")
    make_folder(folder / "other", seed=1)
    (folder / "pyproject.toml").write_text("")
    rows = (json.dumps({"rude": a, "polite": b}) for a, b in PAIRS)
    (folder / "pairs.jsonl").write_text("\n".join(rows) + "\n")
    (folder / "prompts.txt").write_text("\n".join(PROMPTS) + "\n")
    return folder


HEAD = """steerlang 1
model  m     = hf("m")
data   pairs = jsonl("pairs.jsonl", source = "rude", target = "polite")
data   words = lines("prompts.txt")
vector v     = extract(m, pairs)
"""


def program(folder: Path, text: str, head: str = HEAD, cache: Path | None = None, **settings: Any) -> Program:
    path = folder / "main.steer"
    path.write_text(head + text)
    return load(path, settings=Settings(cache_dir=cache or folder / "cache", device="cpu", **settings))


def run(folder: Path, text: str, overrides: Mapping[str, object] | None = None, **options: Any) -> Run:
    """The results of a program of some definitions after the usual head; every definition is carried out."""
    result = program(folder, text, **options).run()
    assert result.outcome == "done", [(d.code.id, d.message) for d in result.diagnostics]
    return result


def direct(folder: Path, name: str = "m") -> tuple[Any, Any]:
    """The model and tokenizer as the library loads them."""
    model = AutoModelForCausalLM.from_pretrained(folder / name).eval()
    return model, AutoTokenizer.from_pretrained(folder / name)


def states(model: Any, tokenizer: Any, text: str) -> torch.Tensor:
    """Outputs of the decoder blocks for one text `[layers, tokens, width]`, by hooks of our own."""
    found: list[torch.Tensor] = []
    hooks = [
        b.register_forward_hook(lambda _m, _i, o: found.append(o[0] if isinstance(o, tuple) else o))
        for b in model.model.layers
    ]
    with torch.inference_mode():
        model(**tokenizer(text, return_tensors="pt"))
    for hook in hooks:
        hook.remove()
    return torch.stack([f.reshape(-1, f.shape[-1]) for f in found])
