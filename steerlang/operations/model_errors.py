"""Errors of models and kernels as diagnostics."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from steerlang.diagnostics import codes
from steerlang.diagnostics.codes import Code
from steerlang.kernels.errors import NumericsError, ShapeMismatch, TooFewPairs, TooFewStates
from steerlang.models import errors as e
from steerlang.weights.errors import WeightsError

from .base import fail

_CODES: tuple[tuple[type[Exception], Code], ...] = (
    (e.BadWeights, codes.NON_FINITE),
    (e.LoadFailure, codes.UNREADABLE_MODEL),
    (e.UnsupportedModel, codes.UNSUPPORTED_MODEL),
    (e.SiteUnavailable, codes.UNSUPPORTED_MODEL),
    (e.LayerOutOfRange, codes.LAYER_OUT_OF_RANGE),
    (e.WidthMismatch, codes.WIDTH_MISMATCH),
    (e.CannotBake, codes.NOT_IN_WEIGHTS),
    (e.NonFinite, codes.NON_FINITE),
    (e.UnusableLogits, codes.NON_FINITE),
    (e.NeedsOffsets, codes.UNREADABLE_MODEL),
    (e.BadImage, codes.BAD_IMAGE),
    (e.ImageTokens, codes.IMAGE_TOKENS),
    (e.MissingPackage, codes.MISSING_EXTRA),
    (e.ClassMismatch, codes.CLASS_MISMATCH),
    (TooFewPairs, codes.TOO_FEW_ROWS),
    (TooFewStates, codes.TOO_MANY_CONCEPTS),
    (ShapeMismatch, codes.UNFIT_DATA),
    (e.ModelError, codes.RUN_FAILED),
    (NumericsError, codes.RUN_FAILED),
)


@contextmanager
def as_diagnostics() -> Iterator[None]:
    """What models and kernels refuse, said with a code."""
    try:
        yield
    except WeightsError as refused:
        raise fail(refused.code, refused.message, " ".join(refused.help), refused.notes) from refused
    except (e.ModelError, NumericsError) as refused:
        code = next(c for kind, c in _CODES if isinstance(refused, kind))
        raise fail(code, refused.message, refused.help) from refused
