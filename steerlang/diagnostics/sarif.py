"""Diagnostics as SARIF 2.1.0 (OASIS, Static Analysis Results Interchange Format), which code scanning reads.

Fingerprints are made of the file, the definition that holds the place, the code and the message with its numbers left
out, and of nothing that moves when lines are added above: an alert stays the same alert.
"""

from __future__ import annotations

import hashlib
import re
from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from typing import Any
from urllib.parse import quote

from steerlang import __version__
from steerlang.source import Span

from .codes import Code, Severity, all_codes
from .model import Diagnostic, Fix, Label
from .text import summary

SCHEMA = "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json"
# Code scanning takes no more results of one run.
MOST_RESULTS = 25_000
LEVELS = {Severity.ERROR: "error", Severity.WARNING: "warning", Severity.NOTE: "note"}
# A definition: in a program (`vector polite = …`) or in its YAML form (`  polite: …`).
_DEFINITION = re.compile(r"^(?:[A-Za-z]\w* +([A-Za-z_]\w*) *=| {1,8}[\"']?([A-Za-z_]\w*)[\"']?:)", re.MULTILINE)
_NUMBER = re.compile(r"\d+(?:\.\d+)?")


def to_sarif(diagnostics: Iterable[Diagnostic], exit_code: int = 0, root: Path | None = None) -> dict[str, Any]:
    """The log of one run as plain values. `root` is the folder that relative names of files start from."""
    found = list(diagnostics)
    codes = sorted({d.code.id for d in found})
    known = {**all_codes(), **{d.code.id: d.code for d in found}}
    seen: Counter[str] = Counter()
    kept = found[:MOST_RESULTS]
    driver = {
        "name": "steerlang", "version": __version__, "semanticVersion": __version__,
        "rules": [_rule(known[id]) for id in codes],
    }
    run: dict[str, Any] = {
        "tool": {"driver": driver},
        "columnKind": "unicodeCodePoints",
        "invocations": [{"executionSuccessful": exit_code in (0, 1, 4, 5), "exitCode": exit_code}],
        "results": [_result(d, codes.index(d.code.id), seen) for d in kept],
    }
    if root is not None:
        run["originalUriBaseIds"] = {"%SRCROOT%": {"uri": root.absolute().as_uri() + "/"}}
    if len(kept) < len(found):
        run["properties"] = {"summary": summary(found), "leftOut": len(found) - len(kept)}
    return {"$schema": SCHEMA, "version": "2.1.0", "runs": [run]}


def fingerprint(d: Diagnostic) -> str:
    """What makes a diagnostic the same one after the file was edited elsewhere; 16 hexadecimal digits."""
    file = d.primary.span.source.name if d.primary else (d.place or "")
    parts = (d.code.id, file.replace("\\", "/"), definition_at(d.primary.span) if d.primary else "",
             _NUMBER.sub("#", d.message))
    return hashlib.sha256("\0".join(parts).encode("utf-8", "replace")).hexdigest()[:16]


def definition_at(span: Span) -> str:
    """The name of the definition that a place lies in; outside all of them, the text of its line."""
    text = span.source.text
    line = span.first.line
    end = text.find("\n", span.start)
    last = None
    for last in _DEFINITION.finditer(text, 0, len(text) if end < 0 else end):  # noqa: B007 - the last one is wanted
        pass
    return (last.group(1) or last.group(2)) if last is not None else span.source.line(line).strip()


def _rule(code: Code) -> dict[str, Any]:
    return {
        "id": code.id,
        "name": "".join(word.capitalize() for word in code.slug.split("-")),
        "shortDescription": {"text": code.summary or code.slug},
        "help": {"text": f"`steerlang explain {code.id}` says more."},
        "defaultConfiguration": {"level": LEVELS[code.severity]},
    }


def _result(d: Diagnostic, rule: int, seen: Counter[str]) -> dict[str, Any]:
    mark = fingerprint(d)
    seen[mark] += 1
    result: dict[str, Any] = {
        "ruleId": d.code.id,
        "ruleIndex": rule,
        "level": LEVELS[d.severity],
        "message": {"text": words(d)},
        # Code scanning goes by `primaryLocationLineHash`; the number tells equal ones apart.
        "partialFingerprints": {"primaryLocationLineHash": f"{mark}:{seen[mark]}"},
    }
    if d.primary is not None:
        result["locations"] = [_location(d.primary)]
    elif d.place and is_file(d.place):
        result["locations"] = [{"physicalLocation": {"artifactLocation": _artifact(_file_of(d.place))}}]
    if d.secondary:
        result["relatedLocations"] = [{"id": i, **_location(label)} for i, label in enumerate(d.secondary)]
    if d.fixes:
        result["fixes"] = [_fix(fix) for fix in d.fixes]
    return result


def words(d: Diagnostic) -> str:
    """The message with its notes and help, as lines."""
    place = f"{d.place}: " if d.primary is None and d.place else ""
    helps = d.help or tuple(fix.title for fix in d.fixes)
    return "\n".join([f"{place}{d.message}", *(f"note: {n}" for n in d.notes), *(f"help: {h}" for h in helps)])


def _location(label: Label) -> dict[str, Any]:
    found: dict[str, Any] = {
        "physicalLocation": {"artifactLocation": _artifact(label.span.source.name), "region": _region(label.span)}
    }
    if label.message:
        found["message"] = {"text": label.message}
    return found


def _region(span: Span) -> dict[str, Any]:
    first, last = span.first, span.last
    return {
        "startLine": first.line, "startColumn": first.column, "endLine": last.line, "endColumn": last.column,
        "charOffset": first.offset, "charLength": last.offset - first.offset,
    }


def _artifact(name: str) -> dict[str, Any]:
    """Where a file lies: relative to the working directory, as it is named, or a file address."""
    path = Path(name)
    if path.is_absolute():
        return {"uri": path.as_uri()}
    return {"uri": quote(path.as_posix()), "uriBaseId": "%SRCROOT%"}


_LINE = re.compile(r":\d+(:\d+)?$")


def _file_of(place: str) -> str:
    return _LINE.sub("", place)


def is_file(place: str) -> bool:
    """Whether a place that is not in a program is a file, rather than an option or a verb."""
    try:
        return Path(_file_of(place)).is_file()
    except (OSError, ValueError):
        return False


def _fix(fix: Fix) -> dict[str, Any]:
    changes: dict[str, list[dict[str, Any]]] = {}
    for edit in fix.edits:
        replacement = {"deletedRegion": _region(edit.span), "insertedContent": {"text": edit.text}}
        changes.setdefault(edit.span.source.name, []).append(replacement)
    return {
        "description": {"text": fix.title},
        "artifactChanges": [{"artifactLocation": _artifact(n), "replacements": r} for n, r in changes.items()],
    }
