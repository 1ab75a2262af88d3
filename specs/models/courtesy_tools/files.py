"""The data files beside the model: demonstration pairs, prompts, word lists and held-out texts."""

from __future__ import annotations

import json
import random
import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from .corpus import DEVELOPMENT, HERE, REGISTERS, REPLY_ACTS, TESTING, TRAINING, Corpus, Scene, prompt, spoken
from .grammar import tidy

SEED = 7
#: Rules whose draw is content, not manner: drawn once for both sides of a pair.
CONTENT = ("person", "place", "reason", "time", "time_past", "duration", "fault", "the_thing", "reason_clause")

KINDS = ("polite", "rude", "formal", "casual", "positive", "negative", "asking")


def words(kind: str) -> list[str]:
    """The words and phrases of one list in `words.txt`."""
    for line in (HERE / "words.txt").read_text(encoding="utf-8").splitlines():
        name, _, rest = line.partition(": ")
        if name == kind:
            return rest.split(", ")
    raise KeyError(kind)


def holds_word(text: str, marks: Iterable[str]) -> bool:
    """Whether a text holds one of the words, whole and in any case."""
    return any(re.search(rf"(?<!\w){re.escape(mark)}(?!\w)", text, re.IGNORECASE) for mark in marks)


@dataclass(frozen=True)
class Contrast:
    """Two ways to say one thing: which attribute varies, its values, the texts' frames."""

    attribute: str
    source: str
    target: str
    frames: tuple[str, ...]
    intents: tuple[str, ...]


CONTRASTS = {
    "manners": (96, Contrast("register", "rude", "polite", ("Request: <ask> Reply:",), tuple(REPLY_ACTS))),
    "formality": (
        64,
        Contrast(
            "formality",
            "casual",
            "formal",
            ("Request: <hail>, <ask> Reply: <core>.", "Request: <ask> Reply: <core>, <because> <reason_clause>."),
            ("act", "where", "opinion"),
        ),
    ),
    "sentiment": (
        64,
        Contrast(
            "sentiment",
            "negative",
            "positive",
            ("Request: <ask> Reply: <think> <it> <is> <verdict>. <tail>.",),
            ("opinion",),
        ),
    ),
}


def pair(corpus: Corpus, scene: Scene, contrast: Contrast, rng: random.Random) -> dict[str, str]:
    """One demonstration: what both sides share is drawn once, then each side is said in its own way.

    The sides of `manners` are requests up to `Reply:`, so the token that is read is the one that chooses how to answer.
    """
    grammar, bound = corpus.grammar, scene.words()
    plain = frozenset((scene.intent, scene.act, "neutral", "plain", "even"))
    for name in CONTENT:
        bound[name] = [grammar.expand(name, plain, bound, rng)]
    for name in () if contrast.attribute == "register" else ("ask", "core"):
        bound[name] = [rng.choice(grammar.alternatives(name, plain))]
    frame = rng.choice(contrast.frames)
    row = {}
    for value in (contrast.source, contrast.target):
        said = spoken(scene, **{contrast.attribute: value})
        tags = frozenset((said.intent, said.act, said.register, said.formality, said.sentiment))
        row[value] = tidy(grammar.expand_text(frame, tags, bound, rng))
    return row


def pairs(corpus: Corpus, contrast: Contrast, count: int, seed: int) -> list[dict[str, str]]:
    """Distinct demonstrations whose two sides differ, from content that no prompt file uses."""
    rng = random.Random(seed)
    rows: list[dict[str, str]] = []
    while len(rows) < count:
        drawn = corpus.scene(rng)
        if drawn.bucket not in TRAINING or drawn.intent not in contrast.intents or drawn.act == "ask":
            continue
        scene = spoken(drawn, register="neutral", formality="plain", sentiment="even")
        row = pair(corpus, scene, contrast, rng)
        if len(set(row.values())) == 2 and row not in rows:
            rows.append(row)
    return rows


def requests(corpus: Corpus, buckets: range, count: int, seed: int) -> list[str]:
    """Distinct prompts in neutral wording, the intents in turn."""
    rng = random.Random(seed)
    found: list[str] = []
    intents = list(REPLY_ACTS)
    while len(found) < count:
        scene = spoken(corpus.scene(rng), request_register="neutral", request_formality="plain")
        if scene.bucket in buckets and scene.intent == intents[len(found) % len(intents)]:
            text = prompt(corpus.request(scene, rng))
            if text not in found:
                found.append(text)
    return found


def held_out(corpus: Corpus, each: int, seed: int) -> list[dict[str, str]]:
    """Whole texts of unseen content, as many of each register; the request is neutral."""
    rng = random.Random(seed)
    rows: list[dict[str, str]] = []
    while len(rows) < each * len(REGISTERS):
        register = REGISTERS[len(rows) % len(REGISTERS)]
        scene = spoken(corpus.scene(rng), request_register="neutral", register=register)
        if scene.bucket in TESTING:
            rows.append({"text": corpus.document(scene, rng), "register": register})
    return rows


def replies(corpus: Corpus, count: int, seed: int) -> list[dict[str, str]]:
    """Neutral requests of training content, each with a rude and a polite reply of at most 14 words."""
    rng = random.Random(seed)
    rows: list[dict[str, str]] = []
    while len(rows) < count:
        scene = spoken(corpus.scene(rng), request_register="neutral", request_formality="plain", formality="plain")
        row = {"request": prompt(corpus.request(scene, rng))}
        row |= {r: corpus.reply(spoken(scene, register=r), rng) for r in ("rude", "polite")}
        if scene.bucket in TRAINING and all(len(text.split()) <= 14 for text in row.values()):
            rows.append(row)
    return rows


def write_files(folder: Path) -> None:
    """Write every data file; the same seed gives the same bytes."""
    corpus = Corpus()
    folder.mkdir(parents=True, exist_ok=True)

    def write(name: str, lines: Iterable[str]) -> None:
        (folder / name).write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")

    for shift, (name, (count, contrast)) in enumerate(CONTRASTS.items()):
        write(f"{name}.jsonl", map(json.dumps, pairs(corpus, contrast, count, SEED + shift)))
    write("requests.txt", requests(corpus, TESTING, 60, SEED + 10))
    write("requests_dev.txt", requests(corpus, DEVELOPMENT, 60, SEED + 11))
    write("held_out.jsonl", map(json.dumps, held_out(corpus, 70, SEED + 12)))
    write("replies.jsonl", map(json.dumps, replies(corpus, 48, SEED + 13)))
    for kind in KINDS:
        write(f"{kind}_words.txt", words(kind))
