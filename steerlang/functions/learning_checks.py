"""What is looked at before coefficients are learned: whether model, task vectors, objective and length go together."""

from __future__ import annotations

from pathlib import PurePosixPath

from steerlang.diagnostics import Diagnostic, Label, codes, error
from steerlang.graph.node import Node
from steerlang.language.lowering import Lowering
from steerlang.language.signature import Call
from steerlang.language.values import ModelValue, TaskVectorValue

from .learning_sets import UNLABELLED
from .tasks import WRITERS


def is_sound(call: Call, low: Lowering) -> bool:
    model: ModelValue = call["on"]
    vectors: list[TaskVectorValue] = call["vectors"]
    if not vectors:
        message = "there is no task vector to find coefficients for"
        return _wrong(low, codes.EMPTY_RANGE, call, "vectors", message, "give at least one")
    if model.node.operation != "model.load":
        message = "coefficients are found on a checkpoint, and this model is edited or steered"
        return _wrong(low, codes.ARGUMENT_TYPE, call, "on", message, "give a model made with `hf(…)`")
    for i, vector in enumerate(vectors):
        if vector.base is not None and vector.base != model.node.key:
            message = f"this task vector was taken from `{vector.base_name}`, and is learned on `{model.name}`"
            low.report(
                error(
                    codes.PROVENANCE_MISMATCH,
                    call.entry("vectors", i),
                    message,
                    help=f"learn on `{vector.base_name}`, or take the difference to `{model.name}`",
                )
            )
            return False
    return True


def has_scales(call: Call, low: Lowering) -> bool:
    if call["grid"]:
        return True
    return _wrong(low, codes.EMPTY_RANGE, call, "grid", "the grid of scales is empty", "give at least one number")


def is_coherent(call: Call, low: Lowering) -> bool:
    """Whether objective, model, length and selection go together."""
    if not fits(call, low):
        return False
    if (call["steps"] is None) == (call["epochs"] is None):
        given = call["steps"] is not None
        message = "both `steps` and `epochs` are given" if given else "it is not said how long to learn"
        help = "leave out one of them" if given else "give `steps` or `epochs`"
        return _wrong(low, codes.MISSING_ARGUMENT, call, "epochs", message, help)
    objective, select = call["objective"].method.name, call["select"]
    if objective in UNLABELLED and select.options.get("by") == "accuracy":
        message = f"`{objective}` learns without labels, and `best` selects by them"
        help = "take `best(…, by = loss)` or `last`: coefficients that labels chose were not learned without them"
        return _wrong(low, codes.SELECTS_BY_LABELS, call, "select", message, help)
    if objective == "self_training" and len(call["data"]) > 1:
        message = f"`self_training` adapts to one data set, and {len(call['data'])} are given"
        return _wrong(low, codes.OBJECTIVE_DATA, call, "data", message, "learn for each by itself")
    if objective == "language_model" and call["pool"].method.name == "features":
        message = "`features` needs a classifier, whose head reads features"
        return _wrong(low, codes.ARGUMENT_TYPE, call, "pool", message, "take `gradient(…)` or another rule")
    own = call["pool"].options.get("of")
    if own is not None and len(own) != len(call["vectors"]):
        message = f"{len(own)} data sets for {len(call['vectors'])} task vectors"
        return _wrong(low, codes.ARGUMENT_TYPE, call, "pool", message, "give the data of each, in their order")
    keep = call["pool"].options.get("keep", 1)
    if keep > len(call["vectors"]):
        message = f"{keep} of {len(call['vectors'])} task vectors cannot be kept"
        return _wrong(low, codes.OUT_OF_BOUNDS, call, "pool", message, "keep fewer, or take `pool = all`")
    _warn_of_leaks(call, low)
    return _apart(call, low)


def fits(call: Call, low: Lowering) -> bool:
    """Whether the objective is one for this kind of model."""
    objective: str = call["objective"].method.name
    model: ModelValue = call["on"]
    causal = model.task in WRITERS
    if causal == (objective == "language_model"):
        return True
    what = "a causal language model" if causal else "a classifier"
    help = "take `objective = language_model`" if causal else "take `supervised`, `negate`, `entropy` or another"
    message = f"`{objective}` is no objective for `{model.name}`, {what}"
    return _wrong(low, codes.ARGUMENT_TYPE, call, "objective", message, help)


def _apart(call: Call, low: Lowering) -> bool:
    """Says where data that is learned from also selects; that is no error, but no honest choice either."""
    chosen = call["select"].options.get("on")
    if chosen is not None and any(d.node == chosen.node for d in call["data"]):
        message = "the data that selects is also learned from, so the last step always looks best"
        where = Label(call.where("select"))
        low.report(Diagnostic(codes.DATA_USED_TWICE, message, where, help=("select on other rows: `split(…)`",)))
    return True


def _warn_of_leaks(call: Call, low: Lowering) -> None:
    """Says where data without labels is adapted to with a task vector that was tuned on that very task, as far as
    names tell: a fine-tune `NAME-digits` of `NAME`, and data in a folder or file called `digits`."""
    if call["objective"].method.name not in ("entropy", "self_training"):
        return
    parts = {part for data in call["data"] for part in _path_of(data.node, low)}
    base: ModelValue = call["on"]
    for i, vector in enumerate(call["vectors"]):
        for node in vector.node.inputs:
            task = _task_of(node, base)
            if task and task in parts:
                message = f"the task vector of `{node.locators['name']}` seems tuned on the task that is adapted to"
                where = Label(call.entry("vectors", i))
                help = "leave it out: with it in the pool, adaptation without labels shows nothing"
                low.report(Diagnostic(codes.TASK_LEAK, message, where, help=(help,)))


def _path_of(rows: Node, low: Lowering) -> tuple[str, ...]:
    """The parts of the path of the file that some rows come from, without its ending."""
    while rows.inputs:
        rows = rows.inputs[0]
    return PurePosixPath(low.sources.get(rows.key, "")).with_suffix("").parts if rows.key in low.sources else ()


def _task_of(node: Node, base: ModelValue) -> str:
    """What a fine-tune's name adds to its base's: `digits` for `models/glyphs-digits` of `models/glyphs`."""
    name, stem = (PurePosixPath(x).name for x in (node.locators.get("name", ""), base.name))
    return name[len(stem) :].strip("-_.") if name.startswith(stem) else ""


def _wrong(low: Lowering, code: codes.Code, call: Call, argument: str, message: str, help: str) -> bool:
    low.report(error(code, call.where(argument), message, help=help))
    return False
