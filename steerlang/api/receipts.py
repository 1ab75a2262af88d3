"""Numeric receipts of edited models: kept from the run that made them, and found again when nothing runs."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from steerlang.engine.errors import StoreError
from steerlang.engine.payload import Payload
from steerlang.engine.record import record_of
from steerlang.engine.store import Store
from steerlang.graph.node import Node, walk
from steerlang.graph.plan import definition

from .term_text import names_in_receipts

if TYPE_CHECKING:
    from .results import Run

Receipt = Mapping[str, Any]
# What is kept beside the results. Digests of the tensors stand in the folder that an export wrote.
_KEPT = ("steerlang", "inputs", "counts", "excluded", "left_out", "notes", "numbers")


def receipt_node(edit: Node) -> Node:
    """Under whose key the receipt of an edited model is stored."""
    return Node("weights.receipt", 1, {}, (edit,), "receipt")


def keep_receipts(run: Run, store: Store, program: str | None, versions: Mapping[str, str]) -> None:
    """Stores the receipts of the models that a run made. One that cannot be kept is only missed by a later run."""
    nodes = {n.key: n for n in walk(list(run.plan.graph.roots.values()))}
    with suppress(StoreError, OSError):
        for key, receipt in run.resources.receipts.items():
            if key in nodes:
                node = receipt_node(nodes[key])
                label = f"{run.plan.label(nodes[key])} receipt"
                record = record_of(node, labels=(label,), program=program, versions=versions)
                store.put(node.key, Payload("receipt", meta=kept(receipt)), record)


def kept(receipt: Receipt) -> dict[str, Any]:
    """The part of a receipt that is about numbers and tensors, not about files."""
    return {name: receipt[name] for name in _KEPT if name in receipt}


def receipt_of(run: Run, edit: Node) -> Receipt | None:
    """The receipt of an edited model, of this run or an earlier one; None where it was never made."""
    found = run.resources.receipts.get(edit.key)
    if found is not None:
        return kept(found)
    store: Store = run.results.store
    payload = store.get(receipt_node(edit).key)
    return None if payload is None else payload.meta


def weights_of(run: Run) -> dict[str, Receipt]:
    """The receipts of all edited models that take part in a run, and of weights that were written in another form."""
    nodes = [n for n in walk(list(run.plan.targets)) if n.operation == "model.edit"]
    found = {_name(run, n): receipt for n in nodes if (receipt := receipt_of(run, n)) is not None}
    own = run.resources.receipts.values()
    found |= {label: r for label, r in run.written.items() if all(r is not other for other in own)}
    names = names_in_receipts(run.program.compiled)
    return {label: _renamed(receipt, names) for label, receipt in found.items()}


def _renamed(receipt: Receipt, names: Mapping[str, str]) -> Receipt:
    """A receipt in which task vectors go by their definitions. What is stored keeps the names of their files: it may
    be read by a program that calls them otherwise."""
    if "numbers" not in receipt:
        return receipt
    numbers = receipt["numbers"]
    vectors = [{**v, "name": names.get(v["name"], v["name"])} for v in numbers["vectors"]]
    pairs = [{**p, "between": [names.get(n, n) for n in p["between"]]} for p in numbers["pairs"]]
    return {**receipt, "numbers": {**numbers, "vectors": vectors, "pairs": pairs}}


def _name(run: Run, edit: Node) -> str:
    """What an edited model is called: its definition, where it has one, else what uses it."""
    tables = run.program.compiled.tables
    labels = run.plan.labels(edit)
    models = [x for x in labels if (table := tables.get(definition(x))) is not None and table.symbol.kind == "model"]
    return models[0] if models else run.plan.label(edit)
