"""Inputs of programs held against their lock files."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from steerlang.diagnostics import Diagnostic, codes, error
from steerlang.diagnostics.suggest import did_you_mean
from steerlang.graph.facts import Absent
from steerlang.graph.facts.promise import AdapterFacts, DataFacts, ModelFacts
from steerlang.graph.facts.recording import Asked
from steerlang.graph.lock import ENDING, Lock, Locked
from steerlang.source import Source, Span

if TYPE_CHECKING:
    from steerlang.language.compiling import Compiled


@dataclass(frozen=True)
class Input:
    """An input as it is now, and where the program names it. `sha256` is empty where it is not on this machine."""

    record: Locked
    span: Span | None = None
    reason: str = ""

    @property
    def here(self) -> bool:
        return bool(self.record.sha256)


def lock_path(program: str | Path) -> Path:
    """`quickstart.steer` → `quickstart.steer.lock`."""
    return Path(f"{program}{ENDING}")


def inputs_of(compiled: Compiled, asked: Iterable[Asked]) -> list[Input]:
    """All that a checked program reads, each once. Hashes what was not hashed yet; raises `OSError`."""
    program = Path(compiled.source.path or compiled.source.name)
    found: dict[tuple[str, str, str], Input] = {}
    for one in asked:
        new = _input(one, program.parent, compiled.sources)
        found[new.record.key] = _together(found.get(new.record.key), new)
    for source in compiled.sources:
        if source.path is not None and source.path != compiled.source.path:
            name = _name(source.path, source.path, program.parent)
            record = Locked("import", name, _file_digest(Path(source.path)))
            found[record.key] = Input(record, _place(os.path.basename(source.path), None, compiled.sources))
    return sorted(found.values(), key=lambda i: i.record.key)


def _input(asked: Asked, folder: Path, sources: Sequence[Source]) -> Input:
    answer = asked.answer
    span = _place(asked.written, asked.folder, sources)
    if isinstance(answer, Absent):
        return Input(Locked(asked.kind, asked.written, "", asked.requested or ""), span, answer.reason)
    if isinstance(answer, (ModelFacts, AdapterFacts)) and answer.revision is not None:
        name, requested, revision = asked.written, asked.requested or "", answer.revision
        return Input(Locked(asked.kind, name, answer.digest(), requested, revision), span)
    name = _name(asked.written, str(answer.path), folder)
    if isinstance(answer, DataFacts):
        file, whole = _file_digest(answer.path), answer.digest()
        return Input(Locked(asked.kind, name, file, images="" if whole == file else whole), span)
    return Input(Locked(asked.kind, name, answer.digest()), span)


def _together(before: Input | None, new: Input) -> Input:
    """One record of a table that is read several times, with other images each time."""
    if before is None or before.record == new.record:
        return before or new
    images = sorted({d for d in (before.record.images, new.record.images) if d})
    if len(images) < 2:
        return before if before.record.images else new
    joined = hashlib.sha256("".join(images).encode("ascii")).hexdigest()
    record = Locked(new.record.kind, new.record.name, new.record.sha256, images=joined)
    return Input(record, before.span)


def _name(written: str, path: str, folder: Path) -> str:
    """How the lock names a file: as written where that is absolute, else from the program's folder."""
    if written.startswith("~") or (os.path.isabs(written) and written != path):
        return written
    try:
        return Path(os.path.relpath(path, folder)).as_posix()
    except ValueError:  # another drive
        return Path(path).as_posix()


def _file_digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def _place(written: str, folder: str | None, sources: Sequence[Source]) -> Span | None:
    """Where a program writes a name, if it does so in one piece."""
    for source in sources:
        if folder is not None and source.path is not None and os.path.dirname(source.path) != folder:
            continue
        for quoted in (f'"{written}"', f'/{written}"', written):
            at = source.text.find(quoted)
            if at >= 0:
                return Span(source, at, at + len(quoted))
    return None


# ---- drift ----------------------------------------------------------------------------------------------------------


def drift(inputs: Sequence[Input], lock: Lock, name: str) -> list[Diagnostic]:
    """What differs between the inputs of a program and its lock file `name`, one diagnostic an input."""
    again = f"if this is meant: `steerlang lock {name.removesuffix(ENDING)}`"
    found: list[Diagnostic] = []
    for one in inputs:
        before = lock.records.get(one.record.key)
        if before is None:
            what = f"{_called(one.record)} is not in `{name}`"
            found.append(error(codes.NOT_LOCKED, one.span, what, place=name, help=again))
        elif one.record.key in lock.doubtful:
            what = f"`{name}` says two things of {_called(before)}"
            found.append(error(codes.BAD_LOCK, None, what, place=name, help="run `steerlang lock` after merging"))
        elif one.here and one.record != before:
            found.append(_changed(one, before, name, again))
    if not all(one.here for one in inputs):  # what depends on the others was not looked at
        return found
    used = {one.record.key for one in inputs}
    for key, record in sorted(lock.records.items()):
        if key not in used:
            what = f"{_called(record)} stands in `{name}`, and the program does not use it"
            found.append(error(codes.LOCKED_UNUSED, None, what, place=name, help=again))
    return found


def _changed(now: Input, before: Locked, name: str, again: str) -> Diagnostic:
    record = now.record
    if record.revision != before.revision:
        now_at, locked_at = record.revision or "no revision", before.revision or "none"
        what = f"{_called(record)} is at {now_at}, and `{name}` has {locked_at}"
        notes = (f"locked {before.sha256[:16]}…, now {record.sha256[:16]}…",) if record.sha256 != before.sha256 else ()
        help = ("fetch the locked revision", f"to move on: `steerlang lock --upgrade {record.name} …`")
        return error(codes.REVISION_CHANGED, now.span, what, place=name, notes=notes, help=help)
    if record.sha256 != before.sha256:
        what = f"{_called(record)} has changed since it was locked"
        notes = (f"locked {before.sha256[:16]}…, now {record.sha256[:16]}…",)
    else:
        what = f"images that {_called(record)} names have changed since they were locked"
        notes = (f"locked {before.images[:16] or 'none'}…, now {record.images[:16] or 'none'}…",)
    help = (f"get the locked `{record.name}` back", again)
    return error(codes.INPUT_CHANGED, now.span, what, place=name, notes=notes, help=help)


def _called(record: Locked) -> str:
    revision = f" (revision `{record.requested}`)" if record.requested else ""
    return f"the {_WORDS[record.kind]} `{record.name}`{revision}"


_WORDS: Mapping[str, str] = {
    "adapter": "adapter", "data": "data file", "document": "file", "import": "imported file", "model": "model",
    "vector": "vector file",
}  # fmt: skip


def unknown_upgrades(names: Collection[str], inputs: Sequence[Input]) -> list[Diagnostic]:
    """Errors for names to upgrade that are no inputs."""
    known = [i.record.name for i in inputs]
    return [
        error(codes.UNKNOWN_NAME, None, f"`{name}` is no input of the program", place=f"--upgrade {name}",
              help=did_you_mean(name, known) or (f"it has {', '.join(f'`{k}`' for k in known) or 'none'}",))
        for name in names if name not in known
    ]  # fmt: skip
