"""What definitions lower to: handles of graph nodes together with what is known about them before anything runs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from steerlang.graph.node import Json, Node
from steerlang.source import Span

from .layers import AllLayers, LayerItem, Selection
from .types import Axis, Type

if TYPE_CHECKING:
    from steerlang.graph.facts import ModelFacts, ModelReference


class Poisoned:
    """Stands for a value that could not be made; what went wrong is reported already."""

    def __repr__(self) -> str:
        return "poisoned"


POISON = Poisoned()


@dataclass(frozen=True, eq=False)
class ModelValue:
    """A model: the node that describes it, the node of the weights at its bottom, and the facts of those weights.

    `layers` and `width` are those of the facts, which are known for every language model a program can use; 0 where a
    classifier has none. `task` is what it is loaded for. `instruction`: what it is told before each
    prompt, where it is a baseline of prompting.
    """

    node: Node
    base: Node
    facts: ModelFacts
    name: str
    reference: ModelReference
    layers: int
    width: int
    task: str = "causal"
    # What is done to its states, in the order it is done.
    actions: tuple[AppliedAction, ...] = ()
    instruction: str | None = None


@dataclass(frozen=True, eq=False)
class ClassesValue:
    """The classes of some data: their names in order, and the texts that say them (none: the default).

    counts  rows of each class; None where it cannot be known yet
    """

    names: tuple[str, ...]
    templates: tuple[str, ...] = ()
    counts: Mapping[str, int] | None = None


@dataclass(frozen=True, eq=False)
class DataValue:
    """Rows of one form (`texts`, `pairs`, …); `count` is None where it cannot be known yet. `chat`: rows are messages
    of a chat template; `replies`: a prompt of the user's, and the assistant's reply. `classes` are there where rows
    have labels, or where the program lists them; `labelled` where rows have labels."""

    node: Node
    form: Type
    count: int | None
    examples: tuple[Mapping[str, Any], ...] = ()
    chat: bool = False
    classes: ClassesValue | None = None
    labelled: bool = False
    replies: bool = False
    carried: frozenset[str] = frozenset()


@dataclass(frozen=True, eq=False)
class StatesValue:
    """States of one side: where they were read, at which tokens, and of how many texts (None: not known yet)."""

    node: Node
    model: ModelValue
    site: Json
    layers: tuple[int, ...]
    tokens: Json
    count: int | None


@dataclass(frozen=True, eq=False)
class VectorValue:
    """Directions: which weights they were read from (`model`, a node key), at which site and layers, how wide.

    `depth` is the number of layers of that model, which `last` and percentages are counted by. `normed`: whether the
    mean norms of the states are known, which `unit = residual` scales by; files of other tools lack them. `label`: what
    it is called where it was made as one of many (`dict[5] - dict[2]`).
    """

    node: Node
    model: str
    model_name: str
    site: Json
    layers: tuple[int, ...]
    width: int
    depth: int
    normed: bool = True
    label: str = ""


@dataclass(frozen=True, eq=False)
class ConceptsValue:
    """A dictionary: one vector a concept, `k` of them (their number is always known), all at one layer and site.

    model       key of the weights the states were read from, and what they are called; `width`, `depth` as of vectors
    states      the states whose activations it has
    fitted      whether its node holds those activations; if not, they are computed where they are asked for
    """

    node: Node
    model: str
    model_name: str
    site: Json
    layer: int
    width: int
    depth: int
    k: int
    method: str
    states: StatesValue
    fitted: bool = True

    @property
    def layers(self) -> tuple[int, ...]:
        return (self.layer,)


@dataclass(frozen=True, eq=False)
class ShiftValue:
    """A vector for each concept of `dictionary`: from `before` to `after`."""

    node: Node
    dictionary: ConceptsValue
    before: StatesValue
    after: StatesValue


@dataclass(frozen=True, eq=False)
class ReadingValue:
    """A number read from states along a vector: `quantity` says which, `layer` where, `form` how, `tokens` and `each`
    from which states (`each` = `prompt`: one number a row; `token`: one for every token)."""

    quantity: str
    vector: VectorValue | ConceptsValue
    layer: Selection
    site: Json
    form: str
    tokens: str
    each: str
    across: bool
    span: Span


@dataclass(frozen=True, eq=False)
class GateValue:
    """A condition on readings: a comparison (`operator` one of `< <= > >=`, with `reading` and `number`), or gates
    combined (`and`, `or`, `not`)."""

    operator: str
    span: Span
    reading: ReadingValue | None = None
    number: float = 0.0
    gates: tuple[GateValue, ...] = ()

    @property
    def readings(self) -> tuple[ReadingValue, ...]:
        """What it is decided from."""
        own = (self.reading,) if self.reading is not None else ()
        return own + tuple(r for gate in self.gates for r in gate.readings)


@dataclass(frozen=True, eq=False)
class ActionValue:
    """One steering action, before the model it will act on is known."""

    operator: str
    version: int
    vectors: tuple[VectorValue, ...]
    scales: tuple[float, ...]
    options: Mapping[str, Json]
    layers: Selection | None
    site: Json
    tokens: Json
    across: bool
    span: Span
    when: GateValue | None = None
    schedule: Json = None
    layers_span: Span | None = None

    @property
    def layers_where(self) -> Span:
        """Where its layers are written, or the whole of it where they are left out."""
        return self.layers_span or self.span


@dataclass(frozen=True, eq=False)
class AppliedAction:
    """An action on a model: the layers it acts on there, and its document in the model's node."""

    action: ActionValue
    layers: tuple[int, ...]
    document: Mapping[str, Json]


@dataclass(frozen=True, eq=False)
class TaskVectorValue:
    """A difference of weights: its term stands in the node; `base` is the key of the weights it was taken from, None
    where it is made of adapters alone, which fit every model whose tensors they edit."""

    node: Node
    base: str | None
    base_name: str


@dataclass(frozen=True, eq=False)
class CoefficientsValue:
    """What each tensor of a task vector is multiplied by, as a term."""

    term: Mapping[str, Json]


@dataclass(frozen=True, eq=False)
class CoefficientsSetValue:
    """Coefficients of several task vectors: a term for each, in their order.

    node     what finds them while running; None where they are known
    vectors  the terms of the task vectors they were found for; empty where they come from a file
    names    what those vectors are called
    """

    terms: tuple[Mapping[str, Json], ...]
    names: tuple[str, ...]
    node: Node | None = None
    vectors: tuple[Json, ...] = ()


@dataclass(frozen=True, eq=False)
class CheckpointValue:
    """A model to write as a folder. `form` is what becomes of steering: `weights` or `adapter`."""

    node: Node
    name: str
    path: str
    shard_bytes: int
    dtype: str | None
    exclude: tuple[Json, ...]
    overwrite: bool
    span: Span
    form: str = "weights"


@dataclass(frozen=True, eq=False)
class AdapterValue:
    """A task vector to write as an adapter; `base` is the key of the weights it was taken from, if any."""

    node: Node
    path: str
    base: str | None
    rank: int | None
    dtype: str
    overwrite: bool
    span: Span
    form: str = "weights"


@dataclass(frozen=True, eq=False)
class SamplesValue:
    """Generated texts. `prompts`: the rows they answer; `carried`: what each has of its row beside the text."""

    node: Node
    prompts: Node | None = None
    carried: frozenset[str] = frozenset()


@dataclass(frozen=True, eq=False)
class MetricValue:
    """A measured number.

    rows   what it has a score for each row of, where it has such scores: metrics of the same rows are compared in pairs
    lines  by what its numbers are named where it has several (`answer`), and `names` those it has, where they are known
    vectors  those it judged, where it chooses among some
    """

    node: Node
    rows: Node | None = None
    lines: str = ""
    names: tuple[str, ...] = ()
    vectors: tuple[VectorValue, ...] = ()


@dataclass(frozen=True, eq=False)
class WordClassesValue:
    """Words of several classes, by the names of the classes."""

    classes: Mapping[str, tuple[str, ...]]


@dataclass(frozen=True, eq=False)
class ConditionValue:
    """A condition on measured numbers."""

    node: Node


@dataclass(frozen=True, eq=False)
class PointValue:
    """A point of an axis, found while running."""

    node: Node
    axis: Axis


@dataclass(frozen=True, eq=False)
class ExportValue:
    """A file to write: what goes in, where, and whether a file of other making may be replaced.

    `format` and `options` say how where a result can be written in more than one way.
    """

    node: Node
    path: str
    overwrite: bool
    span: Span
    format: str = ""
    options: Mapping[str, Json] = field(default_factory=dict)


@dataclass(frozen=True, eq=False)
class ReportValue:
    """A file on all that a run found: a `page`, or a picture of its `concepts`."""

    path: str
    options: Mapping[str, Json]
    span: Span
    form: str = "page"


def node_of(value: object) -> Node | None:
    """The graph node behind a value, if there is one."""
    node = getattr(value, "node", None)
    return node if isinstance(node, Node) else None


def named_vectors(value: object) -> dict[str, VectorValue]:
    """The vectors of a list of them by what each is called: its label, else its place."""
    if not isinstance(value, list) or not all(isinstance(v, VectorValue) for v in value):
        return {}
    return {v.label or str(i): v for i, v in enumerate(value)}


def as_selection(value: Any) -> Selection:
    """A `layers` argument as a flat selection."""
    if value is None:
        return (AllLayers(),)
    if isinstance(value, (list, tuple)):
        flat: list[LayerItem] = []
        for item in value:
            flat.extend(as_selection(item))
        return tuple(flat)
    return (value,)
