"""Learning coefficients of task vectors: `learn`, and `search` over one scale, which is what learning is held against.

What each objective computes stands in `steerlang/learning/`; here is what it takes, and what is checked beforehand.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from steerlang.data.coefficients import BadCoefficients, read_coefficients
from steerlang.diagnostics import Diagnostic, Label, codes, error
from steerlang.graph.facts import Trouble
from steerlang.graph.node import Json, Node
from steerlang.language.lowering import Lowering
from steerlang.language.parameter_types import Choice, Data, Flag, ListOf, Methods, Number, Text, Value
from steerlang.language.signature import Call, Function, Method, MethodChoice, Parameter
from steerlang.language.types import BLOCKS, COEFFICIENTS, IMAGES, LABELLED, MODEL, PAIRS, TASKVECTOR, TEXTS
from steerlang.language.values import POISON, CoefficientsSetValue, DataValue, ModelValue, TaskVectorValue

from .blocks import EVERY_TENSOR, ONE_BLOCK
from .reports import report
from .terms import Term

_ROWS = Data((LABELLED, IMAGES, TEXTS, PAIRS))
_KEEP = Parameter("keep", Number(0, 1), "the share of the base's accuracy on the control that must be kept", 0.95)

OBJECTIVES = (
    Method(
        "supervised",
        "cross-entropy with the labels; of several data sets, their sum",
        source="Zhang et al., 2024",
        formula="sum over data sets of CE(f(x), y)",
    ),
    Method(
        "negate",
        "makes the data's labels less likely while a control set stays as it was",
        (Parameter("control", _ROWS, "what must not be forgotten"), _KEEP),
        source="Zhang et al., 2024",
        formula="-CE(target) + CE(control), accuracy(control) >= keep * the base's",
    ),
    Method(
        "entropy",
        "makes predictions certain, without labels",
        source="Wang et al., 2021 (TENT); Yang et al., 2024 (AdaMerging)",
        formula="-sum p log p",
    ),
    Method(
        "self_training",
        "agreement of weak and strong views, with a trusted set that is estimated anew each epoch; no labels",
        (
            Parameter("trusted", Number(1, integer=True), "the most rows of each class that are trusted", 100),
            Parameter("start", Number(0, 1), "how certain a prediction must be to count, at first; at the end 1", 0.9),
        ),
        source="Zhang et al., 2024 (unsupervised FixMatch)",
    ),
    Method(
        "language_model",
        "next-token cross-entropy on texts; of pairs, on the targets after their sources",
        source="Zhang et al., 2024, for causal language models",
        formula="-mean log p(next token)",
    ),
)
_UNLABELLED = ("entropy", "self_training", "language_model")

_GAMMA = Parameter("gamma", Number(0), "how strong the penalty is", 0.5)
PENALTIES = (
    Method("none", "no penalty"),
    Method("l1", "gamma times the mean over blocks of the sum of magnitudes", (_GAMMA,)),
    Method("l2", "gamma times the mean over blocks of the Euclidean norm", (_GAMMA,)),
)
_CRITERION = {"accuracy": "the highest accuracy; needs labels", "loss": "the lowest value of the objective"}
SELECTIONS = (
    Method("last", "the coefficients after the last step"),
    Method(
        "best",
        "those that do best on other data, looked at once an epoch",
        (
            Parameter("on", _ROWS, "the data that decides"),
            Parameter("by", Choice(_CRITERION), "what is compared", "accuracy"),
            Parameter("every", Number(1, integer=True, optional=True), "steps between looks; else an epoch", None),
        ),
    ),
)
_COUNT = Parameter("keep", Number(1, integer=True), "how many task vectors are kept", 1)
POOLS = (
    Method("all", "every task vector has coefficients"),
    Method("gradient", "those with the largest gradient at 0, over all blocks", (_COUNT,), source="Zhang et al., 2024"),
    Method("gradient_blockwise", "for each block, those with the largest gradient there", (_COUNT,)),
    Method("random", "some at random, by the seed", (_COUNT,)),
    Method(
        "features",
        "those whose own data is nearest: cosine of mean features",
        (_COUNT, Parameter("of", ListOf(_ROWS), "the data each task vector was tuned on, in their order")),
        source="Zhang et al., 2024",
    ),
)


@dataclass
class Inputs:
    """The nodes a node reads, each once, and what they are called in its options: their places."""

    nodes: list[Node]

    def place(self, node: Node) -> int:
        if node not in self.nodes:
            self.nodes.append(node)
        return self.nodes.index(node)


def _learn(call: Call, low: Lowering) -> Any:
    if not (_sound(call, low) and _coherent(call, low)):
        return POISON
    inputs = Inputs([])
    options = _pool(call, inputs)
    objective, select = call["objective"], call["select"]
    options |= {
        "objective": _document(objective, inputs),
        "select": _document(select, inputs),
        "penalty": _document(call["penalty"], inputs),
        "pool": _document(call["pool"], inputs),
        "blocks": call["blocks"] or EVERY_TENSOR,
        **{n: call[n] for n in _NUMBERS},
    }
    return _found(call, low, "learn", options, inputs)


_NUMBERS = (
    "steps", "epochs", "lr", "schedule", "warmup", "weight_decay", "clip", "batch_size", "grad_accumulation",
    "linearize", "seed",
)  # fmt: skip


def _search(call: Call, low: Lowering) -> Any:
    if not (_sound(call, low) and _fits(call, low)):
        return POISON
    inputs = Inputs([])
    options = _pool(call, inputs)
    options |= {
        "objective": _document(call["objective"], inputs),
        "grid": [float(x) for x in call["grid"]],
        "blocks": ONE_BLOCK,
        "batch_size": call["batch_size"],
    }
    return _found(call, low, "search", options, inputs)


def _pool(call: Call, inputs: Inputs) -> dict[str, Json]:
    """What both have in common: the model, the task vectors as terms, the data."""
    model: ModelValue = call["on"]
    vectors: list[TaskVectorValue] = call["vectors"]
    on = inputs.place(model.node)
    for node in sorted({n for v in vectors for n in v.node.inputs}, key=lambda n: n.key):
        inputs.place(node)
    terms: list[Json] = [_term(v) for v in vectors]
    return {"on": on, "vectors": terms, "data": [_rows(d, inputs) for d in call["data"]]}


def _found(call: Call, low: Lowering, operation: str, options: dict[str, Json], inputs: Inputs) -> CoefficientsSetValue:
    names = tuple(call.entry("vectors", i).text.strip() for i in range(len(call["vectors"])))
    model: ModelValue = call["on"]
    locators = {"vectors": "\n".join(names), "name": model.name}
    node = low.node(operation, options, tuple(inputs.nodes), "coefficients", locators=locators)
    terms: list[Term] = [{"is": "Learned", "of": node.key, "vector": i} for i in range(len(names))]
    vectors = options["vectors"]
    assert isinstance(vectors, list)
    return CoefficientsSetValue(tuple(terms), names, node, tuple(vectors))


def _term(vector: TaskVectorValue) -> Json:
    return vector.node.options["term"]


def _rows(data: DataValue, inputs: Inputs) -> Json:
    return {"rows": inputs.place(data.node), "head": None}


def _document(choice: MethodChoice, inputs: Inputs) -> dict[str, Json]:
    """A method with its options as JSON; data by its place among the inputs."""
    options = {name: _as_json(value, inputs) for name, value in choice.options.items()}
    return {"name": choice.method.name, "version": choice.method.version, "options": options}


def _as_json(value: Any, inputs: Inputs) -> Json:
    if isinstance(value, list):
        return [_as_json(v, inputs) for v in value]
    return _rows(value, inputs) if isinstance(value, DataValue) else value  # type: ignore[no-any-return]


def _load(call: Call, low: Lowering) -> Any:
    """Coefficients in a file: plain numbers, so what is made of them is keyed by the numbers, not by the file."""
    found = low.facts.document(call["path"], low.folder)
    if isinstance(found, Trouble):
        report(found, call.where("path"), low)
        return POISON
    try:
        named = read_coefficients(found.value)
    except BadCoefficients as e:
        message = f"`{call['path']}` cannot be read as coefficients: {e}"
        help = "write such a file with `coefficients_file(…)`"
        low.report(error(codes.UNREADABLE_FILE, call.where("path"), message, help=help))
        return POISON
    terms: list[Term] = [
        {"is": "ByBlock", "blocks": dict(named.partition), "values": [[block, float(x)] for block, x in own.items()]}
        for own in named.values.values()
    ]
    return CoefficientsSetValue(tuple(terms), tuple(named.values))


# ---- what is checked -----------------------------------------------------------------------------------------------


def _sound(call: Call, low: Lowering) -> bool:
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


def _coherent(call: Call, low: Lowering) -> bool:
    """Whether objective, model, length and selection go together."""
    if not _fits(call, low):
        return False
    if (call["steps"] is None) == (call["epochs"] is None):
        given = call["steps"] is not None
        message = "both `steps` and `epochs` are given" if given else "it is not said how long to learn"
        help = "leave out one of them" if given else "give `steps` or `epochs`"
        return _wrong(low, codes.MISSING_ARGUMENT, call, "epochs", message, help)
    objective, select = call["objective"].method.name, call["select"]
    if objective in _UNLABELLED and select.options.get("by") == "accuracy":
        message = f"`{objective}` learns without labels, and `best` selects by them"
        help = "take `best(…, by = loss)` or `last`: coefficients that labels chose were not learned without them"
        return _wrong(low, codes.ARGUMENT_TYPE, call, "select", message, help)
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
    return _apart(call, low)


def _fits(call: Call, low: Lowering) -> bool:
    """Whether the objective is one for this kind of model."""
    objective: str = call["objective"].method.name
    model: ModelValue = call["on"]
    causal = model.node.options["task"] == "causal"
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
        low.report(Diagnostic(codes.DATA_REUSED, message, where, help=("select on other rows: `split(…)`",)))
    return True


def _wrong(low: Lowering, code: codes.Code, call: Call, argument: str, message: str, help: str) -> bool:
    low.report(error(code, call.where(argument), message, help=help))
    return False


# ---- the entries ---------------------------------------------------------------------------------------------------

_VECTORS = Parameter("vectors", ListOf(Value((TASKVECTOR,)), single=True), "the task vectors")
_ON = Parameter("on", Value((MODEL,)), "the checkpoint they are added to")
_DATA = Parameter("data", ListOf(_ROWS, single=True), "what is learned from; several data sets count alike")
_HEADS = Parameter(
    "heads",
    ListOf(Value((MODEL,)), single=True),
    "models whose classifiers are put on the encoder, one for all data or one each; else the model's own",
    (),
)
_GRID = [round(i / 20, 2) for i in range(21)]
_SCHEDULE = {
    "cosine": "falls from `lr` to 0 over the steps, as half a cosine",
    "constant": "stays at `lr`",
}

FUNCTIONS = (
    Function(
        "learn",
        "coefficients for every task vector and block, found by gradient descent; at 0 the model is the base",
        "learning",
        (_VECTORS,),
        (
            _ON,
            _DATA,
            _HEADS,
            Parameter("objective", Methods(OBJECTIVES), "what is made small", MethodChoice(OBJECTIVES[0], {})),
            Parameter("blocks", Value((BLOCKS,)), "what has a coefficient of its own; each tensor when left out", None),
            Parameter("steps", Number(1, integer=True, optional=True), "how many updates; instead of `epochs`", None),
            Parameter("epochs", Number(1, integer=True, optional=True), "how often the data is passed over", None),
            Parameter("lr", Number(0, exclusive=True), "the step size of AdamW", 0.1),
            Parameter("schedule", Choice(_SCHEDULE), "how the step size runs", "cosine"),
            Parameter("warmup", Number(0, integer=True), "updates over which the step size grows to `lr` first", 0),
            Parameter("weight_decay", Number(0), "of the coefficients, as AdamW applies it", 0.1),
            Parameter("clip", Number(0, exclusive=True, optional=True), "the largest norm of the gradient", 1.0),
            Parameter("batch_size", Number(1, integer=True), "rows in a batch of each data set", 128),
            Parameter("grad_accumulation", Number(1, integer=True), "batches to an update", 1),
            Parameter("penalty", Methods(PENALTIES), "what keeps coefficients small", MethodChoice(PENALTIES[0], {})),
            Parameter("select", Methods(SELECTIONS), "which coefficients are kept", MethodChoice(SELECTIONS[0], {})),
            Parameter("pool", Methods(POOLS), "which task vectors take part", MethodChoice(POOLS[0], {})),
            Parameter("linearize", Flag(), "whether the model is replaced by its tangent at the base", False),
            Parameter("seed", Number(0, integer=True), "of the order of rows, and of random choices", 0),
        ),
        COEFFICIENTS,
        _learn,
        source="Zhang et al., 2024",
    ),
    Function(
        "search",
        "one scale for all task vectors, the best of a grid",
        "learning",
        (_VECTORS,),
        (
            _ON,
            _DATA,
            _HEADS,
            Parameter("objective", Methods(OBJECTIVES), "what is looked for", MethodChoice(OBJECTIVES[0], {})),
            Parameter("grid", ListOf(Number()), "the scales tried; `negate` subtracts them", _GRID),
            Parameter("batch_size", Number(1, integer=True), "rows looked at together", 128),
        ),
        COEFFICIENTS,
        _search,
        source="Ilharco et al., 2023",
    ),
    Function(
        "load_coefficients",
        "coefficients that `coefficients_file` wrote, in the order of the file",
        "learning",
        (Parameter("path", Text(), "the file, relative to the program"),),
        (),
        COEFFICIENTS,
        _load,
    ),
)
