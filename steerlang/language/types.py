"""The types of expressions, and the axes a value may have."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Type:
    """A type of the language. `phrase` is how messages name a value of it: "a model", "text data"."""

    name: str
    phrase: str

    def accepts(self, other: Type) -> bool:
        """Whether a value of type `other` may stand where this type is wanted. Broken values fit everywhere."""
        return other is ERROR or self is ERROR or self == other

    def __str__(self) -> str:
        return self.phrase


@dataclass(frozen=True, slots=True)
class ListType(Type):
    element: Type

    def accepts(self, other: Type) -> bool:
        if isinstance(other, ListType):
            return other.element is NEVER or self.element.accepts(other.element)
        return other is ERROR


ERROR = Type("error", "something broken")
NEVER = Type("never", "nothing")
NUMBER = Type("number", "a number")
RATIO = Type("ratio", "a percentage")
SIZE = Type("size", "a size in bytes")
DURATION = Type("duration", "a duration")
TEXT = Type("text", "a text")
BOOL = Type("bool", "true or false")
NONE = Type("none", "none")
RANGE = Type("range", "a range")
PATTERN = Type("pattern", "a pattern")
RULE = Type("rule", "a coefficient by pattern")
BLOCKS = Type("blocks", "blocks of weights")
LAYERS = Type("layers", "layers")
TOKENS = Type("tokens", "a token selector")
SITE = Type("site", "a site")
FILTER = Type("filter", "a row filter")
RECORD = Type("record", "a record")
WORD = Type("word", "a word")
WORD_CLASSES = Type("word_classes", "classes of words")

MODEL = Type("model", "a model")
TEXTS = Type("texts", "text data")
PAIRS = Type("pairs", "paired data")
LABELLED = Type("labelled", "labelled data")
IMAGES = Type("images", "image data")
ACTIVATIONS = Type("activations", "activations")
VECTOR = Type("vector", "a vector")
CONCEPTS = Type("concepts", "a concept dictionary")
SHIFT = Type("shift", "a shift of concepts")
TASKVECTOR = Type("taskvector", "a task vector")
COEFFICIENTS = Type("coefficients", "coefficients")
ACTION = Type("action", "a steering action")
READING = Type("reading", "a number read from states")
NEAREST = Type("nearest", "the nearest concept of states")
GATE = Type("gate", "a gate")
SAMPLES = Type("samples", "samples")
METRIC = Type("metric", "a metric")
CONDITION = Type("condition", "a condition")
POINT = Type("point", "a point of a sweep")
EXPORT = Type("export", "an export")
REPORT = Type("report", "a report")
MODULE = Type("module", "an imported file")
SWEEP = Type("sweep", "a sweep")

STEERING = ListType("steering", "a list of steering actions", ACTION)
DATA = (TEXTS, PAIRS, LABELLED, IMAGES)


def list_of(element: Type) -> ListType:
    return ListType(f"list[{element.name}]", f"a list ({element.phrase} each)", element)


Label = str | int | float | bool


#: Axes that lists make: their points are called by the names of what stands in the list.
LISTED = frozenset({"model", "concepts"})


@dataclass(frozen=True, slots=True)
class Axis:
    """A direction in which a value varies: the points of a sweep, or the models of a list.

    `labels` are what one selects by: sweep values, or the names the models are defined under.
    """

    name: str
    labels: tuple[Label, ...]

    @property
    def example(self) -> str:
        """How its first point is selected: `[s = 0.1]`, and for a list of models `[base]`."""
        return f"[{self.labels[0]}]" if self.name in LISTED else f"[{self.name} = {shown(self.labels[0])}]"

    def index(self, label: Label) -> int | None:
        """Position of `label`; numbers compare by value, so `[s = 0]` finds the point 0.0."""
        for i, known in enumerate(self.labels):
            if known == label and _plain(known) is _plain(label):
                return i
        return None


def shown(label: object) -> str:
    """A label as a program writes it."""
    return str(label).lower() if isinstance(label, bool) else str(label)


def _plain(label: Label) -> type:
    """What labels are compared as: `1` and `1.0` are one point, `1` and `true` are not."""
    return float if isinstance(label, (int, float)) and not isinstance(label, bool) else type(label)


Axes = tuple[Axis, ...]


def union(*groups: Axes) -> Axes:
    """All axes, in the order in which they first occur."""
    found: dict[str, Axis] = {}
    for axes in groups:
        for axis in axes:
            found.setdefault(axis.name, axis)
    return tuple(found.values())
