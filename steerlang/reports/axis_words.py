"""What the points of a sweep are: the parameter that takes them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from steerlang.language import typed as t
from steerlang.language.checking import TypedProgram


def axis_words(program: TypedProgram) -> dict[str, str]:
    """Words for every sweep, by the name of its axis: `scale of add, unit = residual`. A sweep that goes into several
    parameters has them all; one that goes into none, as one over models, has no words."""
    uses: dict[str, dict[str, None]] = {}
    for meaning in program.meanings.values():
        for call in _calls(meaning):
            for name, argument in call.arguments.items():
                for axis in _swept(argument):
                    uses.setdefault(axis, {})[_words(call.function.name, name, call.arguments)] = None
    return {axis: "; ".join(words) for axis, words in uses.items()}


def _calls(meaning: t.Typed) -> Iterator[t.Invocation]:
    todo = [meaning]
    while todo:
        node = todo.pop()
        if isinstance(node, t.Invocation):
            yield node
        todo.extend(reversed(t.children(node)))


def _swept(argument: t.Typed) -> Iterator[str]:
    """The sweeps that an argument is made of. What other definitions are made of is said of those."""
    todo = [argument]
    while todo:
        node = todo.pop()
        if isinstance(node, t.Reference) and node.symbol.kind == "sweep":
            yield from (axis.name for axis in node.axes)
        if not isinstance(node, (t.Invocation, t.Select)):
            todo.extend(t.children(node))


def _words(function: str, parameter: str, arguments: Mapping[str, t.Typed]) -> str:
    unit = arguments.get("unit")
    if parameter == "scale" and isinstance(unit, t.Constant) and unit.value not in (None, "raw"):
        return f"{parameter} of {function}, unit = {unit.value}"
    return f"{parameter} of {function}"
