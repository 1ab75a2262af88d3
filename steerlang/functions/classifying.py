"""Measuring classifiers: accuracy, cross-entropy, confidence, disentanglement.

What a model says of some rows is one node (`classify`: logits of all rows); every metric is made of such nodes, so that
a second metric of the same model and rows runs no model. The texts that say classes are one node of their own
(`classify.head`), made by the weights an edit started from.
"""

from __future__ import annotations

from typing import Any, TypeAlias

from steerlang.data.classes import DEFAULT_TEMPLATES, Unknown, listed, places_in
from steerlang.diagnostics import codes, error
from steerlang.graph.facts.task import missing_part
from steerlang.graph.node import Json, Node
from steerlang.language.lowering import Lowering
from steerlang.language.parameter_types import Data, ListOf, Spread, Value
from steerlang.language.signature import Call, Function, Parameter
from steerlang.language.types import IMAGES, LABELLED, METRIC, MODEL, NONE, TASKVECTOR, TEXTS
from steerlang.language.values import POISON, DataValue, MetricValue, ModelValue, TaskVectorValue
from steerlang.source import Span

from .editing import edited, weights_of
from .labels import has_labels
from .tasks import is_classifier
from .texts import can_read
from .weights import summed_vectors

Places: TypeAlias = tuple[Span, Span, Span]

# ---- what a model says of rows -------------------------------------------------------------------------------------


def classified(
    model: ModelValue, data: DataValue, head: ModelValue | None, where: Places, what: str, low: Lowering
) -> Node | None:
    """The node of a model's logits on some rows; None where they cannot be (reported). `where`: model, data, head."""
    found = head_for(model, data, head, where, what, low)
    if found is POISON:
        return None
    inputs = (model.node, data.node) if found is None else (model.node, data.node, found)
    return low.node("classify", {}, inputs, "logits", group=f"classify:{model.base.key}")


def head_for(
    model: ModelValue, data: DataValue, head: ModelValue | None, where: Places, what: str, low: Lowering
) -> Any:
    """The node of the head that a model reads some rows with: None for its own, POISON where it cannot (reported)."""
    if not is_classifier(model, where[0], what, low) or not _reads(model, data, where[1], low):
        return POISON
    if head is not None and not _heads(model, head, where[2], low):
        return POISON
    if model.task == "clip":
        made = _head_of_texts(head or model, data, where[1], low)
        return POISON if made is None else made
    if not _knows(head or model, data, where[1], low):
        return POISON
    return None if head is None or head.base.key == model.base.key else _head_of_model(head, low)


def _head_of_texts(model: ModelValue, data: DataValue, where: Span, low: Lowering) -> Node | None:
    """Classes said in words by the text encoder of the weights an edit started from."""
    if data.classes is None:
        low.report(
            error(
                codes.NO_LABELS,
                where,
                f"`{model.name}` says classes in words, and it is not known which there are",
                help='list them where the data is read: `classes = ["cat", "dog"]`, or name a column of labels',
            )
        )
        return None
    weights = weights_of(model)
    templates = data.classes.templates or DEFAULT_TEMPLATES
    options: dict[str, Json] = {"classes": list(data.classes.names), "templates": list(templates)}
    return low.node("classify.head", options, (weights,), "head", group=f"head:{weights.key}")


def _head_of_model(head: ModelValue, low: Lowering) -> Node:
    """The classifier of another model: its last linear map."""
    return low.node("classify.head", {}, (head.base,), "head", group=f"head:{head.base.key}")


def _reads(model: ModelValue, data: DataValue, where: Span, low: Lowering) -> bool:
    """Whether the model has what it takes to read rows, and the rows are of the form it reads."""
    lacks = missing_part(model.task, model.facts.tokenizer, model.facts.has_processor)
    if lacks is not None:
        message, help = lacks
        low.report(error(codes.UNFIT_TASK, where, f"`{model.name}` {message}", help=help))
        return False
    wants_images = model.task != "sequence_classification"
    if wants_images == (data.form == IMAGES):
        return wants_images or (_has_texts(data, where, low) and can_read(model, data, where, low))
    given = data.form.phrase
    wanted = "images" if wants_images else "texts"
    help = 'read them with `images("table.csv", label = "class")`' if wants_images else 'read them with `jsonl(…)`'
    low.report(
        error(codes.ARGUMENT_TYPE, where, f"`{model.name}` classifies {wanted}, and this is {given}", help=help)
    )
    return False


def _has_texts(data: DataValue, where: Span, low: Lowering) -> bool:
    if not data.examples or any({"text", "prompt"} & row.keys() for row in data.examples):
        return True
    message = "these rows have labels and no text to classify"
    low.report(error(codes.MISSING_COLUMN, where, message, help='name the column of texts: `text = "…"`'))
    return False


def _heads(model: ModelValue, head: ModelValue, where: Span, low: Lowering) -> bool:
    """Whether a head may be taken from another model: one of the same task."""
    if head.task == model.task:
        return True
    message = f"a head for `{model.name}` comes from a model of the same task, and `{head.name}` is another kind"
    low.report(error(codes.WRONG_TASK, where, message, help=f"give a model loaded with `task = {model.task}`"))
    return False


def _knows(model: ModelValue, data: DataValue, where: Span, low: Lowering) -> bool:
    """Whether the classes of the data are among the labels of the model, as its configuration tells."""
    labels = model.facts.labels
    if data.classes is None or not labels or not isinstance(places_in(data.classes.names, labels), Unknown):
        return True
    low.report(
        error(
            codes.CLASS_MISMATCH,
            where,
            f"the classes of this data are not among those of `{model.name}`",
            help="name them as `id2label` in the model's `config.json` does (`classes = […]`), or by number",
            notes=(f"of the data: {listed(data.classes.names)}", f"of the model: {listed(labels)}"),
        )
    )
    return False


# ---- metrics -------------------------------------------------------------------------------------------------------


def _places(call: Call) -> Places:
    return call.where("models"), call.where("data"), call.where("head")


def _labelled_metric(name: str, words: str) -> Any:
    """A metric of logits and labels."""

    def lower(call: Call, low: Lowering) -> Any:
        found = _measured(name, call["models"], call, words, low)
        return POISON if found is None else MetricValue(found, call["data"].node)

    return lower


def _measured(name: str, model: ModelValue, call: Call, words: str, low: Lowering) -> Node | None:
    data: DataValue = call["data"]
    if not has_labels(data, call.where("data"), words, low):
        return None
    logits = classified(model, data, call["head"], _places(call), words, low)
    if logits is None or data.classes is None:
        return None
    options: dict[str, Json] = {"classes": list(data.classes.names)}
    return low.node(f"metric.{name}", options, (logits, data.node), "metric")


def _normalized(call: Call, low: Lowering) -> Any:
    own = _measured("accuracy", call["models"], call, "accuracy", low)
    full = _measured("accuracy", call["reference"], call, "accuracy", low)
    if own is None or full is None:
        return POISON
    return MetricValue(low.node("metric.normalized_accuracy", {}, (own, full), "metric"))


def _confidence(call: Call, low: Lowering) -> Any:
    logits = classified(call["models"], call["data"], call["head"], _places(call), "confidence", low)
    if logits is None:
        return POISON
    return MetricValue(low.node("metric.confidence", {}, (logits,), "metric"), call["data"].node)


def _disentanglement(call: Call, low: Lowering) -> Any:
    """xi over all ordered pairs: each vector alone, and with each of the others, on the data of the first."""
    model, vectors, sets = call["model"], call["vectors"], call["data"]
    heads = call["heads"] or [None] * len(vectors)
    if not _pair_up(call, low):
        return POISON
    pairs: list[Node] = []
    for i, (first, data, head) in enumerate(zip(vectors, sets, heads, strict=True)):
        where = (call.where("model"), call.entry("data", i), call.entry("heads", i))
        alone = _with(model, [first], data, head, where, call, low)
        for j, second in enumerate(vectors):
            both = alone if j == i else _with(model, [first, second], data, head, where, call, low)
            if alone is None or both is None:
                return POISON
            pairs += [alone, both] if j != i else []
    return MetricValue(low.node("metric.disentanglement", {}, tuple(pairs), "metric"))


def _pair_up(call: Call, low: Lowering) -> bool:
    count = len(call["vectors"])
    if count < 2:
        message = "disentanglement compares at least two task vectors"
        low.report(error(codes.OUT_OF_BOUNDS, call.where("vectors"), message, help="give two or more"))
        return False
    for name in ("data", "heads"):
        given = call[name]
        if given is not None and len(given) != count:
            message = f"{len(given)} in `{name}` for {count} task vectors"
            low.report(error(codes.OUT_OF_BOUNDS, call.where(name), message, help="give one for each, in order"))
            return False
    return True


def _with(
    model: ModelValue,
    vectors: list[TaskVectorValue],
    data: DataValue,
    head: ModelValue | None,
    where: Places,
    call: Call,
    low: Lowering,
) -> Node | None:
    change = summed_vectors(vectors, call.where("vectors"), low)
    made = POISON if change is POISON else edited(model, change, False, call.where("vectors"), low)
    return None if made is POISON else classified(made, data, head, where, "disentanglement", low)


_MODELS = Parameter("models", Spread(Value((MODEL,)), "model"), "a classifier, or a list of them to compare")
_ROWS = Parameter("data", Data((IMAGES, LABELLED)), "rows with labels")
_HEAD = Parameter(
    "head",
    Value((MODEL, NONE), "a model of the same task"),
    "whose classifier is used; left out: the model's own, for `clip` texts by the weights an edit started from",
    None,
)
_ANY = Data((IMAGES, LABELLED, TEXTS))

FUNCTIONS = (
    Function(
        "accuracy",
        "the share of rows whose likeliest class is their label",
        "classifying",
        (_MODELS, _ROWS),
        (_HEAD,),
        METRIC,
        _labelled_metric("accuracy", "accuracy"),
    ),
    Function(
        "normalized_accuracy",
        "accuracy divided by that of another model on the same rows, such as the one fine-tuned on them",
        "classifying",
        (_MODELS, _ROWS),
        (Parameter("reference", Value((MODEL,)), "the model whose accuracy counts as 1"), _HEAD),
        METRIC,
        _normalized,
        source="Ilharco et al., 2023",
    ),
    Function(
        "cross_entropy",
        "mean of -log p(label) over rows, in nats",
        "classifying",
        (_MODELS, _ROWS),
        (_HEAD,),
        METRIC,
        _labelled_metric("cross_entropy", "cross-entropy"),
    ),
    Function(
        "confidence",
        "mean probability of the likeliest class; needs no labels",
        "classifying",
        (_MODELS, Parameter("data", _ANY, "the rows")),
        (_HEAD,),
        METRIC,
        _confidence,
    ),
    Function(
        "disentanglement",
        "how often adding another task vector changes what a model with one says on the rows of that one's task",
        "classifying",
        (
            Parameter("model", Value((MODEL,)), "the base model"),
            Parameter("vectors", ListOf(Value((TASKVECTOR,))), "task vectors with their scales: `[0.3 * a, 0.4 * b]`"),
        ),
        (
            Parameter("data", ListOf(_ANY), "rows of each task, in the order of the vectors"),
            Parameter("heads", ListOf(Value((MODEL,))), "whose classifier is used for each; left out: as above", None),
        ),
        METRIC,
        _disentanglement,
        source="Ortiz-Jimenez et al., 2023",
    ),
)
