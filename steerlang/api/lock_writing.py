"""Lock files checked and written."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from steerlang.diagnostics import Diagnostic, codes, error, has_errors, ordered
from steerlang.graph.facts import ModelReference
from steerlang.graph.facts.recording import RecordingFacts
from steerlang.graph.lock import ENDING, Lock, Locked, lock_text, read_lock, write_whole
from steerlang.language.compiling import Compiled
from steerlang.source import Source
from steerlang.syntax import read_source

from .compiling import compile_text
from .locking import Input, drift, inputs_of, lock_path, unknown_upgrades
from .settings import Settings


@dataclass(frozen=True)
class LockResult:
    """What became of the lock file of one program.

    records      what stands in it now, or would
    differences  the records that came, went and changed, as drift; none where there was no lock file
    written      whether the file was replaced
    """

    program: str
    file: str
    records: tuple[Locked, ...] = ()
    differences: tuple[Diagnostic, ...] = ()
    diagnostics: tuple[Diagnostic, ...] = ()
    written: bool = False

    @property
    def ok(self) -> bool:
        return not has_errors(self.diagnostics)


def check_lock(
    path: str | Path, parameters: Mapping[str, object] | None = None, settings: Settings | None = None
) -> LockResult:
    """Hold a program against its lock file. What is not on this machine is held against it by name only."""
    source, problems = read_source(str(path))
    if source is None:
        return LockResult(str(path), f"{path}{ENDING}", diagnostics=tuple(problems))
    file = f"{source.name}{ENDING}"
    lock = read_lock(lock_path(path), file)
    given = replace(settings or Settings(), locked=False)
    known = lock if isinstance(lock, Lock) else Lock({})
    compiled, inputs = _found(source, parameters or {}, given, known, exact=False)
    found = list(compiled.diagnostics)
    differences: list[Diagnostic] = []
    if isinstance(lock, Diagnostic):
        found.append(lock)
    elif compiled.ok:
        differences = drift(inputs, lock, file)
    records = tuple(i.record for i in inputs)
    return LockResult(source.name, file, records, tuple(differences), tuple(ordered([*found, *differences])))


def write_lock(
    path: str | Path,
    upgrade: Collection[str] = (),
    parameters: Mapping[str, object] | None = None,
    settings: Settings | None = None,
) -> LockResult:
    """Write the lock file of a program, where its inputs are others than it says.

    Models from the hub stay at the commits of the file, except those named in `upgrade`; they are fetched where they
    are missing, unless `settings.offline`. Nothing is written for a program with errors. Raises `OSError`.
    """
    source, problems = read_source(str(path))
    file = f"{path}{ENDING}"
    if source is None:
        return LockResult(str(path), file, diagnostics=tuple(problems))
    given = replace(settings or Settings(), locked=False)
    before = read_lock(lock_path(path), file)
    if isinstance(before, Diagnostic) and before.code is not codes.LOCK_MISSING:
        return LockResult(source.name, file, diagnostics=(before,))
    old = Lock({}) if isinstance(before, Diagnostic) else before
    lock = Lock({k: r for k, r in old.records.items() if r.name not in upgrade}, old.doubtful)
    compiled, inputs = _complete(source, parameters or {}, given, lock, upgrade)
    wrong = _missing(inputs, file) if compiled.ok else []
    wrong += unknown_upgrades(upgrade, inputs) if compiled.ok else []
    found = tuple(ordered([*compiled.diagnostics, *wrong]))
    records = tuple(i.record for i in inputs)
    differences = () if isinstance(before, Diagnostic) else tuple(drift(inputs, old, file))
    if has_errors(found):
        return LockResult(source.name, file, records, differences, found)
    text = lock_text(Path(source.name).name, records)
    place = lock_path(path)
    changed = not place.exists() or place.read_bytes() != text.encode("utf-8")
    if changed:
        write_whole(place, text)
    return LockResult(source.name, file, records, differences, found, changed)


def _found(
    source: Source, parameters: Mapping[str, object], settings: Settings, lock: Lock, exact: bool = True
) -> tuple[Compiled, list[Input]]:
    facts = RecordingFacts(settings.facts(), lock.pins, exact)
    compiled = compile_text(source, parameters, settings, False, facts)
    return compiled, inputs_of(compiled, facts.asked) if compiled.ok else []


def _complete(
    source: Source, parameters: Mapping[str, object], settings: Settings, lock: Lock, upgrade: Collection[str]
) -> tuple[Compiled, list[Input]]:
    """The same after fetching what is missing, and what is to be moved to the newest commit."""
    compiled, inputs = _found(source, parameters, settings, lock)
    hub = [i.record for i in inputs if i.record.revision or not i.here]
    pins = lock.pins
    wanted = [
        ModelReference(r.name, pins.get((r.name, r.requested)) or r.requested or None)
        for r in hub if not r.sha256 or r.name in upgrade
    ]  # fmt: skip
    if settings.offline or not wanted:
        return compiled, inputs
    from steerlang.models.fetching import fetch

    problems = fetch(dict.fromkeys(wanted))
    if problems:
        return replace(compiled, diagnostics=(*compiled.diagnostics, *problems)), inputs
    return _found(source, parameters, settings, lock)


def _missing(inputs: list[Input], file: str) -> list[Diagnostic]:
    return [
        error(codes.MODEL_NOT_ON_DISK, i.span, f"`{i.record.name}` cannot be locked: {i.reason}", place=file,
              help="run without `--offline`, or fetch it first (`hf download`)")
        for i in inputs if not i.here
    ]  # fmt: skip
