"""What a definition says, as text that does not depend on how it was written: every option with its value, defaults
filled in, numbers in one form. Two programs are compared by it."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from . import typed as t
from .checking import TypedProgram
from .layers import AllLayers, FromLast
from .modules import Symbol
from .signature import MethodChoice, Parameter
from .types import Axis

Naming = Callable[[Symbol], str]


def options_of(meaning: t.Typed, name: Naming) -> dict[str, str]:
    """Each option by its path (`method.center`, `actions[0].scale`); an expression that is no call is `value`."""
    return dict(_flat(meaning, "", None, name))


def keys_of(program: TypedProgram) -> dict[Symbol, str]:
    """A key for each definition: equal where two mean the same, whatever they and what they use are called."""
    found: dict[Symbol, str] = {}

    def key(symbol: Symbol) -> str:
        if symbol not in found:
            text = f"{symbol.kind} {text_of(program.meanings[symbol], None, key)}"
            found[symbol] = hashlib.sha256(text.encode("utf-8")).hexdigest()
        return found[symbol]

    for symbol in program.meanings:
        if symbol.kind != "import":
            key(symbol)
    return found


def _flat(typed: t.Typed, path: str, parameter: Parameter | None, name: Naming) -> Iterator[tuple[str, str]]:
    if isinstance(typed, t.Invocation):
        yield path or "function", typed.function.name
        for option, argument in typed.arguments.items():
            yield from _flat(argument, f"{path}.{option}" if path else option, typed.function.parameter(option), name)
    elif isinstance(typed, t.Constant) and isinstance(typed.value, MethodChoice):  # a default, as if it were written
        yield path, typed.value.method.name
        for option, value in typed.value.options.items():
            yield f"{path}.{option}", _plain(value)
    elif isinstance(typed, t.Sequence) and any(isinstance(i, t.Invocation) for i in typed.items):
        for i, item in enumerate(typed.items):
            yield from _flat(item, f"{path}[{i}]", parameter, name)
    else:
        yield path or "value", text_of(typed, parameter, name)


def text_of(typed: t.Typed, parameter: Parameter | None, name: Naming) -> str:
    """An expression, in brackets wherever it is not a single value."""
    if isinstance(typed, t.Constant):
        return spelled(_settled(typed.value, parameter))
    if isinstance(typed, t.Reference):
        return name(typed.symbol)
    if isinstance(typed, t.Invocation):
        arguments = ", ".join(
            f"{option} = {text_of(a, typed.function.parameter(option), name)}" for option, a in typed.arguments.items()
        )
        return f"{typed.function.name}({arguments})"
    parts = [text_of(child, parameter, name) for child in t.children(typed)]
    if isinstance(typed, (t.Sequence, t.Choose)):
        return f"[{', '.join(parts)}]"
    if isinstance(typed, t.RangeOf):
        return f"{parts[0]}{'..' if typed.closed else '..<'}{parts[1]}"
    if isinstance(typed, t.Applied):
        symbol = typed.operator.symbol
        return f"({symbol} {parts[0]})" if len(parts) == 1 else f"({parts[0]} {symbol} {parts[1]})"
    if isinstance(typed, t.Select):
        point = parts[1] if typed.index is None else spelled(typed.axis.labels[typed.index])
        return f"{parts[0]}[{typed.axis.name} = {point}]"
    return "…"


def _settled(value: Any, parameter: Parameter | None) -> Any:
    """`1` and `1.0` mean the same where numbers are taken."""
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return value
    settled = parameter.type.settled(value) if parameter is not None else value
    return int(settled) if isinstance(settled, float) and settled.is_integer() else settled


def _plain(value: Any) -> str:
    return spelled(_settled(value, None))


_SPELLED: Mapping[type, Callable[[Any], str]] = {
    bool: lambda v: str(v).lower(),
    type(None): lambda v: "none",
    MethodChoice: lambda v: f"{v.method.name}({', '.join(f'{k} = {_plain(x)}' for k, x in v.options.items())})",
    AllLayers: lambda v: "all",
    FromLast: lambda v: f"last - {v.back}" if v.back else "last",
    Axis: lambda v: str(v.name),
    dict: lambda v: str(v["select"]) if set(v) == {"select"} else str(v),
    list: lambda v: f"[{', '.join(spelled(x) for x in v)}]",
    tuple: lambda v: f"[{', '.join(spelled(x) for x in v)}]" if v else "none",
}


def spelled(value: Any) -> str:
    """A constant as a program would write it."""
    return _SPELLED.get(type(value), str)(value)
