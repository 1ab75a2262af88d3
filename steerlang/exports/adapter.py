"""A task vector as an adapter: a folder that PEFT's `from_pretrained` loads, with a receipt that `verify` checks.

Written with s = 1 (`lora_alpha` is the rank, module by module), so that B A is the task vector itself.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from steerlang import __version__
from steerlang.diagnostics import codes
from steerlang.weights.adapters import CONFIG, WEIGHTS
from steerlang.weights.dtypes import dtype_code, from_float32, to_float32
from steerlang.weights.errors import WeightsError, disk_errors
from steerlang.weights.expression import to_json
from steerlang.weights.layout import Shard, shards
from steerlang.weights.low_rank import Factored, factored
from steerlang.weights.planning import EditPlan, Output
from steerlang.weights.staging import Staging, busy_errors, check_target
from steerlang.weights.writer import FORMAT

from .checkpoint import RECEIPT, file_digests, is_ours
from .model_card import adapter_card


def export_adapter(
    plan: EditPlan,
    to: str | Path,
    *,
    rank: int | None = None,
    dtype: str = "float32",
    overwrite: bool = False,
    program: str = "",
    trained_on: str = "",
    digests: Mapping[str, str] | None = None,
) -> dict[str, Any]:
    """Writes the folder beside `to` and renames it; gives its receipt.

    plan        of `plan_vector`
    rank        what every matrix is cut to; None: exact, for weighted sums of adapters
    dtype       of the factors
    program     the text of the program, for the card
    trained_on  what PEFT shall call the base
    digests     of the inputs, by their keys in the plan

    Raises WeightsError; then nothing is left behind.
    """
    target = Path(to)
    inputs = {c.name: c.folder for c in (*plan.checkpoints.values(), *(a.file for a in plan.adapters.values()))}
    inputs.pop("the other adapters", None)
    check_target(target, overwrite or is_ours(target), inputs)
    found = factored(plan, rank)
    if not found.factors:
        message = "there is nothing to write: the task vector changes no matrix"
        raise WeightsError(message, "look at its coefficients", codes.EMPTY_RANGE)
    tensors = _tensors(found)
    code = dtype_code(dtype)
    (shard,) = shards([Output(n, code, values.shape, "computed") for n, values in tensors.items()], 1 << 62)
    pieces = {o.name: from_float32(tensors[o.name].reshape(-1), code) for o in shard.outputs}
    _check_range(pieces, code)
    receipt = _receipt(plan, found, shard, {n: hashlib.sha256(p.tobytes()).hexdigest() for n, p in pieces.items()},
                       digests or {})  # fmt: skip
    with busy_errors(), disk_errors(target), Staging(target, "adapter").opened() as staging:
        staging.write(
            WEIGHTS, b"".join((shard.header, *(pieces[o.name].tobytes() for o in shard.outputs)))
        )
        staging.write(CONFIG, _text(_config(found, plan, trained_on)))
        staging.write("README.md", adapter_card(receipt, target.name, program, trained_on).encode())
        receipt["files"] = file_digests(staging.folder, {WEIGHTS, RECEIPT})
        staging.write(RECEIPT, _text(receipt))
        staging.publish()
    return receipt


def _check_range(pieces: Mapping[str, Any], code: str) -> None:
    for name, stored in pieces.items():
        if not np.isfinite(to_float32(stored, code)).all():
            message = f"`{name}` has numbers too large for {code}"
            raise WeightsError(message, "store the adapter as `float32`", codes.NON_FINITE)


def _tensors(found: Factored) -> dict[str, np.ndarray]:
    """The factors as PEFT names and turns them."""
    tensors: dict[str, np.ndarray] = {}
    for module, (b, a) in found.factors.items():
        embedding = module in found.embeddings
        if embedding or found.transposed:
            b, a = a.T, b.T
        name = f"base_model.model.{module}.lora_"
        first, second = (f"{name}embedding_A", f"{name}embedding_B") if embedding else (
            f"{name}A.weight", f"{name}B.weight")  # fmt: skip
        tensors[first], tensors[second] = np.ascontiguousarray(a), np.ascontiguousarray(b)
    return tensors


def _config(found: Factored, plan: EditPlan, trained_on: str) -> dict[str, Any]:
    ranks = found.ranks
    common = max(set(ranks.values()), key=list(ranks.values()).count)
    others = {module: rank for module, rank in ranks.items() if rank != common}
    tasks = {adapter.facts.task for adapter in plan.adapters.values()} or {_task_of(plan)}
    return {
        "peft_type": "LORA", "task_type": tasks.pop() if len(tasks) == 1 else None,
        "base_model_name_or_path": trained_on or None, "r": common, "lora_alpha": common, "rank_pattern": others,
        "alpha_pattern": others, "target_modules": sorted(ranks), "bias": "none", "lora_dropout": 0.0,
        "use_rslora": False, "use_dora": False, "modules_to_save": None, "inference_mode": True,
        "fan_in_fan_out": found.transposed,
    }  # fmt: skip


def _task_of(plan: EditPlan) -> str | None:
    """What PEFT calls the task of the base, by which it finds the class that loads it; None where it needs no class
    of its own, or has no word for the task."""
    made_for = plan.base.config.get("architectures")
    causal = isinstance(made_for, list) and any(str(a).endswith(("ForCausalLM", "LMHeadModel")) for a in made_for)
    return "CAUSAL_LM" if causal else None


def _receipt(
    plan: EditPlan, found: Factored, shard: Shard, tensors: Mapping[str, str], digests: Mapping[str, str]
) -> dict[str, Any]:
    given = {**{k: c.name for k, c in plan.checkpoints.items()}, **{k: a.name for k, a in plan.adapters.items()}}
    given.pop("outline", None)
    return {
        "format": FORMAT,
        "steerlang": __version__,
        "expression": to_json(plan.expression),
        "inputs": {key: {"name": name, "digest": digests.get(key)} for key, name in given.items()},
        "counts": {"computed": len(found.factors), "left_out": len(found.left_out)},
        "excluded": [],
        "left_out": [["the task vector", name, "an adapter cannot hold it"] for name in found.left_out],
        "notes": list(plan.notes),
        "adapter": {
            "ranks": found.ranks, "error": found.error, "errors": dict(found.errors), "norms": dict(found.norms),
            "left_out": dict(found.left_out),
        },
        "shards": {WEIGHTS: {"size": shard.size, "header": hashlib.sha256(shard.header).hexdigest()}},
        "tensors": {
            o.name: {"file": WEIGHTS, "action": "computed", "sha256": tensors[o.name]} for o in shard.outputs
        },
    }  # fmt: skip


def _text(document: Mapping[str, Any]) -> bytes:
    return (json.dumps(document, indent=1, ensure_ascii=False) + "\n").encode()
