"""Rules about operators and values: what is missing on one side of an operator or a `=`."""

from __future__ import annotations

from steerlang.diagnostics.codes import CHAINED_OPERATOR, MISSING_OPERAND, MISSING_VALUE, RESERVED_NAME, UNEXPECTED
from steerlang.diagnostics.model import Label, error

from .trouble import Answer, Trouble, fix_by
from .vocabulary import INFIX, NOT_CHAINED, OPERATORS, RESERVED, VALUE_ENDS, VALUE_STARTS, shown


def missing_value(t: Trouble) -> Answer | None:
    """`name =` and then nothing."""
    equals = t.previous
    if equals is None or equals.type != "EQUAL" or t.token.type in {"EQUAL", "NOT", "DOT"}:
        return None
    if t.token.type in INFIX and t.token.type != "MINUS" and t.after is not None and t.after.type in VALUE_STARTS:
        return None
    name = shown(t.before[-2]) if len(t.before) > 1 else "this"
    return Answer(error(
        MISSING_VALUE, equals.span, f"{name} has no value", label="nothing follows this `=`",
        help="write a value after the `=`",
    ), insert="BROKEN")


def doubled_equals(t: Trouble) -> Answer | None:
    if t.token.type != "EQUAL" or t.previous_type != "EQUAL":
        return None
    return Answer(error(
        UNEXPECTED, t.token.span, "two `=` stand side by side", help="delete one",
        fixes=fix_by("delete it", (t.token.span, "")),
    ), skip=True)


def not_as_operand(t: Trouble) -> Answer | None:
    if t.token.type != "NOT" or t.previous_type not in OPERATORS - {"AND", "OR", "NOT", "DOT"}:
        return None
    return Answer(error(
        UNEXPECTED, t.token.span, f"`not` cannot stand directly after {shown(t.before[-1])}",
        help="put brackets around it: `(not …)`",
    ))


def dot(t: Trouble) -> Answer | None:
    """Members that are no names."""
    if t.previous_type != "DOT":
        return None
    dot = t.before[-1]
    if t.token.type in RESERVED:
        return Answer(error(
            RESERVED_NAME, t.token.span, f"{shown(t.token)} is a reserved word and cannot be a member",
            help="the reserved words are `and`, `or`, `not`, `true`, `false` and `none`",
        ))
    return Answer(error(
        MISSING_OPERAND, dot.span, "no name follows this `.`", help="write the name of a member, as in `common.base`",
    ), insert="NAME")


def right_operand(t: Trouble) -> Answer | None:
    """`a +` and then nothing that is a value."""
    operator = t.previous
    if operator is None or operator.type not in OPERATORS or t.token.type in VALUE_STARTS | {"NOT"}:
        return None
    if t.token.type in INFIX and t.token.type not in {"MINUS", "DOT"}:
        return Answer(error(
            MISSING_OPERAND, t.token.span, f"two operators stand side by side, {shown(operator)} and {shown(t.token)}",
            secondary=(Label(operator.span, "the first"),), help="delete one of them, or put a value between them",
            fixes=fix_by(f"delete {shown(t.token)}", (t.token.span, "")),
        ), skip=True)
    return Answer(error(
        MISSING_OPERAND, operator.span, f"no value follows {shown(operator)}", label="needs a value on its right",
        help="write the value, or delete the operator",
    ), insert="BROKEN")


def left_operand(t: Trouble) -> Answer | None:
    """An operator where a value should begin."""
    if t.token.type not in INFIX or t.previous_type in VALUE_ENDS:
        return None
    if t.token.type == "PLUS":
        return Answer(error(
            MISSING_OPERAND, t.token.span, "no value stands before `+`", help="numbers need no `+` before them",
            fixes=fix_by("delete it", (t.token.span, "")),
        ), skip=True)
    help = "write the value, or delete the operator"
    if t.token.type in {"RANGE", "UNTIL"}:
        help = "a range has two ends: `0..8`, `first..8`"
    return Answer(error(
        MISSING_OPERAND, t.token.span, f"no value stands before {shown(t.token)}", label="needs a value on its left",
        help=help,
    ), insert="BROKEN")


def chained(t: Trouble) -> Answer | None:
    if t.token.type not in NOT_CHAINED or t.previous_type not in VALUE_ENDS or t.token.type in t.accepts:
        return None
    if t.opener is not None and t.opener.type == "LBRACE" and t.at_entry:
        return None
    if t.token.type == "COMPARE":
        return Answer(error(
            CHAINED_OPERATOR, t.token.span, "comparisons cannot be chained", label="a second comparison",
            help="compare twice: `a < b and b < c`",
        ))
    return Answer(error(
        CHAINED_OPERATOR, t.token.span, "ranges cannot be chained", label="a second range",
        help="a range has two ends; write a list for anything else: `[0, 4, 8]`",
    ))
