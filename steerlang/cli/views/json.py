"""JSON for programs: exactly one document on stdout, whatever happens.

Every document has the keys of `steerlang.diagnostics`, the exit code, and what its verb found; `format` says which.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from steerlang.cli.arguments import Output
from steerlang.cli.exit_codes import ExitCode, gravest
from steerlang.cli.streams import Streams
from steerlang.diagnostics import Diagnostic, has_errors
from steerlang.diagnostics.json import FORMAT as DIAGNOSTICS
from steerlang.diagnostics.json import envelope

if TYPE_CHECKING:
    from steerlang.api.inspecting import Looked
    from steerlang.api.lock_writing import LockResult
    from steerlang.api.planning import PlanView
    from steerlang.cli.examination import Examination
    from steerlang.cli.failures import Ending
    from steerlang.cli.formatting import Formatted
    from steerlang.cli.outcomes import Ran
    from steerlang.cli.showing import Shown
    from steerlang.diagnostics.pages import Page
    from steerlang.engine.upkeep import Cleared, Problem, Stored
    from steerlang.graph.lock import Locked
    from steerlang.language.compiling import Compiled
    from steerlang.weights.comparing import CheckpointDifference
    from steerlang.weights.verifying import Finding


class JsonView:
    live = None

    def __init__(self, streams: Streams, output: Output) -> None:
        self.streams = streams
        self.output = output

    def _print(self, code: ExitCode, diagnostics: Iterable[Diagnostic], format: str, fields: Mapping[str, Any]) -> None:
        document = finite({**envelope(diagnostics), **fields, "format": format, "exit_code": int(code)})
        out = self.streams.out
        out.line(json.dumps(document, ensure_ascii=not out.unicode, indent=2, allow_nan=False))

    def failed(self, ending: Ending) -> None:
        trace = {"traceback": ending.trace} if ending.trace and self.output.tracebacks else {}
        self._print(ending.code, ending.diagnostics, DIAGNOSTICS, trace)

    def help(self, text: str) -> None:
        self._print(ExitCode.USAGE, (), DIAGNOSTICS, {"valid": False, "help": text})

    def checked(self, results: Sequence[Compiled]) -> None:
        programs = [{"program": r.source.name, "valid": r.ok, "definitions": len(r.module.symbols)} for r in results]
        code = ExitCode.OK if all(r.ok for r in results) else ExitCode.INVALID
        self._print(code, [d for r in results for d in r.diagnostics], DIAGNOSTICS, {"programs": programs})

    def planned(self, plan: PlanView, program: Compiled, code: ExitCode) -> None:
        self._print(code, program.diagnostics, "steerlang.plan", {**plan.document(), "program": program.source.name})

    def ran(self, result: Ran) -> None:
        fields = ran_document(result, self.output.tracebacks)
        self._print(result.code, result.diagnostics, "steerlang.run", fields)

    def tested(self, results: Sequence[Ran]) -> None:
        programs = [ran_document(r, self.output.tracebacks) for r in results]
        code = gravest(r.code for r in results)
        self._print(code, [d for r in results for d in r.diagnostics], "steerlang.test", {"programs": programs})

    def inspected(self, found: Looked, plot: Path | None) -> None:
        from steerlang.reports.inspection import inspection_document

        fields = {**inspection_document(found.inspection), "plot": str(plot) if plot is not None else None}
        self._print(ExitCode.OK, found.diagnostics, "steerlang.inspect", fields)

    def formatted(self, results: Sequence[Formatted], code: ExitCode) -> None:
        files = [
            {"file": r.name, "changed": r.changed, "written": r.written, "valid": r.after is not None,
             **({"diff": r.diff} if r.diff is not None else {}), **({"text": r.after} if r.text else {})}
            for r in results
        ]
        self._print(code, [d for r in results for d in r.diagnostics], "steerlang.fmt", {"files": files})

    def locked(self, results: Sequence[LockResult], code: ExitCode) -> None:
        programs = [
            {"program": r.program, "file": r.file, "valid": r.ok, "written": r.written,
             "inputs": [_locked(i) for i in r.records], "differences": [d.message for d in r.differences]}
            for r in results
        ]
        self._print(code, [d for r in results for d in r.diagnostics], "steerlang.lock", {"programs": programs})

    def explained(self, page: Page) -> None:
        fields = {"code": page.code.id, "slug": page.code.slug, "severity": page.code.severity.value,
                  "summary": page.code.summary, "text": page.text}
        self._print(ExitCode.OK, (), "steerlang.explain", fields)

    def cache_listed(self, root: Path, results: Sequence[Stored]) -> None:
        self._cache(root, {"results": [_stored(s) for s in results]})

    def cache_verified(self, root: Path, count: int, problems: Sequence[Problem]) -> None:
        found = [{"key": p.key, "message": p.message} for p in problems]
        self._cache(root, {"checked": count, "problems": found}, ExitCode.INVALID if found else ExitCode.OK)

    def cache_cleared(self, root: Path, cleared: Cleared) -> None:
        self._cache(root, {"removed": list(cleared.keys), "leftovers": list(cleared.leftovers), "bytes": cleared.bytes,
                           "dry_run": cleared.dry_run})

    def cache_located(self, root: Path) -> None:
        self._cache(root, {})

    def _cache(self, root: Path, fields: Mapping[str, Any], code: ExitCode = ExitCode.OK) -> None:
        self._print(code, (), "steerlang.cache", {"root": str(root), **fields})

    def verified(self, folder: str, findings: Sequence[Finding], code: ExitCode) -> None:
        problems = [{"file": f.file, "tensor": f.tensor, "message": f.message} for f in findings]
        self._print(code, (), "steerlang.verify", {"folder": folder, "valid": not findings, "problems": problems})

    def differed(self, names: tuple[str, str], found: CheckpointDifference, code: ExitCode) -> None:
        fields = {
            "first": names[0], "second": names[1], "equal": found.equal, "kind": found.kind,
            "facts": [{"name": name, "first": a, "second": b} for name, a, b in found.facts],
            "blocks": [
                {"name": b.name, "changed": b.changed, "count": b.count, "norm": b.norm, "base_norm": b.base_norm,
                 "largest": b.largest, "cosine": b.cosine, "tensors": list(b.tensors)}
                for b in found.blocks
            ],
            "only_first": list(found.only_first), "only_second": list(found.only_second),
            "other_form": [{"name": name, "forms": forms} for name, forms in found.other_form],
        }
        self._print(code, (), "steerlang.diff", fields)

    def examined(self, found: Examination) -> None:
        sections = {section: {f.name: f.value for f in facts} for section, facts in found.sections.items()}
        code = ExitCode.INVALID if has_errors(tuple(found.diagnostics)) else ExitCode.OK
        self._print(code, found.diagnostics, "steerlang.doctor", sections)

    def shown(self, result: Shown) -> None:
        self._print(result.code, result.diagnostics, f"steerlang.{result.name}", result.document())


def ran_document(result: Ran, tracebacks: bool) -> dict[str, Any]:
    """What a run found, as JSON values."""
    from steerlang.reports.document import findings_document

    found = findings_document(result.findings) if result.findings is not None else {"outcome": "invalid"}
    traces = {"tracebacks": list(result.tracebacks)} if tracebacks and result.tracebacks else {}
    return {"program": result.program, "exit_code": int(result.code), **found, **traces}


def _locked(record: Locked) -> dict[str, Any]:
    return {"kind": record.kind, "name": record.name, "requested": record.requested or None,
            "revision": record.revision or None, "sha256": record.sha256 or None, "images": record.images or None}


def _stored(stored: Stored) -> dict[str, Any]:
    record = stored.record
    return {
        "key": stored.key, "bytes": stored.bytes, "used": stored.used, "damage": stored.damage,
        "operation": record.operation if record else None,
        "labels": list(record.labels) if record else [],
        "program": record.program if record else None,
        "seconds": record.seconds if record else None,
    }


def finite(value: Any) -> Any:
    """JSON has neither NaN nor infinities: they stand as text."""
    if isinstance(value, float) and not math.isfinite(value):
        return str(value)
    if isinstance(value, Mapping):
        return {str(k): finite(v) for k, v in value.items()}
    if isinstance(value, (list, tuple)):
        return [finite(v) for v in value]
    return value
