"""What a token that does not fit means: an ordered table of rules, the first that applies speaks.

A rule sees the offending token, what stands before it, what the parser would take and the brackets that are open. It
answers with a diagnostic and with a way on: a token to put in, the token to leave out, or nothing (then the entry is
given up). Brackets match and no token is malformed here: `brackets` and `mending` have seen to that.
"""

from __future__ import annotations

from dataclasses import replace

from steerlang.diagnostics.codes import UNEXPECTED
from steerlang.diagnostics.model import error

from . import entry_rules, operand_rules
from .lexing import END, Token
from .trouble import Answer, Rule, Trouble, gap_after
from .vocabulary import SPELLING, expectation, shown

RULES: tuple[Rule, ...] = (
    operand_rules.doubled_equals,
    operand_rules.dot,
    operand_rules.not_as_operand,
    entry_rules.entries,
    operand_rules.missing_value,
    entry_rules.comma,
    operand_rules.right_operand,
    operand_rules.left_operand,
    operand_rules.chained,
    entry_rules.equals_in_value,
    entry_rules.empty,
    entry_rules.before_equals,
    entry_rules.two_values,
)


def answer(trouble: Trouble) -> Answer:
    for rule in RULES:
        found = rule(trouble)
        if found is not None:
            return found
    return _fallback(trouble)


def _fallback(t: Trouble) -> Answer:
    label = f"expected {expectation(t.accepts)}"
    if t.token.type == END and t.previous is not None:
        return Answer(error(UNEXPECTED, gap_after(t.previous), "the definition is not finished", label=label))
    return Answer(error(UNEXPECTED, t.token.span, f"{shown(t.token)} cannot stand here", label=label))


def stand_in(kind: str, before: Token) -> Token:
    """A token that is read although it is not written, right behind `before`."""
    return replace(before, type=kind, start=before.end, stand_in=SPELLING.get(kind, ""))
