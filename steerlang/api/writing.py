"""Writing what a program exports and reports, once everything has run."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from steerlang.diagnostics import Diagnostic, Label, codes, error
from steerlang.engine.events import ArtifactWritten, DiagnosticEvent, EventSink
from steerlang.engine.payload import Payload
from steerlang.graph.node import Node, carried_out_inputs
from steerlang.language.compiling import cells_of
from steerlang.language.values import AdapterValue, CheckpointValue, ExportValue, ReportValue

if TYPE_CHECKING:
    from .results import Run

Written = AdapterValue | CheckpointValue | ExportValue | ReportValue


def write_files(run: Run, sink: EventSink) -> None:
    """Write exports, then reports. What cannot be written is reported and stops nothing else."""
    _write_all(run, sink, ("export", "report"))


def write_reports(run: Run, sink: EventSink) -> None:
    """Write the reports of a run that failed, and nothing else: they say what is missing, and why."""
    _write_all(run, sink, ("report",))


def _write_all(run: Run, sink: EventSink, kinds: Collection[str]) -> None:
    for kind in kinds:
        for symbol in run.wanted(kind):
            for label, cell in cells_of(run.program.compiled.tables[symbol.label]):
                if isinstance(cell.value, Written):
                    _write(run, label, cell.value, sink)


def _write(run: Run, label: str, value: Written, sink: EventSink) -> None:
    found = _tried(run, value, label, sink)
    if isinstance(found, Diagnostic):
        _say(run, found, sink)
    elif found is not None:
        run.artifacts.append(found)
        sink.emit(ArtifactWritten(label=label, path=str(found), bytes=_bytes(found)))


def _say(run: Run, diagnostic: Diagnostic, sink: EventSink) -> None:
    run.found.append(diagnostic)
    sink.emit(DiagnosticEvent(diagnostic=diagnostic))


def _tried(run: Run, value: Written, label: str, sink: EventSink) -> Path | Diagnostic | None:
    """The path written, or what was refused. None: the result it needs is not there."""
    from steerlang.exports.files import ExportRefused

    try:
        if isinstance(value, CheckpointValue):
            return _checkpoint(run, value, label)
        if isinstance(value, AdapterValue):
            return _adapter(run, value, label, sink)
        if isinstance(value, ReportValue):
            from .pages import write_report

            return write_report(run, value)
        return _export(run, value)
    except ExportRefused as refused:
        return error(codes.OUTPUT_EXISTS, value.span, str(refused), help=refused.help)
    except OSError as e:
        reason = f"cannot write `{value.path}`: {(e.strerror or str(e)).lower()}"
        return error(codes.RUN_FAILED, value.span, reason, help="free some space, or choose another place")


def _export(run: Run, value: ExportValue) -> Path | None:
    from steerlang.exports.files import write_export
    from steerlang.operations.origins import model_type_of

    payload = run.payload(value.node)
    if payload is None:
        return None
    if value.node.result == "coefficients":
        payload = _named(payload, value.node)
    options = {**value.options, "model_type": model_type_of(value.node)} if value.format else {}
    return write_export(payload, Path(value.path), value.overwrite, value.format, options)


def _named(payload: Payload, node: Node) -> Payload:
    """Coefficients with the names of their task vectors, which the store does not know."""
    from steerlang.operations.coefficients import names_of

    return replace(payload, meta={**payload.meta, "vectors": list(names_of(node))})


def _baked(run: Run, value: CheckpointValue) -> Path | Diagnostic | None:
    """A steered model as weights, or as an adapter."""
    from steerlang.engine.errors import OperationError
    from steerlang.operations.baking import Target, write_baked
    from steerlang.operations.model_errors import as_diagnostics

    if any(run.payload(n) is None for n in carried_out_inputs(value.node)):
        return None
    text = run.program.compiled.source.text
    target = Target(value.path, value.name, value.form, value.shard_bytes, value.dtype, value.overwrite, text)
    try:
        with as_diagnostics():
            write_baked(value.node, run.result, run.resources, target)
    except OperationError as e:
        found = e.diagnostic
        return error(found.code, value.span, found.message, help=found.help, notes=found.notes)
    return Path(value.path)


def _checkpoint(run: Run, value: CheckpointValue, label: str) -> Path | Diagnostic | None:
    if value.node.operation == "model.steer":
        return _baked(run, value)
    from steerlang.exports.checkpoint import export_checkpoint
    from steerlang.operations.editing import digests_of, learned_by, plan_of
    from steerlang.operations.origins import loads_from
    from steerlang.weights.errors import WeightsError

    from .term_text import change_text, term_names

    if any(run.payload(n) is None for n in carried_out_inputs(value.node)):
        return None
    try:
        plan = plan_of(value.node, run.result, value.dtype, value.exclude)
        receipt = export_checkpoint(
            plan, value.path, max_shard_size=value.shard_bytes, overwrite=value.overwrite,
            program=run.program.compiled.source.text, digests=digests_of(value.node),
            coefficients=learned_by(value.node, run.result), base=loads_from(value.node.inputs[0]),
            change=change_text(value.node.options["expression"], term_names(run.program.compiled)),
        )  # fmt: skip
    except WeightsError as e:
        return error(e.code, value.span, e.message, help=e.help, notes=e.notes)
    run.written[label] = receipt
    if value.dtype is None and not value.exclude:
        run.resources.receipts[value.node.key] = receipt  # the model as it is
    return Path(value.path)


def _adapter(run: Run, value: AdapterValue, label: str, sink: EventSink) -> Path | Diagnostic:
    from steerlang.exports.adapter import export_adapter
    from steerlang.operations.editing import digests_of, trained_on, vector_plan_of
    from steerlang.weights.errors import WeightsError

    try:
        plan = vector_plan_of(value.node, value.base, run.result)
        receipt = export_adapter(
            plan, value.path, rank=value.rank, dtype=value.dtype, overwrite=value.overwrite,
            program=run.program.compiled.source.text, trained_on=trained_on(value.node, value.base),
            digests=digests_of(value.node),
        )  # fmt: skip
    except WeightsError as e:
        return error(e.code, value.span, e.message, help=e.help, notes=e.notes)
    run.written[label] = receipt
    found = receipt["adapter"]
    if found["error"] > 0 or found["left_out"]:
        _say(run, _in_part(label, found, value), sink)
    return Path(value.path)


def _in_part(label: str, found: Any, value: AdapterValue) -> Diagnostic:
    """What an adapter does not hold of its task vector."""
    parts = [f"cutting it to rank {value.rank} loses {found['error']:.1%} of the norm"] if found["error"] > 0 else []
    if found["left_out"]:
        whole = sum(n * n for n in (*found["norms"].values(), *found["left_out"].values()))
        share = (sum(n * n for n in found["left_out"].values()) / whole) ** 0.5
        count = len(found["left_out"])
        what = "1 tensor that an adapter cannot hold is" if count == 1 else f"{count} tensors that it cannot hold are"
        parts.append(f"{what} left out, {share:.1%} of the norm")
    message = f"`{label}` holds its task vector in part: {', and '.join(parts)}"
    help = ["a larger `rank` loses less"] if found["error"] > 0 else []
    help += ["`checkpoint(base + …)` holds all of it"] if found["left_out"] else []
    return Diagnostic(codes.TRUNCATED, message, Label(value.span), help=tuple(help))


def _bytes(path: Path) -> int:
    """Size of a file, or of all files of a folder."""
    return path.stat().st_size if path.is_file() else sum(p.stat().st_size for p in path.rglob("*") if p.is_file())
