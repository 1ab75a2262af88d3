"""What the headers of checkpoints and adapters say about a program's edits: patterns that match nothing, blocks that
overlap, adapters that do not fit, task vectors that have no exact adapter."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path

from steerlang.diagnostics import Diagnostic, Label, codes, error, ordered
from steerlang.graph.node import Node, walk
from steerlang.language.compiling import Compiled, cells_of
from steerlang.language.modules import Symbol
from steerlang.language.values import AdapterValue, CheckpointValue, ModelValue, node_of
from steerlang.source import Span


def with_edits_checked(compiled: Compiled) -> Compiled:
    """The program with what is wrong with its edited models. It is as it was where nothing can be looked at: it has
    errors already, models are not on this machine, or numpy is not installed."""
    if not compiled.ok or compiled.absent:
        return compiled
    edits = _edits(compiled)
    found: list[Diagnostic] = list(_other_bases(compiled, edits))
    if find_spec("numpy") is not None:
        found += [*_problems(edits), *_problems_of_exports(compiled)]
    found = list(dict.fromkeys(found))
    return replace(compiled, diagnostics=tuple(ordered([*compiled.diagnostics, *found]))) if found else compiled


def _edits(compiled: Compiled) -> dict[Node, Symbol]:
    """Every edited model with the definition it is written in: its own, or the first that uses it."""
    own: dict[Node, Symbol] = {}
    using: dict[Node, Symbol] = {}
    for table in compiled.tables.values():
        for _, cell in cells_of(table):
            root = node_of(cell.value)
            if root is None:
                continue
            own.setdefault(root, table.symbol)
            for node in walk([root]):
                using.setdefault(node, table.symbol)
    return {node: own.get(node, symbol) for node, symbol in using.items() if node.operation in _CHECKED}


def _problems(edits: dict[Node, Symbol]) -> Iterator[Diagnostic]:
    if not edits:
        return
    from steerlang.weights.errors import WeightsError

    for node, symbol in edits.items():
        try:
            _CHECKED[node.operation](node)
        except WeightsError as e:
            yield error(e.code, symbol.definition.value.span, e.message, help=e.help, notes=e.notes)


def _problems_of_exports(compiled: Compiled) -> Iterator[Diagnostic]:
    for table in compiled.tables.values():
        for _, cell in cells_of(table):
            if isinstance(cell.value, (AdapterValue, CheckpointValue)):
                yield from _problems_of_target(cell.value)
            if isinstance(cell.value, AdapterValue):
                yield from _problems_of_adapter(cell.value)
            if isinstance(cell.value, CheckpointValue) and cell.value.exclude:
                yield from _problems_of_checkpoint(cell.value)


def _problems_of_target(value: AdapterValue | CheckpointValue) -> Iterator[Diagnostic]:
    """Something is there already that an export would not replace."""
    from steerlang.exports import checkpoint, steering_adapter
    from steerlang.weights.errors import WeightsError
    from steerlang.weights.staging import check_target

    target = Path(value.path)
    steered = isinstance(value, CheckpointValue) and value.form == "adapter"
    is_ours = steering_adapter.is_ours if steered else checkpoint.is_ours
    read = {n.locators["name"]: Path(n.locators["path"]) for n in walk([value.node]) if "identity" in n.options}
    try:
        check_target(target, value.overwrite or is_ours(target), {} if steered else read)
    except WeightsError as e:
        yield error(e.code, value.span, e.message, help=e.help, notes=e.notes)
    except OSError:
        return  # what cannot be looked at now is said when it is written


def _problems_of_checkpoint(value: CheckpointValue) -> Iterator[Diagnostic]:
    from steerlang.operations.editing import plan_of
    from steerlang.weights.errors import WeightsError

    try:
        plan_of(value.node, None, value.dtype, value.exclude)
    except WeightsError as e:
        yield error(e.code, value.span, e.message, help=e.help, notes=e.notes)


def _problems_of_adapter(value: AdapterValue) -> Iterator[Diagnostic]:
    from steerlang.operations.editing import vector_plan_of
    from steerlang.weights.errors import WeightsError
    from steerlang.weights.low_rank import check_exact

    try:
        plan = vector_plan_of(value.node, value.base)
        if value.rank is None:
            check_exact(plan)
    except WeightsError as e:
        yield error(e.code, value.span, e.message, help=e.help, notes=e.notes)


def _other_bases(compiled: Compiled, edits: dict[Node, Symbol]) -> Iterator[Diagnostic]:
    """Adapters that name another model of the program as their base than the one they are added to."""
    models = {
        cell.value.base: cell.value
        for table in compiled.tables.values()
        for cell in table.cells
        if isinstance(cell.value, ModelValue) and cell.value.base.operation == "model.load"
    }
    for edit, symbol in edits.items():
        for adapter in edit.inputs:
            if adapter.operation != "adapter.load":
                continue
            meant = [node for node in models if _is_named(node, adapter.locators["trained_on"])]
            if meant and edit.inputs[0] not in meant:
                yield _other_base(adapter, edit.inputs[0], meant[0], symbol.definition.value.span)


def _other_base(adapter: Node, base: Node, meant: Node, span: Span) -> Diagnostic:
    message = (
        f"the adapter `{adapter.locators['name']}` says it was trained on `{meant.locators['name']}`, and is added to "
        f"`{base.locators['name']}`"
    )
    return Diagnostic(codes.OTHER_BASE, message, Label(span), help=("its tensors fit; look at which was meant",))


def _is_named(model: Node, name: str) -> bool:
    """Whether a model is the one that an adapter's configuration names: by its id, or by its folder."""
    if not name:
        return False
    place = Path(model.locators["path"])
    return name.rstrip("/") == model.locators["name"].rstrip("/") or Path(name).absolute() == place


def _check_edit(node: Node) -> None:
    from steerlang.operations.editing import plan_of

    plan_of(node)


def _check_pool(node: Node) -> None:
    from steerlang.operations.pooling import check_pool

    check_pool(node)


# What looks at the headers for a node of each operation that reads weights; raises WeightsError.
_CHECKED: Mapping[str, Callable[[Node], None]] = {
    "model.edit": _check_edit,
    "learn": _check_pool,
    "search": _check_pool,
}
