"""Programs of the specs, the pages and the tests: whole ones, and broken ones."""

from __future__ import annotations

import importlib.util
import sys
from functools import cache
from pathlib import Path
from types import ModuleType

ROOT = Path(__file__).resolve().parents[2]


@cache
def _blocks() -> ModuleType:
    spec = importlib.util.spec_from_file_location("pages_blocks", ROOT / "docs" / "blocks.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


def files() -> dict[str, str]:
    """Every `.steer` file of the checkout, by its path in it."""
    found = [p for folder in ("specs", "tests", "benchmarks", "steerlang") for p in (ROOT / folder).rglob("*.steer")]
    return {str(p.relative_to(ROOT)): p.read_bytes().decode("utf-8") for p in sorted(found)}


def on_pages() -> dict[str, str]:
    """Every program that stands on a page of the docs, failing ones included."""
    blocks = _blocks()
    found = (b for page in blocks.pages() for b in blocks.blocks(page))
    return {str(b): b.program for b in found if b.language == "steer"}


def programs() -> dict[str, str]:
    return {**files(), **on_pages()}
