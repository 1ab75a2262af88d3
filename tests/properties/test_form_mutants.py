"""Damaged YAML and JSON programs: no exception, mistakes at places that exist, and few of them."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from steerlang.api import Settings
from steerlang.api.compiling import compile_text
from steerlang.api.forms import convert
from steerlang.diagnostics.text import render
from steerlang.source import Source
from steerlang.syntax import read_source

SPECS = Path(__file__).parents[2] / "specs"
PROGRAMS = [SPECS / "quickstart.steer", *sorted((SPECS / "methods").glob("*.steer"))]
PIECES = [*"{}[]:,-&*!|>'\"%@#\n $()=.+", "  ", "\n  ", "null", "~", "$text", "$expr", "'(", "1", "on"]
MUTANTS = 150


def mutated(text: str, luck: random.Random) -> str:
    """One to three pieces taken out, put in or copied from elsewhere."""
    for _ in range(luck.randint(1, 3)):
        at, other = luck.randrange(len(text)), luck.randrange(len(text))
        text = luck.choice((
            text[:at] + text[at + luck.randint(1, 6) :],
            text[:at] + luck.choice(PIECES) + text[at:],
            text[:at] + text[other : other + 10] + text[at:],
        ))
    return text


@pytest.mark.parametrize("form", ["yaml", "json"])
def test_mutants(form: str) -> None:
    luck, many = random.Random(form), 0
    originals = [(path, convert(_source(path), "steer", form)[0]) for path in PROGRAMS]
    for _ in range(MUTANTS):
        path, text = luck.choice(originals)
        assert text is not None
        source = Source(f"p.{form}", mutated(text, luck), str(path.with_name(f"p.{form}")))
        found = compile_text(source, {}, Settings(), hashing=False).diagnostics
        for diagnostic in found:
            if diagnostic.primary is not None:
                span = diagnostic.primary.span
                assert 0 <= span.start <= span.end <= len(span.source.text)
        render(list(found), width=80)
        many += sum(d.is_error for d in found) > 3
    assert many <= MUTANTS // 20


def _source(path: Path) -> Source:
    source, _ = read_source(path)
    assert source is not None
    return source
