"""Coefficients that are found while running: `learn` by gradient descent, `search` over a grid."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from typing import Any

from steerlang.engine.operation import Context, Task
from steerlang.engine.payload import Payload
from steerlang.graph.node import Json
from steerlang.learning import (
    Data,
    Entropy,
    LanguageModel,
    Learned,
    Negate,
    Objective,
    Penalty,
    Pool,
    SelfTraining,
    Settings,
    StateFile,
    Supervised,
    learn,
    search,
    uses_labels,
)

from .base import Single
from .coefficients import Coefficients, names_of
from .editing import opened
from .examples import Rows, rows_for
from .keeping import kept
from .model_errors import as_diagnostics
from .pooling import base_of, blocks_of, terms_of
from .resources import Resources

_OBJECTIVES: Mapping[str, Callable[[Any], Objective]] = {
    "supervised": lambda o: Supervised(),
    "negate": lambda o: Negate(o["keep"]),
    "entropy": lambda o: Entropy(),
    "self_training": lambda o: SelfTraining(trusted=o["trusted"], first=o["start"]),
    "language_model": lambda o: LanguageModel(),
}
_PENALTIES: Mapping[str, Callable[[Any], Penalty | None]] = {
    "none": lambda o: None,
    "l1": lambda o: Penalty(1, o["gamma"]),
    "l2": lambda o: Penalty(2, o["gamma"]),
}
STATE = "state.safetensors"
# Task vectors up to so many bytes (as float32) are kept in memory while learning; larger pools are read from disk.
MEMORY = 1 << 30


def _learn(task: Task, context: Context) -> Payload:
    resources: Resources = context.resources  # type: ignore[assignment]
    options: Any = task.node.options
    with as_diagnostics():
        rows = rows_for(task, resources)
        pool = pool_of(task)
        index = pool.index(blocks_of(task.node))
        settings = settings_of(options)
        data = data_of(options, rows, settings.objective)
        keep = kept(options, pool, index, data, settings, rows)
        state = StateFile(context.unfinished(task.node) / STATE, task.node.key, every=20)
        found = learn(
            rows.module, pool, index, data, settings, keep=None if keep is None else keep.mask, state=state,
            progress=lambda done, steps, loss: context.progress(done, steps, f"steps, loss {loss:.4g}"),
        )  # fmt: skip
    return _payload(task, found, {"kept": keep.by if keep else "all"})


def _search(task: Task, context: Context) -> Payload:
    resources: Resources = context.resources  # type: ignore[assignment]
    options: Any = task.node.options
    with as_diagnostics():
        rows = rows_for(task, resources)
        pool = pool_of(task)
        objective = objective_of(options)
        found = search(
            rows.module, pool, pool.index(blocks_of(task.node)), data_of(options, rows, objective), objective,
            grid=options["grid"], batch_size=options["batch_size"], memory=MEMORY,
            progress=lambda done, count: context.progress(done, count, "scales"),
        )  # fmt: skip
    return _payload(task, found, {})


def pool_of(task: Task) -> Pool:
    """The task vectors as streams."""
    node = task.node
    checkpoints, adapters = opened(node)
    return Pool.of(terms_of(node, task.value), base_of(node).key, checkpoints, adapters)


def objective_of(options: Any) -> Objective:
    given = options["objective"]
    return _OBJECTIVES[given["name"]](given["options"])


def settings_of(options: Any) -> Settings:
    """The settings of a `learn` node."""
    select, penalty = options["select"], options["penalty"]
    best = select["name"] == "best"
    return Settings(
        objective_of(options), options["steps"], options["epochs"], options["batch_size"],
        options["grad_accumulation"], options["lr"], options["schedule"], options["warmup"], options["weight_decay"],
        options["clip"], _PENALTIES[penalty["name"]](penalty["options"]), "best" if best else "last",
        select["options"]["by"] if best else None, select["options"]["every"] if best else None, options["seed"],
        MEMORY, options["linearize"],
    )  # fmt: skip


def data_of(options: Any, rows: Rows, objective: Objective) -> Data:
    """The data sets, each with its head; without labels where the objective may not see them."""
    labelled = uses_labels(objective)
    several = len(options["data"]) > 1
    learnt = tuple(
        rows.examples(given, f"data {number + 1}" if several else "data", labelled)
        for number, given in enumerate(options["data"])
    )
    control = options["objective"]["options"].get("control")
    select = options.get("select", {}).get("options", {}).get("on")
    return Data(
        learnt,
        None if control is None else rows.examples(control, "control", True),  # type: ignore[arg-type]
        () if select is None else (rows.examples(select, "the data it selects on", True),),
    )


def _payload(task: Task, found: Learned, more: Mapping[str, Json]) -> Payload:
    options: Any = task.node.options
    history = tuple({**dataclasses.asdict(step)} for step in found.history)
    trials: list[Json] = [dataclasses.asdict(trial) for trial in found.trials]
    facts: dict[str, Json] = {
        "objective": options["objective"]["name"], "why": found.why, "chosen": found.chosen,
        "feasible": found.feasible, "notes": list(found.notes), "trials": trials,
        "base": None if found.base is None else dataclasses.asdict(found.base), **more,
    }  # fmt: skip
    partition: Any = options["blocks"]
    return Coefficients(
        names_of(task.node), found.blocks, found.values.float().numpy(), partition, history, facts
    ).payload()


OPERATIONS = {"learn": Single(_learn), "search": Single(_search)}
