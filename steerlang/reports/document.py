"""Findings as JSON values."""

from __future__ import annotations

from typing import Any

from .details import detail_document
from .edits import edits_document
from .findings import Findings, MetricTable, SampleTable, VectorTable


def findings_document(findings: Findings) -> dict[str, Any]:
    """All that a run found. Numbers may be NaN: whoever writes them decides how."""
    tally = findings.tally
    return {
        "outcome": tally.outcome,
        "made": tally.made,
        "cached": tally.cached,
        "failed": tally.failed,
        "skipped": tally.skipped,
        "seconds": round(tally.seconds, 3),
        "expectations": [
            {"label": e.label, "holds": e.holds, "text": e.text, "left": e.left, "operator": e.operator,
             "right": e.right, "place": e.place or None}
            for e in findings.expectations
        ],
        "metrics": [_metric(t) for t in findings.metrics],
        "samples": [_samples(t) for t in findings.samples],
        "vectors": [_vector(t) for t in findings.vectors],
        "weights": [edits_document(t) for t in findings.edits],
        "details": [detail_document(t) for t in findings.details],
        "chosen": [{"name": name, "point": point} for name, point in findings.chosen],
        "artifacts": [{"path": a.path, "bytes": a.bytes} for a in findings.artifacts],
    }


def _metric(table: MetricTable) -> dict[str, Any]:
    rows = [
        {"at": dict(zip(table.axes, r.labels, strict=True)), "value": r.value,
         "interval": list(r.interval) if r.interval else None, "count": r.count}
        for r in table.rows
    ]
    return {"name": table.name, "axes": list(table.axes), "rows": rows}


def _samples(table: SampleTable) -> dict[str, Any]:
    columns = [
        {"at": dict(zip(table.axes, c.labels, strict=True)), "completions": list(c.completions)}
        | ({} if c.gate_open is None else {"gate": {"open": c.gate_open, "of": len(table.prompts)}})
        for c in table.columns
    ]
    return {"name": table.name, "axes": list(table.axes), "prompts": list(table.prompts), "columns": columns}


def _vector(table: VectorTable) -> dict[str, Any]:
    return {
        "name": table.name,
        "layers": list(table.layers),
        "norms": list(table.norms),
        "state_norms": list(table.state_norms),
        "quality": {name: list(values) for name, values in (table.quality or {}).items()},
        "facts": dict(table.facts or {}),
    }
