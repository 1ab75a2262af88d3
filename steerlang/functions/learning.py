"""Learning coefficients of task vectors: `learn`, and `search` over one scale, which is what learning is held against.

What each objective computes stands in `steerlang/learning/`; here is what it takes, and what is checked beforehand.
"""

from __future__ import annotations

from typing import Any

from steerlang.graph.node import Json
from steerlang.language.lowering import Lowering
from steerlang.language.parameter_types import Choice, Data, Flag, ListOf, Methods, Number, Value
from steerlang.language.signature import Call, Function, Method, MethodChoice, Parameter
from steerlang.language.types import BLOCKS, COEFFICIENTS, IMAGES, LABELLED, MODEL, PAIRS, TASKVECTOR, TEXTS
from steerlang.language.values import POISON, CoefficientsSetValue, ModelValue, TaskVectorValue

from .blocks import EVERY_TENSOR, ONE_BLOCK
from .learning_checks import fits, has_scales, is_coherent, is_sound
from .learning_sets import Inputs, Sets
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


def _learn(call: Call, low: Lowering) -> Any:
    if not (is_sound(call, low) and is_coherent(call, low)):
        return POISON
    sets = Sets(call, low, Inputs([]))
    options = _pool(call, sets)
    options |= {
        **{name: sets.document(name) for name in ("objective", "select", "penalty", "pool")},
        "blocks": call["blocks"] or EVERY_TENSOR,
        **{n: call[n] for n in _NUMBERS},
    }
    return POISON if sets.broken else _found(call, low, "learn", options, sets.inputs)


_NUMBERS = (
    "steps", "epochs", "lr", "schedule", "warmup", "weight_decay", "clip", "batch_size", "grad_accumulation",
    "linearize", "seed",
)  # fmt: skip


def _search(call: Call, low: Lowering) -> Any:
    if not (is_sound(call, low) and has_scales(call, low) and fits(call, low)):
        return POISON
    sets = Sets(call, low, Inputs([]))
    options = _pool(call, sets)
    options |= {
        "objective": sets.document("objective"),
        "grid": [float(x) for x in call["grid"]],
        "blocks": ONE_BLOCK,
        "batch_size": call["batch_size"],
    }
    return POISON if sets.broken else _found(call, low, "search", options, sets.inputs)


def _pool(call: Call, sets: Sets) -> dict[str, Json]:
    """What both have in common: the model, the task vectors as terms, the data."""
    model: ModelValue = call["on"]
    vectors: list[TaskVectorValue] = call["vectors"]
    on = sets.inputs.place(model.node)
    for node in sorted({n for v in vectors for n in v.node.inputs}, key=lambda n: n.key):
        sets.inputs.place(node)
    terms: list[Json] = [_term(v) for v in vectors]
    return {"on": on, "vectors": terms, "data": sets.learned_from()}


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


# ---- the entries ---------------------------------------------------------------------------------------------------

_VECTORS = Parameter("vectors", ListOf(Value((TASKVECTOR,)), single=True), "the task vectors")
_ON = Parameter("on", Value((MODEL,)), "the checkpoint they are added to")
_DATA = Parameter("data", ListOf(_ROWS, single=True), "what is learned from; several data sets count alike")
_HEADS = Parameter(
    "heads",
    ListOf(Value((MODEL,)), single=True),
    "models whose classifiers are put on the encoder, one for all data or a list of one each; else the model's own",
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
)
