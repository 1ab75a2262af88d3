"""What a token that does not fit means: an ordered table of rules, the first that applies speaks.

A rule sees the offending token, what stands before it, what the parser would take and the brackets that are open. It
answers with a diagnostic and with a way on: a token to put in, the token to leave out, or nothing (then the entry is
given up). Brackets match and no token is malformed here: `brackets` and `mending` have seen to that.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

from steerlang.diagnostics.codes import (
    CHAINED_OPERATOR,
    MISSING_COMMA,
    MISSING_EQUALS,
    MISSING_OPERAND,
    MISSING_VALUE,
    RESERVED_NAME,
    UNEXPECTED,
)
from steerlang.diagnostics.model import Diagnostic, Edit, Fix, Label, error
from steerlang.source import Span

from .lexing import END, Token
from .vocabulary import (
    CLOSERS,
    INFIX,
    NOT_CHAINED,
    NUMBERS,
    OPENERS,
    OPERATORS,
    RESERVED,
    SPELLING,
    TEXTS,
    VALUE_ENDS,
    VALUE_STARTS,
    expectation,
    shown,
)


@dataclass(frozen=True, slots=True)
class Trouble:
    """A token the parser does not take, and where that happened."""

    token: Token
    before: tuple[Token, ...]  # the tokens before it, nearest last: at most three
    after: Token | None
    accepts: frozenset[str]
    opener: Token | None  # the innermost open bracket
    at_entry: bool  # whether `token` is the second token of its entry
    named_before: bool  # whether an earlier entry in these brackets is written `name = value`
    is_call: bool  # whether the innermost bracket holds arguments

    @property
    def previous(self) -> Token | None:
        return self.before[-1] if self.before else None

    @property
    def previous_type(self) -> str:
        return self.before[-1].type if self.before else ""


@dataclass(frozen=True, slots=True)
class Answer:
    """What to say, and how to go on: read `insert` before the token, or `skip` it."""

    diagnostic: Diagnostic
    insert: str | None = None
    skip: bool = False


Rule = Callable[[Trouble], "Answer | None"]


def answer(trouble: Trouble) -> Answer:
    for rule in RULES:
        found = rule(trouble)
        if found is not None:
            return found
    return _fallback(trouble)


def _gap_after(token: Token) -> Span:
    return Span(token.source, token.end, token.end)


def _fix(title: str, *edits: tuple[Span, str]) -> tuple[Fix, ...]:
    return (Fix(title, tuple(Edit(span, text) for span, text in edits)),)


def _missing_value(t: Trouble) -> Answer | None:
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


def _doubled_equals(t: Trouble) -> Answer | None:
    if t.token.type != "EQUAL" or t.previous_type != "EQUAL":
        return None
    return Answer(error(
        UNEXPECTED, t.token.span, "two `=` stand side by side", help="delete one",
        fixes=_fix("delete it", (t.token.span, "")),
    ), skip=True)


def _not_as_operand(t: Trouble) -> Answer | None:
    if t.token.type != "NOT" or t.previous_type not in OPERATORS - {"AND", "OR", "NOT", "DOT"}:
        return None
    return Answer(error(
        UNEXPECTED, t.token.span, f"`not` cannot stand directly after {shown(t.before[-1])}",
        help="put brackets around it: `(not …)`",
    ))


def _dot(t: Trouble) -> Answer | None:
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


def _right_operand(t: Trouble) -> Answer | None:
    """`a +` and then nothing that is a value."""
    operator = t.previous
    if operator is None or operator.type not in OPERATORS or t.token.type in VALUE_STARTS | {"NOT"}:
        return None
    if t.token.type in INFIX and t.token.type not in {"MINUS", "DOT"}:
        return Answer(error(
            MISSING_OPERAND, t.token.span, f"two operators stand side by side, {shown(operator)} and {shown(t.token)}",
            secondary=(Label(operator.span, "the first"),), help="delete one of them, or put a value between them",
            fixes=_fix(f"delete {shown(t.token)}", (t.token.span, "")),
        ), skip=True)
    return Answer(error(
        MISSING_OPERAND, operator.span, f"no value follows {shown(operator)}", label="needs a value on its right",
        help="write the value, or delete the operator",
    ), insert="BROKEN")


def _left_operand(t: Trouble) -> Answer | None:
    """An operator where a value should begin."""
    if t.token.type not in INFIX or t.previous_type in VALUE_ENDS:
        return None
    if t.token.type == "PLUS":
        return Answer(error(
            MISSING_OPERAND, t.token.span, "no value stands before `+`", help="numbers need no `+` before them",
            fixes=_fix("delete it", (t.token.span, "")),
        ), skip=True)
    help = "write the value, or delete the operator"
    if t.token.type in {"RANGE", "UNTIL"}:
        help = "a range has two ends: `0..8`, `first..8`"
    return Answer(error(
        MISSING_OPERAND, t.token.span, f"no value stands before {shown(t.token)}", label="needs a value on its left",
        help=help,
    ), insert="BROKEN")


def _chained(t: Trouble) -> Answer | None:
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


def _equals_in_value(t: Trouble) -> Answer | None:
    """`=` behind something that is no name of an argument."""
    if t.token.type != "EQUAL" or t.previous is None:
        return None
    equals, left = t.token, t.previous
    if t.at_entry and left.type in RESERVED:
        return Answer(error(
            RESERVED_NAME, left.span, f"{shown(left)} is a reserved word and cannot name an argument",
            help="the reserved words are `and`, `or`, `not`, `true`, `false` and `none`",
        ))
    if t.at_entry and left.type in TEXTS and (t.is_call or t.opener is None or t.opener.type == "LBRACE"):
        return Answer(error(
            UNEXPECTED, left.span, "the name of an argument stands in quotes", help="write it without quotes",
            fixes=_fix("remove the quotes", (left.span, left.text.strip('r"'))),
        ))
    if t.at_entry and t.opener is not None and t.opener.type == "LSQB" and not t.is_call:
        return Answer(error(
            UNEXPECTED, equals.span, "a list holds values, not named ones",
            help="write a record: `{name = value}`; or compare with `==`",
        ))
    return Answer(error(
        UNEXPECTED, equals.span, "`=` cannot stand here", label="only a plain name can stand before `=`"
        if t.opener is not None else "", help="compare with `==`", fixes=_fix("write `==`", (equals.span, "==")),
    ))


def _entries(t: Trouble) -> Answer | None:
    """Records hold `name = value` and nothing else."""
    if t.opener is None or t.opener.type != "LBRACE" or t.token.type == END:
        return None
    if t.at_entry and t.previous_type == "NAME" and t.token.type == "COMPARE":
        return Answer(error(
            MISSING_EQUALS, t.token.span, f"{shown(t.token)} stands where `=` belongs",
            help="entries are written `name = value`", fixes=_fix("write `=`", (t.token.span, "=")),
        ))
    if (t.at_entry and "EQUAL" in t.accepts) or t.previous_type in {"LBRACE", "COMMA"}:
        at = t.previous if t.at_entry and t.previous is not None and t.previous.type == "NAME" else t.token
        return Answer(error(
            MISSING_EQUALS, at.span, "an entry of `{…}` is not written `name = value`",
            help="write `{name = value, …}`; a list of values stands in `[…]`",
        ))
    return None


def _comma(t: Trouble) -> Answer | None:
    """Commas where nothing is listed, or with nothing before them."""
    if t.token.type != "COMMA" or (t.previous is None and t.opener is None):
        return None
    if t.previous_type in {*OPENERS, "COMMA"}:
        return Answer(error(
            UNEXPECTED, t.token.span, "nothing stands before this comma", help="delete it, or write what is missing",
            fixes=_fix("delete it", (t.token.span, "")),
        ), skip=True)
    if t.previous_type not in VALUE_ENDS:
        return None
    label = "round brackets hold one value" if t.opener is not None else ""
    return Answer(error(
        UNEXPECTED, t.token.span, "a comma cannot stand here", label=label, help="a list is written `[a, b]`",
    ))


def _empty(t: Trouble) -> Answer | None:
    """`()` as a value, `v[]`."""
    if t.token.type not in CLOSERS or t.previous is None or t.previous.type != CLOSERS[t.token.type]:
        return None
    span = t.previous.span.to(t.token.span)
    if t.token.type == "RSQB":
        return Answer(error(
            MISSING_VALUE, span, "nothing stands in this index", help="write what to select: `v[8..16]`, `m[kind]`",
        ), insert="BROKEN")
    return Answer(error(MISSING_VALUE, span, "nothing stands in these brackets", help="write a value"), insert="BROKEN")


def _before_equals(t: Trouble) -> Answer | None:
    """`scale 3 = 0.1`."""
    if t.after is None or t.after.type != "EQUAL" or not t.at_entry or not t.is_call or t.previous_type != "NAME":
        return None
    if t.token.type == "NAME" or t.token.type not in VALUE_STARTS:
        return None
    return Answer(error(
        UNEXPECTED, t.token.span, f"{shown(t.token)} cannot stand between a name and its `=`", help="delete it",
        fixes=_fix("delete it", (t.token.span, "")),
    ), skip=True)


def _two_values(t: Trouble) -> Answer | None:
    """Two values side by side: a comma, a `=` or an operator is missing."""
    left = t.previous
    if left is None or left.type not in VALUE_ENDS or t.token.type not in VALUE_STARTS | {"NOT"}:
        return None
    if left.type == "NAME" and t.token.type in TEXTS and left.end == t.token.start:
        return Answer(error(
            UNEXPECTED, left.span, f"`{left.text}` stands directly before a text",
            help='texts have no prefix but `r"…"` and hold no expressions',
        ))
    names_next = t.token.type == "NAME" and t.after is not None and t.after.type == "EQUAL"
    if left.type == "NAME" and t.at_entry and t.is_call and t.named_before and not names_next:
        return Answer(error(
            MISSING_EQUALS, _gap_after(left), f"`{left.text}` has no `=`", label="`=` is missing here",
            help=f"write `{left.text} = …`", fixes=_fix("insert `=`", (_gap_after(left), " =")),
        ), insert="EQUAL")
    if "COMMA" in t.accepts:
        return Answer(error(
            MISSING_COMMA, _gap_after(left), f"a comma is missing between {shown(left)} and {shown(t.token)}",
            label="`,` is missing here", help="separate entries with `,`",
            fixes=_fix("insert `,`", (_gap_after(left), ",")),
        ), insert="COMMA")
    return _side_by_side(t, left)


def _side_by_side(t: Trouble, left: Token) -> Answer:
    help: tuple[str, ...] = ("put an operator between them, or delete one",)
    if left.type == "NAME" and t.token.type in TEXTS | NUMBERS:
        help = (f"a function is called with brackets: `{left.text}(…)`",)
    elif left.type == "NAME" and t.token.type == "LBRACE":
        help = (f"arguments stand in round brackets: `{left.text}(…)`",)
    elif t.opener is None and t.token.type == "NAME":
        help += ("a new definition is written `KIND NAME = VALUE`",)
    return Answer(error(
        UNEXPECTED, t.token.span, f"{shown(t.token)} stands after a value that is complete",
        secondary=(Label(left.span, "the value ends here"),), help=help,
    ))


def _fallback(t: Trouble) -> Answer:
    label = f"expected {expectation(t.accepts)}"
    if t.token.type == END and t.previous is not None:
        return Answer(error(UNEXPECTED, _gap_after(t.previous), "the definition is not finished", label=label))
    return Answer(error(UNEXPECTED, t.token.span, f"{shown(t.token)} cannot stand here", label=label))


RULES: tuple[Rule, ...] = (
    _doubled_equals, _dot, _not_as_operand, _entries, _missing_value, _comma, _right_operand, _left_operand, _chained,
    _equals_in_value, _empty, _before_equals, _two_values,
)


def stand_in(kind: str, before: Token) -> Token:
    """A token that is read although it is not written, right behind `before`."""
    return replace(before, type=kind, start=before.end, stand_in=SPELLING.get(kind, ""))
