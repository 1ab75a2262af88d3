"""Diagnostics as one JSON document for programs.

The envelope is versioned: a new minor version adds keys, a new major one breaks. Lines and columns count from 1,
offsets from 0, all in code points; ranges are half-open.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any

from steerlang import __version__
from steerlang.source import Position, Span

from .codes import Severity
from .model import Diagnostic, Fix, Label

FORMAT = "steerlang.diagnostics"
FORMAT_VERSION = "1.0"


def to_json(diagnostics: Iterable[Diagnostic]) -> str:
    """The document as text, with a line break at its end."""
    return json.dumps(envelope(diagnostics), ensure_ascii=False, indent=2) + "\n"


def envelope(diagnostics: Iterable[Diagnostic]) -> dict[str, Any]:
    """The document as plain values."""
    found = list(diagnostics)
    errors = sum(1 for d in found if d.severity is Severity.ERROR)
    return {
        "format": FORMAT,
        "format_version": FORMAT_VERSION,
        "tool": {"name": "steerlang", "version": __version__},
        "valid": errors == 0,
        "error_count": errors,
        "warning_count": sum(1 for d in found if d.severity is Severity.WARNING),
        "diagnostics": [diagnostic_json(d) for d in found],
    }


def diagnostic_json(d: Diagnostic) -> dict[str, Any]:
    """One diagnostic; `file` and `range` are null where the trouble has no place in a program."""
    return {
        "code": d.code.id,
        "slug": d.code.slug,
        "severity": d.severity.value,
        "message": d.message,
        "file": d.primary.span.source.name if d.primary else d.place,
        "range": _range(d.primary.span) if d.primary else None,
        "labels": [
            *([_label(d.primary, True)] if d.primary else []),
            *(_label(label, False) for label in d.secondary),
        ],
        "notes": list(d.notes),
        "help": list(d.help),
        "fixes": [_fix(fix) for fix in d.fixes],
    }


def _label(label: Label, is_primary: bool) -> dict[str, Any]:
    return {
        "primary": is_primary, "message": label.message, "file": label.span.source.name, "range": _range(label.span),
    }


def _fix(fix: Fix) -> dict[str, Any]:
    return {
        "title": fix.title,
        "applicability": fix.applicability.value,
        "edits": [
            {"file": edit.span.source.name, "range": _range(edit.span), "text": edit.text} for edit in fix.edits
        ],
    }


def _range(span: Span) -> dict[str, Any]:
    return {"start": _position(span.first), "end": _position(span.last)}


def _position(position: Position) -> dict[str, int]:
    return {"line": position.line, "column": position.column, "offset": position.offset}
