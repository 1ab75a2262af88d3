"""Values for parameters from outside: `--set strength=0.2`, `--params run.yaml`, or Python."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from steerlang.diagnostics import Diagnostic, Label, codes, error
from steerlang.diagnostics.suggest import nearest

from . import typed as t
from .checking import TypedProgram
from .modules import Module, Symbol
from .signature import Call
from .types import BOOL, NUMBER, Type


def bind_parameters(
    program: TypedProgram, overrides: Mapping[str, object]
) -> tuple[dict[str, object], list[Diagnostic]]:
    """Each override converted to the type of its parameter and held against its bounds."""
    declared = {s.label: s for s in _parameters(program.module)}
    values: dict[str, object] = {}
    found: list[Diagnostic] = []
    for name, given in overrides.items():
        symbol = declared.get(name)
        if symbol is None:
            found.append(_unknown(name, tuple(declared)))
            continue
        meaning = program.meanings[symbol]
        if not isinstance(meaning, t.Invocation):
            continue
        value = _convert(given, meaning.type)
        problem = _declared(meaning).problem(value)
        if problem is not None:
            found.append(
                error(
                    codes.PARAMETER_VALUE,
                    None,
                    f"`{name}`: {problem.message}",
                    help=problem.help,
                    place=f"--set {name}={given}",
                    secondary=(Label(symbol.span, "declared here"),),
                )
            )
            continue
        values[name] = value
    return values, found


def _parameters(module: Module) -> list[Symbol]:
    own = [s for s in module.symbols.values() if s.kind == "param"]
    return own + [s for child in module.imports.values() for s in _parameters(child)]


def _declared(meaning: t.Invocation) -> Any:
    """The declaration itself: its arguments are constants."""
    values = {n: _constant(a) for n, a in meaning.arguments.items()}
    return meaning.function.lower(Call(meaning.function, values, {}, frozenset(), meaning.span), None)  # type: ignore[arg-type]


def _constant(argument: t.Typed) -> Any:
    if isinstance(argument, t.Constant):
        return argument.value
    if isinstance(argument, t.Sequence):
        return [_constant(i) for i in argument.items]
    return None


def _convert(given: object, type: Type) -> object:
    """A text from the command line as a value of the parameter's type; what does not convert stays a text."""
    if not isinstance(given, str):
        return given
    if type == BOOL:
        return {"true": True, "false": False}.get(given.strip().lower(), given)
    if type == NUMBER:
        for convert in (int, float):
            try:
                return convert(given.strip())
            except ValueError:
                continue
    return given


def _unknown(name: str, known: tuple[str, ...]) -> Diagnostic:
    close = nearest(name, known)
    if close:
        help = f"did you mean `{close[0]}`?"
    elif known:
        help = "its parameters are " + ", ".join(f"`{k}`" for k in known)
    else:
        help = "declare one: `param strength = number(default = 0.1)`"
    return error(
        codes.PARAMETER_UNKNOWN, None, f"the program has no parameter `{name}`", help=help, place=f"--set {name}=…"
    )
