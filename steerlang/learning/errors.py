"""The error of this room: it has the fields of WeightsError and is one, so that it is shown in the same way."""

from __future__ import annotations

from steerlang.diagnostics import codes
from steerlang.diagnostics.codes import Code
from steerlang.weights.errors import WeightsError


class LearningError(WeightsError):
    """Coefficients that cannot be learned as asked: what is wrong, and how to mend it."""

    def __init__(
        self,
        message: str,
        help: str | tuple[str, ...] = (),
        code: Code = codes.RUN_FAILED,
        *,
        notes: tuple[str, ...] = (),
    ) -> None:
        super().__init__(message, help, code, notes=notes)
