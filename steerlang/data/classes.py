"""Classes: the names that labels stand for, and the texts that say them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, Union

from .templates import in_text

PLACE = "{}"
DEFAULT_TEMPLATES = ("a photo of a {}.",)

By = Literal["name", "index"]


@dataclass(frozen=True, slots=True)
class Unknown:
    """Labels that are none of the classes, in the order given."""

    labels: tuple[str, ...]


def in_order(labels: Iterable[str]) -> tuple[str, ...]:
    """Each label once: whole numbers by size where all are, else texts by alphabet."""
    distinct = set(labels)
    return tuple(sorted(distinct, key=int) if all(map(is_index, distinct)) else sorted(distinct))


def is_index(label: str) -> bool:
    """Whether a label is written as a whole number from 0."""
    return label.isascii() and label.isdigit() and str(int(label)) == label


def read_by(labels: Sequence[str], classes: Sequence[str]) -> By | Unknown:
    """How labels name classes: by their names, else, where all are whole numbers below their number, by their places.

    Unknown where neither holds: the labels that are no class.
    """
    known = set(classes)
    if all(label in known for label in labels):
        return "name"
    if all(is_index(label) and int(label) < len(classes) for label in labels):
        return "index"
    return Unknown(tuple(label for label in labels if label not in known))


def class_of(label: object, classes: Sequence[str], by: Union[By, str]) -> str:
    """The class that a label names."""
    text = in_text(label)
    return classes[int(text)] if by == "index" else text


def bad_template(template: str) -> str | None:
    """What is wrong with a template of class names, or None: it has one `{}`."""
    count = template.count(PLACE)
    if count == 1:
        return None
    return f"the template `{template}` has {count or 'no'} `{PLACE}`" + ("" if count else " where the class stands")


def say(name: str, templates: Sequence[str]) -> tuple[str, ...]:
    """The texts that say a class: each template with its name in place of `{}`."""
    return tuple(template.replace(PLACE, name) for template in templates)


def label_of(row: Mapping[str, object]) -> str | None:
    """The label of a row as text, or None."""
    return in_text(row["label"]) if "label" in row else None


def places_in(classes: Sequence[str], labels: Sequence[str]) -> tuple[int, ...] | Unknown:
    """Where the classes of data stand among the labels of a model: by name, else by number where all are numbers.

    A name that the model has twice stands at its first place.
    """
    by = read_by(classes, labels)
    if isinstance(by, Unknown):
        return by
    return tuple(labels.index(class_of(name, labels, by)) for name in classes)


def listed(names: Sequence[str], most: int = 12) -> str:
    """Names in one line, the first of many."""
    more = f" and {len(names) - most} more" if len(names) > most else ""
    return ", ".join(f"`{name}`" for name in names[:most]) + more
