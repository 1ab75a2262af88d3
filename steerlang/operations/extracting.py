"""Directions from captured states, with the report on how good they are."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import torch
from torch import Tensor

from steerlang.diagnostics import codes
from steerlang.engine.operation import Context, Task
from steerlang.engine.payload import Payload
from steerlang.graph.node import Json, Node
from steerlang.kernels.extraction import Extraction, icv, mean_difference, pca
from steerlang.kernels.quality import Quality, by_layer, quality

from .base import Single, fail, inputs
from .model_errors import as_diagnostics
from .recipes import identity_of
from .vector import SteeringVector

Extract = Callable[[Tensor, Tensor], Extraction]

_METHODS: Mapping[str, Callable[[Mapping[str, Any]], Extract]] = {
    "mean_difference": lambda _: mean_difference,
    "pca": lambda o: lambda x, y: pca(x, y, centre=o["center"]),
    "icv": lambda o: lambda x, y: icv(x, y, variant=o["variant"], rank=o["rank"]),
}


#: Methods that look at each layer alone.
_LAYERS_ALONE = frozenset({"mean_difference"})


def _judged(method: Extract, x: Tensor, y: Tensor, seed: int, alone: bool) -> tuple[Extraction, Quality]:
    """The directions and the report on them."""
    if alone:
        return by_layer(method, x, y, seed=seed)
    found = method(x, y)
    return found, quality(method, x, y, seed=seed, whole=found)


def _extract(task: Task, _: Context) -> Payload:
    options: Any = task.node.options
    target, source = inputs(task)
    y, x, left_out = _aligned(target, source, options["method"]["name"])
    method = _METHODS[options["method"]["name"]](options["method"]["options"])
    with as_diagnostics(), torch.inference_mode():
        found, report = _judged(method, x, y, options["seed"], alone=options["method"]["name"] in _LAYERS_ALONE)
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
        _model(task.node),
        options["method"],
        _document(report),
        provenance,
        report.max_projection.numpy(),
        None if found.logits is None else found.logits.numpy(),
    ).payload()


def _model(node: Node) -> dict[str, Json]:
    """The weights the states were read from: id and digest."""
    model = node.inputs[0].inputs[0]
    while model.operation == "model.steer":
        model = model.inputs[0]
    return {"id": model.locators["name"], "identity": identity_of(model)}


def _aligned(target: Payload, source: Payload, method: str) -> tuple[Tensor, Tensor, int]:
    """Both sides, float32 `[n, L, D]`, restricted to pairs found on both; and how many pairs were left out."""
    if _by_token(target) or _by_token(source):
        if method != "mean_difference":
            raise fail(
                codes.ARGUMENT_TYPE,
                f"`{method}` compares pairs, and `tokens = all` gives rows without partners",
                "take one token a text (`last`, `mean`, …), or `mean_difference`",
            )
        return _tensor(target), _tensor(source), 0
    both = np.asarray(target.meta["found"]) & np.asarray(source.meta["found"])
    if not both.any():
        raise fail(
            codes.TOKEN_NOT_FOUND,
            "no pair has the token on both sides",
            "look at the rendered pairs with `steerlang plan`",
        )
    if both.all():
        return _tensor(target), _tensor(source), 0
    keep = torch.from_numpy(both)
    return _tensor(target)[keep], _tensor(source)[keep], int((~both).sum())


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
