"""Programs checked without files: texts in memory, and a small fake world of models and data."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import replace
from functools import cache
from pathlib import Path

from steerlang.diagnostics import Diagnostic, codes, error
from steerlang.functions import registry
from steerlang.graph.facts import Absent, FakeFacts, TokenizerFacts, VectorFacts, fake_adapter, fake_model
from steerlang.graph.node import Json, Node, digest
from steerlang.language.compiling import Compiled, compile_source
from steerlang.language.lowering import Options
from steerlang.source import Source
from steerlang.syntax import parse, tree

PAIRS = [{"rude": f"rude words {i}", "polite": f"kind words {i}", "kind": "a" if i % 2 else "b"} for i in range(6)]
WORDS = [{"text": w} for w in ("please", "thanks", "gladly", "kindly", "welcome")]


def fake_vector(name: str, format: str, site: Json, model: str = "", layers: int = 12) -> VectorFacts:
    """A vector file of all layers of a fake model, which it names where steerlang wrote it."""
    document: dict[str, Json] | None = None
    if model:
        identity = fake_model(model, layers=layers, seed=1 if model == "other" else 0).digest()
        document = {"model": {"id": model, "identity": identity}}
    norms: dict[str, Json] = {"state_norms": []} if model else {}
    kept = range(layers)
    return VectorFacts(
        Path("/fake") / name, name, format, tuple(kept), 32, site, document, "" if model else "llama", values=norms,
        identity=lambda: digest([name]),
    )  # fmt: skip


TALKS = TokenizerFacts("tokenizer.json", True, True, "<s>", "</s>", "</s>")
FACTS = FakeFacts(
    models={
        "m": fake_model("m", layers=12, tokenizer=TALKS),
        "models/courtesy": fake_model("models/courtesy", layers=12),
        "other": fake_model("other", layers=6, seed=1),
        "wide": fake_model("wide", layers=12, width=64),
        "pictures": fake_model("pictures", task="clip", has_processor=True),
        "pets": fake_model("pets", task="image_classification", has_processor=True, labels=("cat", "dog")),
        "pets-tuned": fake_model("pets-tuned", task="image_classification", has_processor=True, seed=2),
        "mood": fake_model("mood", task="sequence_classification", labels=("bad", "good")),
        "far/away": Absent("far/away", ("<fake>",)),
    },
    adapters={
        "lora": fake_adapter("lora", {"model.layers.0.self_attn.q_proj": (32, 32)}),
        "lora2": fake_adapter("lora2", {"model.layers.0.self_attn.q_proj": (32, 32)}, seed=1),
    },
    data={
        "pairs.jsonl": PAIRS,
        "data/manners.jsonl": PAIRS,
        "data/formality.jsonl": [{"casual": f"yo {i}", "formal": f"good day {i}"} for i in range(6)],
        "words.txt": WORDS,
        "data/polite_words.txt": WORDS,
        "data/requests.txt": WORDS,
        "data/requests_dev.txt": WORDS,
        "one.jsonl": PAIRS[:1],
        "pets.txt": [{"text": "cat"}, {"text": "dog"}],
        "pets.csv": [{"file": f"{i}.png", "class": "cat" if i % 3 else "dog"} for i in range(6)],
        "places.csv": [{"file": f"{i}.png", "class": str(i % 2)} for i in range(6)],
        "moods.jsonl": [{"line": f"words {i}", "mood": "good" if i % 2 else "bad"} for i in range(6)],
    },
    vectors={
        "ours.safetensors": fake_vector("ours.safetensors", "steerlang", {"select": "residual"}, "m", 12),
        "mlp.safetensors": fake_vector("mlp.safetensors", "steerlang", {"select": "mlp"}, "m", 12),
        "others.safetensors": fake_vector("others.safetensors", "steerlang", {"select": "residual"}, "other", 6),
        "theirs.gguf": fake_vector("theirs.gguf", "gguf", {"select": "residual"}),
        "mistral.gguf": replace(fake_vector("mistral.gguf", "gguf", {"select": "residual"}), hint="mistral"),
    },
)
HEAD = """steerlang 1
model  m     = hf("m")
data   pairs = jsonl("pairs.jsonl", source = "rude", target = "polite")
data   words = lines("words.txt")
vector v     = extract(m, pairs)
"""


def compiled(
    text: str,
    files: Mapping[str, str] | None = None,
    overrides: Mapping[str, object] | None = None,
    facts: FakeFacts = FACTS,
    options: Options | None = None,
) -> Compiled:
    """A program through parsing, checking and lowering. `files` are what it may import, by path below `/p`."""
    texts = {os.path.normpath(f"/p/{name}"): (name, body) for name, body in (files or {}).items()}

    def read(path: str, name: str) -> tuple[Source | None, list[Diagnostic]]:
        if path in texts:
            return _source(*texts[path], path), []
        return None, [error(codes.FILE_NOT_FOUND, None, f"`{name}` does not exist")]

    source = Source("main.steer", text, "/p/main.steer")
    return compile_source(source, registry(), facts, read, _parsed, options or Options(), overrides)


@cache
def _source(name: str, text: str, path: str) -> Source:
    return Source(name, text, path)


def _parsed(source: Source) -> tuple[tree.Program, list[Diagnostic]]:
    """Imported files are the same in many tests, and parsed once."""
    return parse(source) if source.name == "main.steer" else _parsed_once(source)


_parsed_once = cache(parse)


def body(text: str, **options: object) -> Compiled:
    """A program of some definitions after the usual head."""
    return compiled(HEAD + text, **options)  # type: ignore[arg-type]


def found(result: Compiled) -> list[str]:
    """The codes of what is wrong, unused definitions left out."""
    return [d.code.id for d in result.diagnostics if d.code.id != "SL209"]


def only(result: Compiled) -> Diagnostic:
    """The one thing that is wrong."""
    diagnostics = [d for d in result.diagnostics if d.code.id != "SL209"]
    assert len(diagnostics) == 1, [(d.code.id, d.message) for d in diagnostics]
    return diagnostics[0]


def said(result: Compiled) -> tuple[str, str, str]:
    """Code, text under the mark, and message of the one thing that is wrong."""
    one = only(result)
    return one.code.id, one.primary.span.text if one.primary else "", one.message


def accepted(result: Compiled) -> Compiled:
    """The result, which nothing but warnings of unused definitions may be said about."""
    assert found(result) == [], [(d.code.id, d.message) for d in result.diagnostics]
    return result


def node(result: Compiled, label: str) -> Node:
    return result.graph.roots[label]


def key(result: Compiled, label: str) -> str:
    return node(accepted(result), label).key
