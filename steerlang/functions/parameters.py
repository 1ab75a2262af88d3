"""Parameters of a program: `param strength = number(default = 0.1, min = 0, max = 1, help = "…")`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from steerlang.diagnostics import codes, error
from steerlang.language import typed as t
from steerlang.language.lowering import Lowering
from steerlang.language.modules import Symbol
from steerlang.language.parameter_types import Flag, ListOf, Number, Text
from steerlang.language.signature import Call, Function, Mismatch, Parameter
from steerlang.language.types import BOOL, NUMBER, TEXT, Type
from steerlang.language.values import POISON
from steerlang.source import Span


@dataclass(frozen=True, eq=False)
class Declared:
    """A declared parameter: its type, its default (None: it must be given) and its bounds."""

    type: Type
    default: Any
    minimum: float | None
    maximum: float | None
    integer: bool
    options: tuple[str, ...]
    help: str

    def problem(self, value: Any) -> Mismatch | None:
        """Why a value does not fit, or None."""
        if self.type == NUMBER:
            if isinstance(value, bool) or not isinstance(value, (int, float)):
                return Mismatch(f"`{value}` is not a number", "give a number")
            return Number(self.minimum, self.maximum, self.integer).problem(value)
        if self.type == BOOL:
            return (
                None
                if isinstance(value, bool)
                else Mismatch(f"`{value}` is neither true nor false", "give true or false")
            )
        if not isinstance(value, str):
            return Mismatch(f"`{value}` is not a text", "give a text")
        if self.options and value not in self.options:
            return Mismatch(
                f"`{value}` is not one of the options", "give one of " + ", ".join(f'"{o}"' for o in self.options)
            )
        return None

    def default_value(self, lowering: Lowering, symbol: Symbol) -> Any:
        if self.default is None:
            lowering.report(
                error(
                    codes.PARAMETER_REQUIRED,
                    symbol.span,
                    f"the parameter `{symbol.label}` has no value",
                    help=f"give one with `--set {symbol.label}=…`, or write a `default`",
                )
            )
            return POISON
        found = self.problem(self.default)
        if found is not None:
            lowering.report(
                error(
                    codes.PARAMETER_VALUE,
                    _default_span(lowering, symbol),
                    f"the default of `{symbol.label}` does not fit it: {found.message}",
                    help=found.help,
                )
            )
            return POISON
        return self.default


def _default_span(lowering: Lowering, symbol: Symbol) -> Span:
    meaning = lowering.program.meanings[symbol]
    return meaning.arguments["default"].span if isinstance(meaning, t.Invocation) else symbol.definition.value.span


def _number(call: Call, _: Lowering) -> Declared:
    return Declared(NUMBER, call["default"], call["min"], call["max"], call["integer"], (), call["help"] or "")


def _text(call: Call, _: Lowering) -> Declared:
    return Declared(TEXT, call["default"], None, None, False, tuple(call["options"] or ()), call["help"] or "")


def _flag(call: Call, _: Lowering) -> Declared:
    return Declared(BOOL, call["default"], None, None, False, (), call["help"] or "")


_HELP = Parameter("help", Text(optional=True), "one line that says what it is for", None)

FUNCTIONS = (
    Function(
        "number",
        "declares a number that can be set from outside",
        "parameters",
        (),
        (
            Parameter("default", Number(), "its value when none is given", None),
            Parameter("min", Number(), "the smallest value it may have", None),
            Parameter("max", Number(), "the largest value it may have", None),
            Parameter("integer", Flag(), "whether it must be a whole number", False),
            _HELP,
        ),
        NUMBER,
        _number,
    ),
    Function(
        "text",
        "declares a text that can be set from outside",
        "parameters",
        (),
        (
            Parameter("default", Text(), "its value when none is given", None),
            Parameter("options", ListOf(Text()), "the values it may have", None),
            _HELP,
        ),
        TEXT,
        _text,
    ),
    Function(
        "flag",
        "declares a yes or no that can be set from outside",
        "parameters",
        (),
        (
            Parameter("default", Flag(), "its value when none is given", None),
            _HELP,
        ),
        BOOL,
        _flag,
    ),
)
