"""Directions made of prompts with solved examples: `function_vector`, `task_vector_icl`."""

from __future__ import annotations

from typing import Any

from steerlang.data import parse_template
from steerlang.diagnostics import codes, error
from steerlang.graph.node import Json
from steerlang.language.lowering import Lowering
from steerlang.language.signature import Call
from steerlang.language.values import POISON, DataValue, VectorValue

from .tasks import scores_texts


def from_examples(call: Call, low: Lowering, layers: tuple[int, ...]) -> Any:
    """A vector whose node reads the pairs themselves: source the query, target its answer.

    A function vector is read at no layer: where none is named, it gets that in which the paper adds it, a third down.
    """
    model, data, choice = call["model"], call["data"], call["method"]
    if choice.method.name == "function_vector":
        if not scores_texts(model, call.where("model"), "a function vector", low):
            return POISON
        if not call.is_written("layers"):
            layers = (model.layers // 3,)
    problem = _problem(call, data)
    if problem is not None:
        low.report(problem)
        return POISON
    options: dict[str, Json] = {"method": choice.document(), "layers": list(layers), "seed": call["seed"]}
    node = low.node(
        f"extract.{choice.method.name}", options, (model.node, data.node), "vector", version=choice.method.version
    )
    return VectorValue(node, model.base.key, model.name, call["site"], layers, model.width, model.layers)


def _problem(call: Call, data: DataValue) -> Any:
    """What is wrong with how the prompts are to be made, or None."""
    name, options = call["method"].method.name, call["method"].options
    for argument, fixed in (("site", "residual"), ("tokens", "last")):
        if call[argument] != {"select": fixed}:
            message = f"`{name}` reads the last token of its own prompts, and gives states of the residual stream"
            return error(codes.ARGUMENT_TYPE, call.where(argument), message, help=f"leave out `{argument}`")
    wrong = _form_problem(str(options["form"]))
    if wrong is not None:
        help = 'write `{source}` before `{target}`, as in `"Q: {source}\\nA: {target}"`'
        return error(codes.OUT_OF_BOUNDS, call.where("method"), wrong, help=help)
    heads, model = options.get("heads"), call["model"]
    if isinstance(heads, int) and model.facts.heads is not None and heads > model.facts.heads * model.layers:
        message = f"{heads} heads are asked for, and `{model.name}` has {model.facts.heads * model.layers}"
        return error(codes.OUT_OF_BOUNDS, call.where("method"), message, help="ask for fewer `heads`")
    least = int(str(options["shots"])) + 1
    if data.count is not None and data.count < least:
        message = f"{options['shots']} examples and a query are {least} pairs, and this data has {data.count}"
        return error(codes.TOO_FEW_ROWS, call.where("data"), message, help="give more pairs, or fewer `shots`")
    if data.chat:
        message, help = f"`{name}` writes its own prompts, so rows cannot be chats", "leave out `chat` and `system`"
        return error(codes.UNFIT_DATA, call.where("data"), message, help=help)
    return None


def _form_problem(form: str) -> str | None:
    parsed = parse_template(form)
    if isinstance(parsed, str):
        return f"in the form, {parsed}"
    places = [name for _, name in parsed.pieces if name is not None]
    if places != ["source", "target"]:
        return "the form of an example needs `{source}` once and then `{target}` once"
    literal_end = parsed.pieces[-1]
    if literal_end[1] is None and literal_end[0].strip():
        return "the form of an example ends with `{target}`: what follows an answer is the `separator`"
    return None
