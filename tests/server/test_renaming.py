"""Renaming changes names and nothing else: the graph of a program is the same, node by node."""

from __future__ import annotations

import random
from pathlib import Path

import pytest
from lsprotocol import types as lsp

from steerlang.language.compiling import Compiled
from steerlang.language.modules import Symbol
from steerlang.server.analysis import Analysis
from steerlang.server.answers import Answers

from .editor import SPECS
from .test_diagnostics import apply

PROGRAMS = [p for folder in (SPECS, SPECS / "methods") for p in sorted(folder.glob("*.steer"))]
PROGRAMS += [SPECS / "weights" / f"{name}.steer" for name in ("blocks", "methods", "ties")]
NEW = "quite_another_name"


def _graph(compiled: Compiled) -> list[str]:
    return sorted(node.key for node in compiled.graph.roots.values())


def _codes(compiled: Compiled) -> list[str]:
    return sorted(d.code.id for d in compiled.diagnostics)


def _symbols(analysis: Analysis) -> list[Symbol]:
    own = [*analysis.module.symbols.values()]
    return own + [s for m in analysis.module.imports.values() for s in m.symbols.values()]


def _renamed(answers: Answers, uri: str, symbol: Symbol) -> None:
    """Renames a definition where it is defined, and opens what changes with its new text."""
    desk = answers.desk
    place = desk.uri_of(symbol.module.source)
    at = desk.text_of(symbol.module.source).position(symbol.span.start + 1)
    params = lsp.RenameParams(lsp.TextDocumentIdentifier(place), at, NEW)
    changes = (answers.rename(params) or lsp.WorkspaceEdit()).changes or {}
    texts = {u: document.text for u in changes if (document := desk.document(u)) is not None}
    for changed, edits in changes.items():
        desk.open(changed, apply(texts[changed], list(edits)))


def _check(path: Path, count: int, seed: int) -> int:
    answers, uri = Answers(), path.as_uri()
    original = path.read_text(encoding="utf-8")
    answers.desk.open(uri, original)
    before = answers.desk.analysis(uri)
    assert before is not None
    symbols = random.Random(seed).sample(found := _symbols(before), min(count, len(found)))
    for symbol in symbols:
        answers.desk.open(uri, original)
        _renamed(answers, uri, symbol)
        after = answers.desk.analysis(uri)
        assert after is not None
        assert _codes(after.compiled) == _codes(before.compiled), symbol.label
        assert _graph(after.compiled) == _graph(before.compiled), symbol.label
        assert symbol.name not in {s.name for s in _symbols(after) if s.module.source.name == symbol.module.source.name}
        for document in answers.desk.documents:
            answers.desk.close(document.uri)
    return len(symbols)


@pytest.mark.parametrize("path", random.Random(0).sample(PROGRAMS, 8), ids=lambda p: p.stem)
def test_some_definitions(path: Path) -> None:
    assert _check(path, 2, seed=1) > 0


@pytest.mark.slow
@pytest.mark.parametrize("path", PROGRAMS, ids=lambda p: p.stem)
def test_every_definition(path: Path) -> None:
    assert _check(path, 1000, seed=1) > 0
