"""Short answers to questions: the form in which they are compared, and how far one agrees with those people gave.

The form is that of the VQA evaluation (Antol et al., 2015; Goyal et al., 2017): lower case, punctuation, articles and
number words brought to one writing, apostrophes put back into contractions. It is given to both sides always; the
evaluation's own code leaves references alone where all people agree, so that `Yes` misses ten times `yes`.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from itertools import groupby
from typing import Literal

Part = Literal["line", "sentence", "word"]

_PUNCTUATION = ';/[]"{}()=+\\_-><@`,?!'
_THOUSANDS = re.compile(r"\d,\d")
_FULL_STOP = re.compile(r"\.(?!\d)")
_SENTENCE_END = re.compile(r"(?<=[^.!?])[.!?]+(?:\s|$)")
_ARTICLES = frozenset({"a", "an", "the"})
_NUMBERS = {
    word: str(number)
    for number, word in enumerate("zero one two three four five six seven eight nine ten".split())  # noqa: SIM905
} | {"none": "0"}
# Those the evaluation puts right. Words that mean something else without their apostrophe (we're, I'll) are not here.
_CONTRACTIONS = (  # noqa: SIM905
    "ain't aren't can't could've couldn't couldn't've didn't doesn't don't hadn't hadn't've hasn't haven't he'd "
    "he'd've he's how'd how'll how's isn't it'd it'd've it'll ma'am might've mightn't mightn't've must've mustn't "
    "needn't not've o'clock oughtn't 'ow's'at shan't she'd've should've shouldn't shouldn't've somebody'd "
    "somebody'd've somebody'll somebody's someone'd someone'd've someone'll someone's something'd something'd've "
    "something'll that's there'd there'd've there're there's they'd they'd've they'll they're they've 'twas "
    "wasn't we'd've we've weren't what'll what're what's what've when's where'd where's where've who'd who'd've "
    "who'll who's who've why'll why're why's won't would've wouldn't wouldn't've y'all y'all'd've y'all'll you'd "
    "you'd've you'll you're you've"
).split()
NUMBER = "number"
UNRECOGNISED = "unrecognised"


def _without_one_apostrophe(word: str) -> Iterable[str]:
    return (word[:i] + word[i + 1 :] for i, character in enumerate(word) if character == "'")


_APOSTROPHES = {bare: word for word in _CONTRACTIONS for bare in _without_one_apostrophe(word)}


def normalised_answer(text: str) -> str:
    """An answer in the form in which answers are compared."""
    clean = " ".join(text.split())
    thousands = _THOUSANDS.search(clean) is not None
    spaced = clean
    for mark in _PUNCTUATION:
        # A mark at the edge of a word goes; one inside a word parts it. With `1,000` in the text all of them go.
        goes = thousands or f"{mark} " in clean or f" {mark}" in clean
        spaced = spaced.replace(mark, "" if goes else " ")
    words = _FULL_STOP.sub("", spaced).lower().split()
    numbers = (_NUMBERS.get(word, word) for word in words)
    return " ".join(_APOSTROPHES.get(word, word) for word in numbers if word not in _ARTICLES)


def answer_of(reply: str, part: Part = "line") -> str:
    """The answer a reply gives, in the form in which answers are compared: its first line that is not blank, or of that
    the first sentence or word."""
    line = next((line for line in reply.splitlines() if line.strip()), "")
    answer = normalised_answer(_SENTENCE_END.split(line.strip(), maxsplit=1)[0] if part == "sentence" else line)
    return answer.split(" ")[0] if part == "word" else answer


def leave_one_out(answer: str, references: Sequence[str]) -> float:
    """The mean over people of min(1, matches among the others / 3); both sides normalised.

    With fewer than four references the 3 is the number of the others; one reference is met or not.
    """
    matches = references.count(answer)
    others = len(references) - 1
    if others < 1:
        return float(matches > 0)
    needed = min(3, others)
    own, rest = min(1.0, (matches - 1) / needed), min(1.0, matches / needed)
    return (matches * own + (len(references) - matches) * rest) / len(references)


def soft_score(answer: str, references: Sequence[str]) -> float:
    """min(1, matches / 3); with fewer than three references the 3 is their number. Both sides normalised."""
    return min(1.0, references.count(answer) / min(3, len(references)))


def vqa_score(answer: str, references: Iterable[str], leave_out: bool = True) -> float:
    """How far an answer agrees with the references, 0 to 1. The answer is normalised, the references need not be."""
    given = [normalised_answer(text) for text in references if text.strip()]
    return (leave_one_out if leave_out else soft_score)(answer, given)


def known_types(rows: Iterable[tuple[Sequence[str], str]]) -> Mapping[str, str]:
    """The type of each answer that occurs among references: the one it has most often, the first of equals."""
    found: dict[str, Counter[str]] = {}
    for references, answer_type in rows:
        for text in references:
            found.setdefault(normalised_answer(text), Counter())[answer_type] += 1
    return {answer: counts.most_common(1)[0][0] for answer, counts in found.items() if answer}


def type_of(answer: str, known: Mapping[str, str]) -> str:
    """The type of an answer: that of the same answer among the references, else `number` or `unrecognised`."""
    if answer in known:
        return known[answer]
    return NUMBER if answer.replace(".", "", 1).isdecimal() else UNRECOGNISED


def two_means(values: Sequence[float]) -> int:
    """How many of some numbers, largest first, are in the upper of the two clusters with the least squared distance to
    their means; all where they are equal. Exact: in one dimension the best clusters are runs of the sorted numbers."""
    if len(list(groupby(values))) < 2:
        return len(values)
    return min(range(1, len(values)), key=lambda cut: _spread(values[:cut]) + _spread(values[cut:]))


def _spread(values: Sequence[float]) -> float:
    mean = sum(values) / len(values)
    return sum((v - mean) ** 2 for v in values)
