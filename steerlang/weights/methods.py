"""The methods of `compose`: which options each reads, their defaults and bounds."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any, Final

from steerlang.diagnostics import codes

from .errors import WeightsError
from .expression import Composed, Options

DEFAULTS: Final[Mapping[str, Options]] = {
    "linear": Options(),
    "ties": Options(density=0.2, normalize="count", scope="tensor"),
    "dare": Options(density=0.2, rescale=True, seed=0),
    "dare_ties": Options(density=0.2, rescale=True, seed=0, normalize="none"),
    "della": Options(density=0.5, epsilon=0.1, rescale=True, seed=0, normalize="none"),
    "breadcrumbs": Options(density=0.9, gamma=0.01, scope="tensor"),
    "consensus": Options(agree=2, strictness=0.4),
}


def check_options(composed: Composed) -> None:
    """Raises WeightsError for an option the method does not read, or a value out of bounds."""
    settled(composed)


def settled(composed: Composed) -> Options:
    """All options of a composition, defaults filled in. Raises WeightsError."""
    if composed.method not in DEFAULTS:
        known = ", ".join(DEFAULTS)
        raise WeightsError(f"`{composed.method}` is no method of compose", f"write one of {known}", codes.NOT_A_MEMBER)
    defaults, given = DEFAULTS[composed.method].given(), composed.options.given()
    if unread := sorted(set(given) - set(defaults)):
        message = f"`{composed.method}` does not read `{unread[0]}`"
        help = f"it reads {', '.join(defaults)}" if defaults else "it reads no options"
        raise WeightsError(message, help, codes.UNKNOWN_ARGUMENT)
    options = dataclasses.replace(Options(), **{**defaults, **given})
    _check_bounds(options, len(composed.vectors))
    return options


def _check_bounds(options: Options, vectors: int) -> None:
    density, epsilon, gamma = options.density, options.epsilon, options.gamma
    if density is not None:
        _within("density", density, 0.0 < density <= 1.0, "above 0 and at most 1")
    if gamma is not None and density is not None:
        _within("gamma", gamma, 0.0 <= gamma <= 1.0 - density + 1e-9, "at least 0 and at most 1 − density")
    if epsilon is not None and density is not None:
        fits = epsilon >= 0.0 and density - epsilon > 0.0 and density + epsilon <= 1.0
        _within("epsilon", epsilon, fits, "such that density ± epsilon stays above 0 and at most 1")
    if options.agree is not None:
        _within("agree", options.agree, 1 <= options.agree <= vectors, f"from 1 to the {vectors} task vectors")
    if options.strictness is not None:
        _within("strictness", options.strictness, 0.0 <= options.strictness < float("inf"), "finite and at least 0")


def _within(name: str, value: Any, fits: bool, bounds: str) -> None:
    if not fits:
        raise WeightsError(f"`{name}` is {value}, but must be {bounds}", (), codes.OUT_OF_BOUNDS)
