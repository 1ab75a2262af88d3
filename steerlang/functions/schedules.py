"""Schedules: how an action's scale changes with the generated tokens. Formulas: `steerlang/kernels/schedules.py`."""

from __future__ import annotations

from steerlang.diagnostics import Diagnostic, Label, codes, error
from steerlang.graph.node import Json
from steerlang.language.lowering import Lowering
from steerlang.language.parameter_types import Methods, Number
from steerlang.language.signature import Call, Method, MethodChoice, Parameter

_FLOOR = Parameter("floor", Number(), "what it comes down to", 0.0)
_OVER = Parameter("over", Number(0, exclusive=True), "how many tokens it takes", unit="tokens")

METHODS = (
    Method("constant", "the same at every token"),
    Method(
        "linear",
        "from one factor to another in a straight line, and that one from there on",
        formula="f(t) = (1 - x) start + x end, x = min(t / over, 1)",
        subjects=(
            Parameter("start", Number(), "the factor at token 0"),
            Parameter("end", Number(), "the factor from token `over` on"),
            _OVER,
        ),
    ),
    Method(
        "cosine",
        "from 1 down to a floor along half a cosine",
        (_FLOOR,),
        formula="f(t) = floor + (1 - floor) (1 + cos(pi x)) / 2, x = min(t / over, 1)",
        subjects=(_OVER,),
    ),
    Method(
        "exponential",
        "from 1 towards a floor, half of the way every so many tokens",
        (_FLOOR,),
        formula="f(t) = floor + (1 - floor) 2^(-t / half_life)",
        subjects=(Parameter("half_life", Number(0, exclusive=True), "tokens for half of the way", unit="tokens"),),
    ),
    Method(
        "window",
        "on for some tokens, off for the others",
        formula="f(t) = 1 where start <= t < end, else 0",
        subjects=(
            Parameter("start", Number(0, integer=True), "the first token it is on for", unit="tokens"),
            Parameter("end", Number(0, integer=True), "the first token it is off for again", unit="tokens"),
        ),
    ),
)

SCHEDULE = Parameter(
    "schedule", Methods(METHODS), "how the scale changes with the generated tokens", MethodChoice(METHODS[0], {})
)
_PROMPT_ONLY = frozenset({"prompt", "last_prompt", "at", "image"})


def schedule_of(call: Call, low: Lowering) -> tuple[Json, bool]:
    """The document of a call's schedule, None where it is constant; and whether it is a schedule at all."""
    choice: MethodChoice = call["schedule"]
    options = choice.options
    if choice.method.name == "constant":
        return None, True
    if choice.method.name == "window" and options["end"] <= options["start"]:  # type: ignore[operator]
        low.report(
            error(
                codes.EMPTY_RANGE,
                call.where("schedule"),
                f"the window from {options['start']} to {options['end']} holds no token",
                help="it begins with the first number and ends before the second: `window(0, 64)` is 64 tokens",
            )
        )
        return None, False
    if call["tokens"]["select"] in _PROMPT_ONLY:
        low.report(
            Diagnostic(
                codes.SCHEDULE_ON_PROMPT,
                f"the schedule counts generated tokens, and `tokens = {call['tokens']['select']}` are of the prompt",
                Label(call.where("schedule")),
                help=("prompt tokens have the factor of token 0: leave the schedule out, or steer generated tokens",),
            )
        )
    return choice.document(), True
