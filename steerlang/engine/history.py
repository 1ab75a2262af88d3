"""What the last run of each program was made of: one small file per program, replaced as a whole."""

from __future__ import annotations

import hashlib
import json
import os
import time
from collections.abc import Iterator, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from steerlang.graph.reasons import Past

from .layout import Layout, children, write_atomically

HISTORY_VERSION = 1


def history_path(layout: Layout, program: str) -> Path:
    """The file of a program, by its absolute path."""
    name = hashlib.sha256(os.path.abspath(program).encode("utf-8", "surrogatepass")).hexdigest()
    return layout.programs / f"{name}.json"


def read_history(layout: Layout, program: str) -> dict[str, Past]:
    """Label → what it stood for. A missing or damaged file is an empty history: it only makes reasons poorer."""
    try:
        return _parse(history_path(layout, program).read_bytes())[1]
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return {}


def write_history(layout: Layout, program: str, entries: Mapping[str, Past], durable: bool = True) -> None:
    """Replaces the history of a program."""
    document = {
        "history_version": HISTORY_VERSION,
        "program": os.path.abspath(program),
        "time": time.time(),
        "labels": {label: asdict(past) for label, past in sorted(entries.items())},
    }
    layout.make()
    layout.programs.mkdir(exist_ok=True)
    text = json.dumps(document, sort_keys=True, indent=1).encode("ascii") + b"\n"
    write_atomically(history_path(layout, program), text, layout.temp, durable)


def used_keys(layout: Layout) -> set[str]:
    """The keys that the last run of any program still on this machine was made of."""
    found: set[str] = set()
    for program, entries in _all(layout):
        if os.path.exists(program):
            found.update(past.key for past in entries.values())
    return found


def _all(layout: Layout) -> Iterator[tuple[str, dict[str, Past]]]:
    for path in children(layout.programs):
        try:
            yield _parse(path.read_bytes())
        except (OSError, ValueError, KeyError, TypeError, AttributeError):
            continue


def _parse(text: bytes) -> tuple[str, dict[str, Past]]:
    document: dict[str, Any] = json.loads(text)
    if document["history_version"] != HISTORY_VERSION:
        return document["program"], {}
    return document["program"], {
        label: Past(e["key"], e["operation"], e["version"], e["options"], tuple(e["inputs"]), e["source"])
        for label, e in document["labels"].items()
    }
