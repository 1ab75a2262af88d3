"""Directions from captured states, with the report on how good they are."""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from steerlang.diagnostics import codes
from steerlang.engine.operation import Context, Task
from steerlang.engine.payload import Payload
from steerlang.kernels.classifiers import lda, probe
from steerlang.kernels.errors import NumericsError, TooFewPairs
from steerlang.kernels.extraction import Extraction, icv, mean_difference, pca
from steerlang.kernels.lat import lat
from steerlang.kernels.quality import Quality, by_layer, quality

from .base import Single, fail, inputs
from .model_errors import as_diagnostics
from .origins import origin_of
from .vector import SteeringVector

Extract = Callable[[Tensor, Tensor], Extraction]

_METHODS: Mapping[str, Callable[[Mapping[str, Any], int], Extract]] = {
    "mean_difference": lambda _o, _s: mean_difference,
    "pca": lambda o, _: lambda x, y: pca(x, y, centre=o["center"]),
    "icv": lambda o, _: lambda x, y: icv(x, y, variant=o["variant"], rank=o["rank"]),
    "probe": lambda o, _: lambda x, y: probe(x, y, c=o["c"]),
    "lda": lambda o, _: lambda x, y: lda(x, y, shrinkage=o["shrinkage"]),
    "lat": lambda o, seed: lambda x, y: lat(x, y, pairing=o["pairing"], seed=seed),
}
#: Methods that look at all layers together; the others at each alone.
_ALL_LAYERS = frozenset({"icv"})


def _judged(options: Mapping[str, Any], x: Tensor, y: Tensor) -> tuple[Extraction, Quality]:
    """The directions and the report on them."""
    name, seed = options["method"]["name"], options["seed"]
    method = _METHODS[name](options["method"]["options"], seed)
    if name in _ALL_LAYERS:
        found = method(x, y)
        return found, quality(method, x, y, seed=seed, whole=found)
    try:
        return by_layer(method, x, y, seed=seed)
    except NumericsError as refused:
        if refused.row is not None and not isinstance(refused, TooFewPairs):
            refused.message = f"at layer {options['layers'][refused.row]}, {refused.message}"
        raise


def _extract(task: Task, _: Context) -> Payload:
    options: Any = task.node.options
    target, source = inputs(task)
    y, x, left_out = _aligned(target, source, bool(options.get("paired", True)))
    with as_diagnostics(), torch.inference_mode():
        found, report = _judged(options, x, y)
    _check(found, report, options["layers"])
    provenance = {
        "data": [i.inputs[1].key for i in task.node.inputs],
        "pairs": int(x.shape[0]),
        "left_out": left_out,
        "seed": options["seed"],
    }
    return SteeringVector(
        tuple(options["layers"]),
        found.directions.numpy(),
        report.state_norm.numpy(),
        options["site"],
        options["tokens"],
        origin_of(task.node.inputs[0].inputs[0]),
        options["method"],
        _document(report),
        provenance,
        report.max_projection.numpy(),
        None if found.logits is None else found.logits.numpy(),
    ).payload()


def _check(found: Extraction, report: Quality, layers: list[int]) -> None:
    """Refuses directions that point nowhere, and states too large for their own length."""
    for layer, norm, length in zip(layers, report.state_norm.tolist(), report.direction_norm.tolist(), strict=True):
        if not (math.isfinite(norm) and math.isfinite(length)):
            raise fail(
                codes.NON_FINITE,
                f"the states at layer {layer} are so large that their length is not finite",
                "read another site or layer, or look at the longest states: `capture`",
            )
    if not bool(found.directions.any()):
        raise fail(
            codes.ZERO_DIRECTION,
            "the direction has no length in any layer: both sides read the same",
            "look at the token that is read (`steerlang plan`): pairs should differ there or before",
        )


def _aligned(target: Payload, source: Payload, paired: bool) -> tuple[Tensor, Tensor, int]:
    """Both sides, float32 `[n, L, D]`, restricted to pairs found on both; and how many pairs were left out.

    Not `paired`, each side is what was found of it, and what was left out of either is counted.
    """
    if _by_token(target) or _by_token(source):
        return _tensor(target), _tensor(source), 0
    found = np.asarray(target.meta["found"]), np.asarray(source.meta["found"])
    if not paired or len(found[0]) != len(found[1]):
        y, x = (_kept(_tensor(side), at) for side, at in zip((target, source), found, strict=True))
        return y, x, sum(int((~f).sum()) for f in found)
    both = found[0] & found[1]
    if not both.any():
        raise fail(
            codes.TOKEN_NOT_FOUND,
            "no pair has the token on both sides",
            "look at the rendered pairs with `steerlang plan`",
        )
    return _kept(_tensor(target), both), _kept(_tensor(source), both), int((~both).sum())


def _kept(states: Tensor, found: NDArray[np.bool_]) -> Tensor:
    """The rows in which the token was found; not a copy where that is all of them."""
    return states if found.all() else states[torch.from_numpy(found)]


def _by_token(states: Payload) -> bool:
    """Whether rows are tokens rather than texts."""
    select: Any = states.meta["tokens"]
    return bool(select["select"] == "all")


def _tensor(states: Payload) -> Tensor:
    """The stored states without a copy. The map is read-only, which torch only warns of; nothing here writes to it."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="The given NumPy array is not writable")
        return torch.from_numpy(np.asarray(states.tensors["states"]))


def _document(report: Quality) -> dict[str, list[float] | None]:
    """The report by name, one number a layer; None where it could not be said."""
    names = (
        "direction_norm",
        "state_norm",
        "variance_explained",
        "cosine_to_mean_difference",
        "split_half_cosine",
        "held_out_auc",
    )
    found = {name: getattr(report, name) for name in names}
    return {name: None if value is None else [float(v) for v in value] for name, value in found.items()}


OPERATIONS = {"extract": Single(_extract)}
