# ruff: noqa: N818 - these are named for what is wrong, not for being errors.
"""Errors of the numeric kernels: what is wrong, and how to mend it."""

from __future__ import annotations


class NumericsError(ValueError):
    """Inputs for which a formula is not defined. `message` says what is wrong, `help` how to mend it.

    `row` is which of the layers given it was, where a method looks at each alone.
    """

    def __init__(self, message: str, help: str = "", row: int | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.help = help
        self.row = row


class TooFewPairs(NumericsError):
    """A method needs more demonstrations than were given."""

    def __init__(self, method: str, given: int, needed: int) -> None:
        super().__init__(
            f"{method} needs at least {needed} demonstrations, {given} given",
            f"add demonstrations (at least {needed}) or use mean_difference, which needs one",
        )
        self.method, self.given, self.needed = method, given, needed


class TooFewStates(NumericsError):
    """There are fewer states, or fewer distinct ones, than concepts are asked for."""


class ShapeMismatch(NumericsError):
    """Two tensors that must agree in shape do not."""


class NoVariation(NumericsError):
    """All demonstrations differ in the same way (or not at all), so no principal direction exists."""
