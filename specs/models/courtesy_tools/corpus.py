"""The courtesy corpus: scenes (topic, things, intent) and the registers in which they are spoken of."""

from __future__ import annotations

import random
import zlib
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from .grammar import Grammar, tidy

HERE = Path(__file__).parent
REGISTERS = ("rude", "neutral", "polite")
FORMALITIES = ("casual", "plain", "formal")
SENTIMENTS = ("negative", "even", "positive")

#: How likely each register of a reply is, given the request's: rude, neutral, polite.
REPLY_REGISTER = {"rude": (0.55, 0.30, 0.15), "neutral": (0.275, 0.45, 0.275), "polite": (0.10, 0.30, 0.60)}
#: The kinds of reply to each intent, with weights.
REPLY_ACTS: dict[str, dict[str, int]] = {
    "where": {"inform": 6, "refuse": 2, "ask": 1},
    "act": {"agree": 4, "refuse": 4, "ask": 1},
    "may": {"agree": 4, "refuse": 4, "ask": 1},
    "how": {"inform": 1},
    "when": {"inform": 6, "ask": 1},
    "opinion": {"inform": 1},
    "report": {"agree": 5, "refuse": 3, "ask": 1},
    "choice": {"inform": 1},
    "why": {"inform": 6, "ask": 1},
    "who": {"inform": 6, "ask": 1},
}
PAST = {"shown": "showed"}


@dataclass(frozen=True)
class Topic:
    """The words of one topic: plain lists, verbs as (base, -ing, participle)."""

    name: str
    objects: list[str]
    verbs: list[tuple[str, ...]]
    lists: dict[str, list[str]]


@dataclass(frozen=True)
class Scene:
    """What a document is about and how it is said; equal scenes and seeds give equal texts."""

    topic: Topic
    things: tuple[str, str]
    verbs: tuple[tuple[str, ...], tuple[str, ...]]
    intent: str
    act: str
    request_register: str
    register: str
    request_formality: str
    formality: str
    sentiment: str

    @property
    def bucket(self) -> int:
        """A number 0..15 fixed by the content (topic, thing, verb, intent): whole buckets are held out."""
        key = f"{self.topic.name}|{self.things[0]}|{self.verbs[0][0]}|{self.intent}"
        return zlib.crc32(key.encode()) % 16

    def words(self) -> dict[str, list[str]]:
        """The words that this scene binds in the grammar."""
        bound = {"good": "good", "bad": "bad", "person": "people", "place": "places", "reason": "reasons"}
        words = {name: self.topic.lists[key] for name, key in bound.items()}
        for suffix, thing in zip(("", "2"), self.things, strict=True):
            many = thing.endswith("+")
            words["obj" + suffix] = [thing.rstrip("+")]
            words["is" + suffix] = ["are" if many else "is"]
            words["has" + suffix] = ["have" if many else "has"]
        many = self.things[0].endswith("+")
        words |= {"it": ["they" if many else "it"], "them": ["them" if many else "it"]}
        words |= {"its": ["they're" if many else "it's"], "a_pl": ["" if many else "a"]}
        base, doing, done = self.verbs[0]
        return words | {
            "do": [base], "doing": [doing], "done": [done], "did": [PAST.get(done, done)], "do2": [self.verbs[1][0]],
        }  # fmt: skip


def read_topics(path: Path) -> list[Topic]:
    """Read `topics.txt`."""
    topics: list[Topic] = []
    for line in path.read_text(encoding="utf-8").splitlines():
        if line.startswith("topic "):
            topics.append(Topic(line.split()[1], [], [], {}))
        elif line and not line.startswith("#"):
            name, _, rest = line.partition(":")
            values = [value.strip() for value in rest.split(",")]
            if name == "objects":
                topics[-1].objects.extend(values)
            elif name == "verbs":
                topics[-1].verbs.extend(tuple(value.split("/")) for value in values)
            else:
                topics[-1].lists[name] = values
    return topics


class Corpus:
    """Draws scenes and documents."""

    def __init__(self) -> None:
        self.grammar = Grammar.read(HERE / "grammar.txt")
        self.topics = read_topics(HERE / "topics.txt")

    def scene(self, rng: random.Random) -> Scene:
        """Draw a scene: content evenly, registers by the tables above."""
        topic = rng.choice(self.topics)
        intent = rng.choice(list(REPLY_ACTS))
        acts = REPLY_ACTS[intent]
        asked = rng.choices(REGISTERS, (0.2, 0.6, 0.2))[0]
        formality = rng.choices(FORMALITIES, (0.25, 0.5, 0.25))[0]
        first, second = rng.sample(topic.objects, 2)
        verb, other = rng.sample(topic.verbs, 2)
        return Scene(
            topic=topic,
            things=(first, second),
            verbs=(verb, other),
            intent=intent,
            act=rng.choices(list(acts), list(acts.values()))[0],
            request_register=asked,
            register=rng.choices(REGISTERS, REPLY_REGISTER[asked])[0],
            request_formality=formality,
            formality=formality if rng.random() < 0.4 else rng.choices(FORMALITIES, (0.25, 0.5, 0.25))[0],
            sentiment=rng.choices(SENTIMENTS, (0.3, 0.4, 0.3))[0],
        )

    def request(self, scene: Scene, rng: random.Random) -> str:
        """The request of a scene."""
        tags = frozenset((scene.intent, scene.request_register, scene.request_formality))
        return tidy(self.grammar.expand("request", tags, scene.words(), rng))

    def reply(self, scene: Scene, rng: random.Random) -> str:
        """The reply of a scene."""
        tags = frozenset((scene.intent, scene.act, scene.register, scene.formality, scene.sentiment))
        return tidy(self.grammar.expand("reply", tags, scene.words(), rng))

    def document(self, scene: Scene, rng: random.Random) -> str:
        """`Request: … Reply: …` on one line."""
        return f"{prompt(self.request(scene, rng))} {self.reply(scene, rng)}"

    def documents(self, seed: int, buckets: range) -> Iterator[tuple[Scene, str]]:
        """Endless documents whose content lies in `buckets`."""
        rng = random.Random(seed)
        while True:
            scene = self.scene(rng)
            if scene.bucket in buckets:
                yield scene, self.document(scene, rng)


def prompt(request: str) -> str:
    """A request as the model is asked it."""
    return f"Request: {request} Reply:"


def spoken(scene: Scene, **registers: str) -> Scene:
    """The same scene, said otherwise."""
    return replace(scene, **registers)  # type: ignore[arg-type]


TRAINING, DEVELOPMENT, TESTING = range(2, 16), range(1, 2), range(1)
