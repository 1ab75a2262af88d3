"""What classifiers say of rows, and the metrics made of it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from steerlang.data.templates import in_text
from steerlang.diagnostics import codes
from steerlang.engine.operation import Context, Task
from steerlang.engine.payload import Payload
from steerlang.graph.node import Node

from .base import Single, fail, inputs
from .metric import Metric, mean_of, mean_of_means, ratio_of_means
from .model_errors import as_diagnostics
from .rendering import tokenised

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from steerlang.models.class_heads import Head
    from steerlang.models.classifiers import Classifier

    from .resources import Resources

LOGITS, HEAD = "logits", "head"


# ---- heads ---------------------------------------------------------------------------------------------------------


def _head(task: Task, context: Context) -> Payload:
    """A head made of texts, or the classifier of a model, as weight and bias."""
    resources: Resources = context.resources  # type: ignore[assignment]
    options: Any = task.node.options
    with as_diagnostics():
        classifier = resources.classifier(task.node.inputs[0], task.value)
        if "templates" in options:
            made = classifier.head_of_texts(options["classes"], options["templates"])
        else:
            made = classifier.exchangeable_head()
    tensors = {"weight": made.weight, "bias": made.bias}
    found = {name: tensor.numpy() for name, tensor in tensors.items() if tensor is not None}
    return Payload(HEAD, {"names": list(made.names)}, found)


def head_of(payload: Payload) -> Head:
    """A stored head."""
    import numpy
    import torch

    from steerlang.models.class_heads import Head

    tensors = {name: torch.from_numpy(numpy.array(payload.tensors[name])) for name in payload.tensors}
    names: Any = payload.meta["names"]
    return Head(tuple(names), tensors["weight"], tensors.get("bias"))


# ---- logits --------------------------------------------------------------------------------------------------------


def _classify(task: Task, context: Context) -> Payload:
    """Logits ``[n, C]`` of every row, in their order, with the names of the classes."""
    resources: Resources = context.resources  # type: ignore[assignment]
    model, data, *heads = task.node.inputs
    rows = task.value(data).rows
    import numpy

    with as_diagnostics():
        classifier = resources.classifier(model, task.value)
        head = head_of(task.value(heads[0])) if heads else classifier.own_head
        assert head is not None
        found = numpy.empty((len(rows), len(head.names)), numpy.float32)
        done = 0
        context.progress(0, len(rows), "rows")
        for places, logits in classifier.predict(rows_of(rows, data, classifier), head):
            found[places] = logits.numpy()
            done += len(places)
            context.progress(done, len(rows), "rows")
    return Payload(LOGITS, {"names": list(head.names)}, {"logits": found})


def rows_of(rows: Sequence[dict[str, Any]], data: Node, classifier: Classifier) -> list[dict[str, Any]]:
    """Rows as a classifier reads them: images by their whole paths, messages of a chat template as tokens."""
    if classifier.task != "sequence_classification":
        table = table_of(data)
        return [
            {"image": str(table.parent / row["image"]), "place": f"line {row['line']} of `{table.name}`"}
            for row in rows
        ]
    if any(row.get("chat") for row in rows):
        return [{"ids": item.ids} for item in tokenised(classifier.encoder.tokenizer, rows, "text", answer=False)]
    return [{"text": row["text"] if "text" in row else row["prompt"]} for row in rows]


def table_of(data: Node) -> Path:
    """The file that some rows were read from, whatever samples, splits and texts were made of them since."""
    while data.operation != "data.rows":
        data = data.inputs[1 if data.operation == "generate" else 0]
    return Path(data.locators["path"])


# ---- metrics -------------------------------------------------------------------------------------------------------


def labels_among(names: Sequence[str], rows: Payload, classes: Sequence[str]) -> NDArray[np.int64]:
    """The place among `names`, the classes of some logits, of each row's label ``[n]``."""
    import numpy

    from steerlang.models.class_heads import Head

    with as_diagnostics():
        places = dict(zip(classes, Head(tuple(names)).places(classes), strict=True))
    found = [in_text(row["label"]) for row in rows.rows]
    unknown = next((label for label in found if label not in places), None)
    if unknown is not None:
        raise fail(codes.UNKNOWN_CLASS, f"the label `{unknown}` is none of the classes", "list it in `classes`")
    return numpy.asarray([places[label] for label in found], dtype=numpy.int64)


def _labels(logits: Payload, rows: Payload, classes: Sequence[str]) -> NDArray[np.int64]:
    names: Any = logits.meta["names"]
    return labels_among(names, rows, classes)


def _scored(task: Task) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """Log-probabilities ``[n, C]`` in float64, and labels ``[n]``."""
    import numpy

    logits, rows = inputs(task)
    classes: Any = task.node.options["classes"]
    return _log_softmax(numpy.asarray(logits.tensors["logits"])), _labels(logits, rows, classes)


def _log_softmax(logits: NDArray[np.float32]) -> NDArray[np.float64]:
    import numpy

    shifted = logits.astype(numpy.float64) - logits.max(axis=1, keepdims=True)
    result: NDArray[np.float64] = shifted - numpy.log(numpy.exp(shifted).sum(axis=1, keepdims=True))
    return result


def _accuracy(task: Task, _: Context) -> Payload:
    """Mean of 1[argmax = label]; of equal logits the first counts."""
    logits, rows = inputs(task)
    classes: Any = task.node.options["classes"]
    labels = _labels(logits, rows, classes)
    return mean_of((_choices(logits) == labels).astype(float).tolist()).payload()


def _choices(logits: Payload) -> NDArray[np.int64]:
    import numpy

    found: NDArray[np.int64] = numpy.asarray(logits.tensors["logits"]).argmax(axis=1)
    return found


def _cross_entropy(task: Task, _: Context) -> Payload:
    """Mean of -log softmax(logits)[label], in nats."""
    found, labels = _scored(task)
    return mean_of((-found[range(len(labels)), labels]).tolist()).payload()


def _confidence(task: Task, _: Context) -> Payload:
    """Mean of the largest probability."""
    import numpy

    (logits,) = inputs(task)
    largest = numpy.exp(_log_softmax(numpy.asarray(logits.tensors["logits"])).max(axis=1))
    return mean_of(largest.tolist()).payload()


def _normalized(task: Task, _: Context) -> Payload:
    """accuracy / accuracy of the reference on the same rows; NaN where the reference has none right."""
    own, full = (Metric.of(p) for p in inputs(task))
    return ratio_of_means(own.scores, full.scores).payload()


def _disentanglement(task: Task, _: Context) -> Payload:
    """xi: mean over ordered pairs of the mean over rows of 1[argmax alone != argmax with the other]."""
    given = inputs(task)
    changed = [
        (_choices(alone) != _choices(both)).astype(float).tolist()
        for alone, both in zip(given[::2], given[1::2], strict=True)
    ]
    return mean_of_means(changed).payload()


OPERATIONS = {
    "classify.head": Single(_head),
    "classify": Single(_classify),
    "metric.accuracy": Single(_accuracy),
    "metric.cross_entropy": Single(_cross_entropy),
    "metric.confidence": Single(_confidence),
    "metric.normalized_accuracy": Single(_normalized),
    "metric.disentanglement": Single(_disentanglement),
}
