"""Coefficients that a file holds."""

from __future__ import annotations

from typing import Any

from steerlang.data.coefficients import BadCoefficients, read_coefficients
from steerlang.diagnostics import codes, error
from steerlang.graph.facts import Trouble
from steerlang.language.lowering import Lowering
from steerlang.language.parameter_types import Text
from steerlang.language.signature import Call, Function, Parameter
from steerlang.language.types import COEFFICIENTS
from steerlang.language.values import POISON, CoefficientsSetValue

from .blocks import is_blocks_term
from .reports import report
from .terms import Term


def _load(call: Call, low: Lowering) -> Any:
    """Coefficients in a file: plain numbers, so what is made of them is keyed by the numbers, not by the file."""
    found = low.facts.document(call["path"], low.folder)
    if isinstance(found, Trouble):
        if found.code is codes.UNREADABLE_FILE:
            message = f"`{call['path']}` is no file that `coefficients_file` wrote"
            help = "`coefficients_file(c, to = \"….json\")` writes what `learn` or `search` found"
            low.report(error(found.code, call.where("path"), message, help=help, notes=(found.message,)))
            return POISON
        report(found, call.where("path"), low)
        return POISON
    try:
        named = read_coefficients(found.value)
        if not is_blocks_term(named.partition):
            raise BadCoefficients("its `partition` says no blocks")
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


FUNCTIONS = (
    Function(
        "load_coefficients",
        "coefficients that `coefficients_file` wrote, for task vectors of the same names in the same order",
        "learning",
        (Parameter("path", Text(holds="file"), "the file, relative to the program"),),
        (),
        COEFFICIENTS,
        _load,
    ),
)
