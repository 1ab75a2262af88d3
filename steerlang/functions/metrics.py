"""Measuring: metrics of samples and models, and arithmetic and comparisons of what was measured."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from steerlang.diagnostics import Diagnostic, Label, codes, error
from steerlang.graph.node import Json, Node
from steerlang.language.lowering import Lowering
from steerlang.language.parameter_types import Choice, Data, Number, Spread, Text, Value, Words
from steerlang.language.signature import Call, Function, Operator, Parameter
from steerlang.language.types import BOOL, CONDITION, IMAGES, METRIC, MODEL, NUMBER, SAMPLES, TEXTS
from steerlang.language.values import POISON, ConditionValue, MetricValue, ModelValue, SamplesValue
from steerlang.source import Span

from .seeing import fits
from .tasks import scores_texts
from .texts import reads_plainly

_KL_POSITIONS = {
    "all": "every token (of a prompt with an image, every one after it)",
    "last": "the last token of each text",
}

# ---- metrics -------------------------------------------------------------------------------------------------------


def _word_metric(name: str, option_names: tuple[str, ...] = ()) -> Any:
    def lower(call: Call, low: Lowering) -> MetricValue:
        options: dict[str, Json] = {n: call[n] for n in option_names}
        samples: SamplesValue = call["samples"]
        node = low.node(f"metric.{name}", options, (samples.node, call["words"].node), "metric")
        return MetricValue(node, samples.prompts)

    return lower


def _distinct(call: Call, low: Lowering) -> MetricValue:
    return MetricValue(low.node("metric.distinct", {"n": call["n"]}, (call["samples"].node,), "metric"))


def _perplexity(call: Call, low: Lowering) -> Any:
    by: ModelValue = call["by"]
    if not scores_texts(by, call.where("by"), "perplexity", low) or not reads_plainly(by, call.where("by"), low):
        return POISON
    kind = "samples" if isinstance(call["texts"], SamplesValue) else "rows"
    node = low.node("metric.perplexity", {"of": kind}, (call["texts"].node, by.node), "metric", group=_score_group(by))
    return MetricValue(node)


def _kl_from(call: Call, low: Lowering) -> Any:
    model, base = call["models"], call["base"]
    if not all(scores_texts(call[n], call.where(n), "divergence of next tokens", low) for n in ("models", "base")):
        return POISON
    if not reads_plainly(model, call.where("models"), low) or not reads_plainly(base, call.where("base"), low):
        return POISON
    if not fits(model, call["texts"], call.where("texts"), low):
        return POISON
    if model.base.key != base.base.key:
        low.report(
            error(
                codes.PROVENANCE_MISMATCH,
                call.where("base"),
                f"`{model.name}` and `{base.name}` have different weights, and only steering is compared here",
                help="compare steered variants of one model with that model",
            )
        )
        return POISON
    if base.node is not base.base:
        low.report(
            error(
                codes.ARGUMENT_TYPE,
                call.where("base"),
                "the model compared with is steered itself",
                help="give the unsteered model as `base`",
            )
        )
        return POISON
    inputs = (model.node, base.node, call["texts"].node)
    options: dict[str, Json] = {"positions": call["positions"]}
    return MetricValue(
        low.node("metric.kl_from", options, inputs, "metric", group=_score_group(model)), call["texts"].node
    )


def _logit_difference(call: Call, low: Lowering) -> Any:
    model = call["models"]
    if not scores_texts(model, call.where("models"), "a difference of next tokens", low):
        return POISON
    if not reads_plainly(model, call.where("models"), low):
        return POISON
    if not fits(model, call["prompts"], call.where("prompts"), low):
        return POISON
    options: dict[str, Json] = {"target": call["target"], "source": call["source"]}
    node = low.node(
        "metric.logit_difference", options, (model.node, call["prompts"].node), "metric", group=_score_group(model)
    )
    return MetricValue(node, call["prompts"].node)


def _open_share(call: Call, low: Lowering) -> Any:
    model = call["models"]
    if not scores_texts(model, call.where("models"), "the share of texts on which a gate is open", low):
        return POISON
    if not reads_plainly(model, call.where("models"), low):
        return POISON
    if not fits(model, call["texts"], call.where("texts"), low):
        return POISON
    if not _is_gated(model):
        message = f"no action of `{model.name}` has a gate, so there is nothing to be open"
        low.report(
            error(codes.ARGUMENT_TYPE, call.where("models"), message, help="give a model with `when = …`, and no other")
        )
        return POISON
    inputs = (model.node, call["texts"].node)
    node = low.node("metric.open_share", {}, inputs, "metric", group=_score_group(model))
    return MetricValue(node, call["texts"].node)


def _is_gated(model: ModelValue) -> bool:
    """Whether any action has a gate, in this `apply` or one below it."""
    node = model.node
    while node is not model.base:
        actions: Any = node.options.get("actions", ())
        if any(document.get("when") is not None for document in actions):
            return True
        node = node.inputs[0]
    return False


def _score_group(model: ModelValue) -> str:
    return f"score:{model.base.key}:{model.node.key}"


# ---- arithmetic of measured numbers --------------------------------------------------------------------------------


def _operands(values: tuple[Any, ...]) -> tuple[list[Json], tuple[Node, ...]]:
    """Operands as options: measured ones by their place among the inputs, plain numbers as themselves."""
    inputs: list[Node] = []
    documents: list[Json] = []
    for value in values:
        if isinstance(value, (MetricValue, ConditionValue)):
            inputs.append(value.node)
            documents.append({"input": len(inputs) - 1})
        else:
            documents.append({"value": value if isinstance(value, bool) else float(value)})
    return documents, tuple(inputs)


def _arithmetic(symbol: str) -> Callable[[tuple[Any, ...], Span, Lowering], Any]:
    def lower(values: tuple[Any, ...], span: Span, low: Lowering) -> MetricValue:
        documents, inputs = _operands(values)
        return MetricValue(low.node("metric.arithmetic", {"operator": symbol, "operands": documents}, inputs, "metric"))

    return lower


def _comparison(symbol: str) -> Callable[[tuple[Any, ...], Span, Lowering], Any]:
    def lower(values: tuple[Any, ...], span: Span, low: Lowering) -> ConditionValue:
        if symbol in ("==", "!="):
            low.report(
                Diagnostic(
                    codes.FLOAT_EQUALITY,
                    f"`{symbol}` between measured numbers hardly ever holds by more than chance",
                    Label(span),
                    help=("compare with `>=` or `<=`",),
                )
            )
        documents, inputs = _operands(values)
        return ConditionValue(
            low.node("metric.compare", {"operator": symbol, "operands": documents}, inputs, "condition")
        )

    return lower


def _logic(symbol: str) -> Callable[[tuple[Any, ...], Span, Lowering], Any]:
    def lower(values: tuple[Any, ...], span: Span, low: Lowering) -> ConditionValue:
        documents, inputs = _operands(values)
        return ConditionValue(
            low.node("condition.logic", {"operator": symbol, "operands": documents}, inputs, "condition")
        )

    return lower


def _binary(symbols: tuple[str, ...], kind: Any, result: Any, make: Callable[[str], Any]) -> list[Operator]:
    plain = NUMBER if kind is METRIC else BOOL
    return [
        Operator(s, operands, result, make(s))
        for s in symbols
        for operands in ((kind, kind), (kind, plain), (plain, kind))
    ]


OPERATORS = (
    *_binary(("+", "-", "*", "/"), METRIC, METRIC, _arithmetic),
    Operator("-", (METRIC,), METRIC, _arithmetic("negate")),
    *_binary(("==", "!=", "<=", ">=", "<", ">"), METRIC, CONDITION, _comparison),
    *_binary(("and", "or"), CONDITION, CONDITION, _logic),
    Operator("not", (CONDITION,), CONDITION, _logic("not")),
)

_SAMPLES = Parameter("samples", Value((SAMPLES,)), "the generated text")
_MODELS = Parameter("models", Spread(Value((MODEL,)), "model"), "a model, or a list of models to compare")

FUNCTIONS = (
    Function(
        "word_share",
        "the share of replies in which at least one of the words occurs, as a whole word",
        "metrics",
        (_SAMPLES,),
        (Parameter("words", Words(), "the words"),),
        METRIC,
        _word_metric("word_share"),
    ),
    Function(
        "contains_rate",
        "the share of replies that contain the texts, as whole words",
        "metrics",
        (_SAMPLES,),
        (
            Parameter("words", Words(), "words or phrases"),
            Parameter(
                "match",
                Choice({"any": "at least one of them", "all": "every one of them"}),
                "how many must occur",
                "any",
            ),
        ),
        METRIC,
        _word_metric("contains_rate", ("match",)),
    ),
    Function(
        "distinct",
        "different n-grams as a share of all n-grams: how varied the replies are",
        "metrics",
        (_SAMPLES,),
        (Parameter("n", Number(1, 10, integer=True), "words in an n-gram", 2),),
        METRIC,
        _distinct,
        source="Li et al., 2016",
    ),
    Function(
        "perplexity",
        "how surprising a model finds text: exp of the mean negative log-likelihood per token",
        "metrics",
        (Parameter("texts", Data((TEXTS, SAMPLES)), "replies (scored after their prompts), or texts"),),
        (Parameter("by", Value((MODEL,)), "the model that judges"),),
        METRIC,
        _perplexity,
    ),
    Function(
        "kl_from",
        "how far steering moves the next-token distribution: mean KL(base || model) in nats",
        "metrics",
        (_MODELS, Parameter("texts", Data((TEXTS, IMAGES)), "the texts read, or images with prompts")),
        (
            Parameter("base", Value((MODEL,)), "the model compared with"),
            Parameter(
                "positions",
                Choice(_KL_POSITIONS),
                "where it is measured",
                "all",
            ),
        ),
        METRIC,
        _kl_from,
    ),
    Function(
        "logit_difference",
        "mean logit of one continuation minus that of another, after each prompt",
        "metrics",
        (_MODELS, Parameter("prompts", Data((TEXTS, IMAGES)), "the prompts, or images with prompts")),
        (
            Parameter("target", Text(), "continuation counted positive (its first token)"),
            Parameter("source", Text(), "continuation counted negative (its first token)"),
        ),
        METRIC,
        _logit_difference,
    ),
    Function(
        "open_share",
        "the share of texts on which some gate of a model is open, on one token at least",
        "metrics",
        (_MODELS, Parameter("texts", Data((TEXTS, IMAGES)), "the texts read, or images with prompts")),
        (),
        METRIC,
        _open_share,
    ),
)
