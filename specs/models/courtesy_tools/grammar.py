"""A small grammar engine: tagged rules, weighted alternatives, choices in place, words bound by the caller."""

from __future__ import annotations

import random
import re
from dataclasses import dataclass
from pathlib import Path

Tags = frozenset[str]

_NAME = re.compile(r"<(\w+)>")
_CHOICE = re.compile(r"\[([^\]]*)\]")
_WEIGHT = re.compile(r"(\d+)x\s+(.*)")
_SENTENCE_START = re.compile(r"(?:^|(?<=[.!?:] ))([a-z])")
_ARTICLE = re.compile(r"\b([Aa]) (?=[aeio]|u(?!s))")


@dataclass(frozen=True)
class Rule:
    """Alternatives that hold when every tag in `needs` is set and none in `bars` is."""

    needs: Tags
    bars: Tags
    alternatives: tuple[str, ...]

    def holds(self, tags: Tags) -> bool:
        """Whether this rule may be used under `tags`."""
        return self.needs <= tags and not self.bars & tags


class Grammar:
    """Rules by name; `expand` draws one text."""

    def __init__(self, rules: dict[str, list[Rule]]) -> None:
        self._rules = rules
        self._found: dict[tuple[str, Tags], list[str]] = {}

    @classmethod
    def read(cls, path: Path) -> Grammar:
        """Read the notation described at the head of `grammar.txt`."""
        rules: dict[str, list[Rule]] = {}
        head, lines = "", list[str]()
        for raw in [*path.read_text(encoding="utf-8").splitlines(), "end"]:
            if not raw.strip() or raw.startswith("#"):
                continue
            if raw.startswith(" "):
                weight = _WEIGHT.fullmatch(raw.strip())
                lines += [weight[2]] * int(weight[1]) if weight else [raw.strip()]
                continue
            if head:
                name, _, tags = (part.strip() for part in head.partition("/"))
                bars = frozenset(tag[1:] for tag in tags.split() if tag.startswith("!"))
                needs = frozenset(tag for tag in tags.split() if not tag.startswith("!"))
                rules.setdefault(name, []).append(Rule(needs, bars, tuple(lines)))
            head, lines = raw, []
        return cls(rules)

    def alternatives(self, name: str, tags: Tags) -> list[str]:
        """Every alternative of `name` under `tags`, repeated by weight."""
        key = (name, tags)
        if key not in self._found:
            held = [text for rule in self._rules.get(name, []) if rule.holds(tags) for text in rule.alternatives]
            if not held:
                raise KeyError(f"no rule <{name}> under {sorted(tags)}")
            self._found[key] = held
        return self._found[key]

    def expand(self, name: str, tags: Tags, words: dict[str, list[str]], rng: random.Random) -> str:
        """Draw a text for `name`; a rule named in `words` is drawn from that list instead of the grammar."""

        return self.expand_text(rng.choice(words.get(name) or self.alternatives(name, tags)), tags, words, rng)

    def expand_text(self, text: str, tags: Tags, words: dict[str, list[str]], rng: random.Random) -> str:
        """Draw a text for an alternative as it stands in the grammar."""
        text = _CHOICE.sub(lambda match: rng.choice(match[1].split("|")), text)
        return _NAME.sub(lambda match: self.expand(match[1], tags, words, rng), text)


def tidy(text: str) -> str:
    """Blanks, articles, marks and capitals as written English has them."""
    text = re.sub(r"\s+", " ", text).strip()
    text = re.sub(r"\s+([.,!?])", r"\1", text)
    text = re.sub(r"([!?])[.,]", r"\1", text)
    text = _ARTICLE.sub(r"\1n ", text)
    text = re.sub(r"\bi\b(?!')", "I", text)
    return _SENTENCE_START.sub(lambda match: match[1].upper(), text)
