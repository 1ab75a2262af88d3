"""Selecting tokens, sites and rows: `at("word")`, `module("…")`, `contains("caption", "circle")`."""

from __future__ import annotations

from typing import Any

from steerlang.data import word_list_problems
from steerlang.diagnostics import codes, error
from steerlang.language.layers import FromLast
from steerlang.language.lowering import Lowering
from steerlang.language.parameter_types import Number, Selector, Text, TextOr, Value
from steerlang.language.signature import Call, Function, Operator, Parameter
from steerlang.language.types import FILTER, LAYERS, NUMBER, SITE, TEXT, TEXTS, TOKENS, WORD_CLASSES, list_of
from steerlang.language.values import POISON, WordClassesValue
from steerlang.source import Span

from .classes import texts_of

READ_WORDS = {
    "last": "the last token",
    "first": "the first token",
    "mean": "the mean over all tokens",
    "all": "every token, each a row of its own",
    "assistant": "the mean over the tokens of the assistant's reply (chats with a `prompt`, and generated text)",
    "generated": "the mean over the tokens that were generated",
    "image": "the mean over the tokens that stand for the image",
}
STEER_WORDS = {
    "all": "every token",
    "prompt": "the tokens of the prompt",
    "generated": "from the position that produces the first new token on",
    "last_prompt": "the last token of the prompt",
    "assistant": "the assistant's tokens: of its reply where a conversation is read, else `generated`",
    "image": "the tokens that stand for the image of the prompt",
}
SITE_WORDS = {
    "residual": "the block's output, before any final norm",
    "residual_in": "the block's input",
    "attention": "the attention output, before it is added",
    "mlp": "the MLP output, before it is added",
    "heads": "the outputs of the attention heads side by side, before the output projection",
    "embedding": "what enters block 0; it has no layers",
    "final_norm": "the output of the norm after the last block; it has no layers",
}

TOKENS_READ = Selector(TOKENS, READ_WORDS, ("index", "from_end", "span", "at", "predicting", "before"))
TOKENS_STEERED = Selector(TOKENS, STEER_WORDS, ("from_token", "at", "index", "span"))
SITES = Selector(SITE, SITE_WORDS, ("module",))


def _selector(name: str) -> Any:
    def lower(call: Call, _: Lowering) -> dict[str, Any]:
        return {"select": name, **dict(call.values)}

    return lower


def _tokens(name: str, help: str, *subjects: Parameter) -> Function:
    return Function(name, help, "selectors", subjects, (), TOKENS, _selector(name))


_POSITION = Parameter("position", Number(0, integer=True), "counted from 0, padding left out")
_TEXT = Parameter(
    "text",
    TextOr((TEXT, list_of(TEXT), TEXTS, WORD_CLASSES), "a text, or `words`"),
    "the text searched for, as it stands in the row; words may stand here, too",
    None,
)
_SOUGHT = Parameter(
    "words",
    Value((list_of(TEXT), TEXTS, WORD_CLASSES), "a list of words, text data, or classes of words"),
    "words instead of a text: the first that stands in the row counts, as a whole word, whatever the case",
    None,
)


def _searching(name: str) -> Any:
    """A selector by a text, or by words."""

    def lower(call: Call, low: Lowering) -> Any:
        if (call["text"] is None) == (call["words"] is None):
            wrong = "neither is" if call["text"] is None else "both are"
            message = f"`{name}` looks for a text or for words, and {wrong} given"
            low.report(error(codes.MISSING_ARGUMENT, call.span, message, help=f'write `{name}("word")`'))
            return POISON
        if isinstance(call["text"], str):
            return {"select": name, "text": call["text"]}
        words = _words(call, "words" if call["text"] is None else "text", low)
        return POISON if words is None else {"select": name, "words": words}

    return lower


def _words(call: Call, given: str, low: Lowering) -> list[str] | None:
    """Each word once; None, and reported, where there is none to look for."""
    value = call[given]
    if isinstance(value, WordClassesValue):
        return list(dict.fromkeys(word for words in value.classes.values() for word in words))
    words = texts_of(call, given, codes.UNFIT_DATA, low)
    if words is POISON:
        return None
    problems = word_list_problems(words)
    if problems:
        low.report(error(codes.UNFIT_DATA, call.where(given), problems[0], help="give words or phrases"))
        return None
    return list(dict.fromkeys(words))


def _by_text(name: str, help: str) -> Function:
    return Function(name, help, "selectors", (_TEXT,), (_SOUGHT,), TOKENS, _searching(name))


def _filter(name: str, help: str, what: str) -> Function:
    subjects = (Parameter("column", Text(holds="column"), "the column looked at"), Parameter("value", Text(), what))
    return Function(name, help, "selectors", subjects, (), FILTER, _selector(name))


def _one_of(call: Call, low: Lowering) -> Any:
    values = texts_of(call, "values", codes.UNFIT_DATA, low)
    if values is POISON:
        return POISON
    return {"select": "one_of", "column": call["column"], "values": values}


def _back(operands: tuple[Any, ...], span: Span, low: Lowering) -> Any:
    """`last - 2`."""
    start, back = operands
    if isinstance(start, FromLast) and back >= 0 and float(back).is_integer():
        return FromLast(start.back + int(back))
    low.report(
        error(
            codes.LAYER_OUT_OF_RANGE,
            span,
            f"`{span.text}` is no layer",
            help="one counts back from `last`, by a whole number: `last - 2`",
        )
    )
    return POISON


OPERATORS = (Operator("-", (LAYERS, NUMBER), LAYERS, _back),)

FUNCTIONS = (
    _tokens("index", "the token at a position", _POSITION),
    _tokens(
        "from_end",
        "the token at a position counted from the end",
        Parameter("position", Number(1, integer=True), "1 is the last token, 2 the one before it"),
    ),
    _tokens(
        "span",
        "the mean over the tokens from one position to another, both included",
        Parameter("start", Number(0, integer=True), "the first position"),
        Parameter("end", Number(0, integer=True), "the last position"),
    ),
    _by_text("at", "the first token of a text"),
    _by_text("predicting", "the position whose next token begins a text"),
    _by_text("before", "the mean over the tokens before a text"),
    _tokens("from_token", "from a position of the whole sequence on", _POSITION),
    Function(
        "module",
        "the output of a module, by its dotted name with `{l}` for the layer",
        "selectors",
        (Parameter("name", Text(), "such as `model.layers.{l}.mlp.act_fn`"),),
        (),
        SITE,
        _selector("module"),
    ),
    _filter("contains", "rows whose column holds a word, as a whole word", "the word"),
    _filter("equals", "rows whose column is exactly a text", "the text"),
    Function(
        "one_of",
        "rows whose column is one of some texts",
        "selectors",
        (
            Parameter("column", Text(), "the column looked at"),
            Parameter("values", Value((list_of(TEXT), TEXTS), "a list of texts, or text data"), "the texts"),
        ),
        (),
        FILTER,
        _one_of,
    ),
)
