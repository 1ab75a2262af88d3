"""Rules about entries: commas, names of arguments, brackets with nothing in them, values side by side."""

from __future__ import annotations

from steerlang.diagnostics.codes import MISSING_COMMA, MISSING_EQUALS, MISSING_VALUE, RESERVED_NAME, UNEXPECTED
from steerlang.diagnostics.model import Label, error

from .lexing import END, Token
from .trouble import Answer, Trouble, fix_by, gap_after
from .vocabulary import CLOSERS, NUMBERS, OPENERS, RESERVED, TEXTS, VALUE_ENDS, VALUE_STARTS, shown


def equals_in_value(t: Trouble) -> Answer | None:
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
            fixes=fix_by("remove the quotes", (left.span, left.text.strip('r"'))),
        ))
    if t.at_entry and t.opener is not None and t.opener.type == "LSQB" and not t.is_call:
        return Answer(error(
            UNEXPECTED, equals.span, "a list holds values, not named ones",
            help="write a record: `{name = value}`; or compare with `==`",
        ))
    return Answer(error(
        UNEXPECTED, equals.span, "`=` cannot stand here", label="only a plain name can stand before `=`"
        if t.opener is not None else "", help="compare with `==`", fixes=fix_by("write `==`", (equals.span, "==")),
    ))


def entries(t: Trouble) -> Answer | None:
    """Records hold `name = value` and nothing else."""
    if t.opener is None or t.opener.type != "LBRACE" or t.token.type == END:
        return None
    if t.at_entry and t.previous_type == "NAME" and t.token.type == "COMPARE":
        return Answer(error(
            MISSING_EQUALS, t.token.span, f"{shown(t.token)} stands where `=` belongs",
            help="entries are written `name = value`", fixes=fix_by("write `=`", (t.token.span, "=")),
        ))
    if (t.at_entry and "EQUAL" in t.accepts) or t.previous_type in {"LBRACE", "COMMA"}:
        at = t.previous if t.at_entry and t.previous is not None and t.previous.type == "NAME" else t.token
        return Answer(error(
            MISSING_EQUALS, at.span, "an entry of `{…}` is not written `name = value`",
            help="write `{name = value, …}`; a list of values stands in `[…]`",
        ))
    return None


def comma(t: Trouble) -> Answer | None:
    """Commas where nothing is listed, or with nothing before them."""
    if t.token.type != "COMMA" or (t.previous is None and t.opener is None):
        return None
    if t.previous_type in {*OPENERS, "COMMA"}:
        return Answer(error(
            UNEXPECTED, t.token.span, "nothing stands before this comma", help="delete it, or write what is missing",
            fixes=fix_by("delete it", (t.token.span, "")),
        ), skip=True)
    if t.previous_type not in VALUE_ENDS:
        return None
    label = "round brackets hold one value" if t.opener is not None else ""
    return Answer(error(
        UNEXPECTED, t.token.span, "a comma cannot stand here", label=label, help="a list is written `[a, b]`",
    ))


def empty(t: Trouble) -> Answer | None:
    """`()` as a value, `v[]`."""
    if t.token.type not in CLOSERS or t.previous is None or t.previous.type != CLOSERS[t.token.type]:
        return None
    span = t.previous.span.to(t.token.span)
    if t.token.type == "RSQB":
        return Answer(error(
            MISSING_VALUE, span, "nothing stands in this index", help="write what to select: `v[8..16]`, `m[kind]`",
        ), insert="BROKEN")
    return Answer(error(MISSING_VALUE, span, "nothing stands in these brackets", help="write a value"), insert="BROKEN")


def before_equals(t: Trouble) -> Answer | None:
    """`scale 3 = 0.1`."""
    if t.after is None or t.after.type != "EQUAL" or not t.at_entry or not t.is_call or t.previous_type != "NAME":
        return None
    if t.token.type == "NAME" or t.token.type not in VALUE_STARTS:
        return None
    return Answer(error(
        UNEXPECTED, t.token.span, f"{shown(t.token)} cannot stand between a name and its `=`", help="delete it",
        fixes=fix_by("delete it", (t.token.span, "")),
    ), skip=True)


def two_values(t: Trouble) -> Answer | None:
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
            MISSING_EQUALS, gap_after(left), f"`{left.text}` has no `=`", label="`=` is missing here",
            help=f"write `{left.text} = …`", fixes=fix_by("insert `=`", (gap_after(left), " =")),
        ), insert="EQUAL")
    if "COMMA" in t.accepts:
        return Answer(error(
            MISSING_COMMA, gap_after(left), f"a comma is missing between {shown(left)} and {shown(t.token)}",
            label="`,` is missing here", help="separate entries with `,`",
            fixes=fix_by("insert `,`", (gap_after(left), ",")),
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
