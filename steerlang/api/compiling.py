"""From files and texts to compiled programs, with the world as settings let them see it."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from steerlang.diagnostics import Diagnostic, ordered
from steerlang.functions import registry
from steerlang.language.compiling import Compiled, compile_source
from steerlang.language.lowering import Options
from steerlang.source import Source
from steerlang.syntax import read_source

from .forms import parse
from .settings import Settings
from .weight_checks import with_edits_checked

if TYPE_CHECKING:
    from steerlang.graph.facts import Facts
    from steerlang.graph.lock import Lock


def compile_file(path: str | Path, parameters: Mapping[str, object], settings: Settings, hashing: bool) -> Compiled:
    """The program in a file; where `settings.locked`, held against its lock file."""
    source, problems = read_source(str(path))
    if source is None:
        empty = Source(str(path), "", os.path.abspath(path))
        return replace(
            compile_text(Source(empty.name, "steerlang 1\n", empty.path), {}, settings, hashing),
            diagnostics=tuple(problems),
        )
    compile = _compile_locked if settings.locked else compile_text
    compiled = compile(source, parameters, settings, hashing)
    return replace(compiled, diagnostics=(*problems, *compiled.diagnostics)) if problems else compiled


def compile_text(
    source: Source,
    parameters: Mapping[str, object],
    settings: Settings,
    hashing: bool,
    facts: Facts | None = None,
) -> Compiled:
    """A program, checked against `facts` or the world of the settings."""
    options = Options(hashing=hashing, locked=settings.locked, remote_code=settings.trust_remote_code)
    facts = facts or settings.facts()
    compiled = compile_source(source, registry(), facts, read_source, parse, options, parameters)
    return with_edits_checked(compiled)


def facts_of(source: Source, settings: Settings) -> Facts:
    """The world as a compiled program was checked against it: its models at their locked commits."""
    facts = settings.facts()
    if not settings.locked:
        return facts
    from steerlang.graph.facts.recording import RecordingFacts

    lock = _lock(source)
    return facts if isinstance(lock, Diagnostic) else RecordingFacts(facts, lock.pins)


def _lock(source: Source) -> Lock | Diagnostic:
    from steerlang.graph.lock import ENDING, read_lock

    return read_lock(Path(f"{source.path or source.name}{ENDING}"), f"{source.name}{ENDING}")


def _compile_locked(source: Source, parameters: Mapping[str, object], settings: Settings, hashing: bool) -> Compiled:
    """The program with the inputs that its lock file has; any other is an error."""
    from steerlang.graph.facts.recording import RecordingFacts
    from steerlang.graph.lock import ENDING

    from .locking import drift, inputs_of

    lock = _lock(source)
    if isinstance(lock, Diagnostic):
        compiled = compile_text(source, parameters, settings, hashing)
        return replace(compiled, diagnostics=(*compiled.diagnostics, lock))
    facts = RecordingFacts(settings.facts(), lock.pins, exact=False)
    compiled = compile_text(source, parameters, settings, hashing, facts)
    if not compiled.ok:  # what could not be read would be told twice
        return compiled
    found = drift(inputs_of(compiled, facts.asked), lock, f"{source.name}{ENDING}")
    return replace(compiled, diagnostics=tuple(ordered([*compiled.diagnostics, *found])))
