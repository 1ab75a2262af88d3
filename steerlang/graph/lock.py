"""The lock file of a program: its inputs with their digests, one record a line.

Only what a program reads stands in it, nothing that is computed, so that two branches that touch different inputs
merge. Records are sorted; the bytes depend on the inputs and on nothing else.
"""

from __future__ import annotations

import os
import re
import tempfile
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from steerlang.diagnostics import Diagnostic, codes, error

ENDING = ".lock"
VERSION = 1
_MARK = "steerlang-lock"
_LARGEST = 8 << 20
_KINDS = ("adapter", "data", "document", "import", "model", "vector")
_MERGE = re.compile(r"^(<{7}|={7}|>{7}|\|{7})", re.MULTILINE)
_DIGEST = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True, slots=True)
class Locked:
    """One input.

    kind       `adapter`, `data`, `document`, `import`, `model` or `vector`
    name       a Hugging Face id, or the path from the program's folder
    requested  the revision that the program asks for, of what is on the hub
    revision   the commit that it stands for
    sha256     of the contents: of a file its bytes, of a model or adapter all its files
    images     of the images that a data file names, in the rows that are used
    """

    kind: str
    name: str
    sha256: str
    requested: str = ""
    revision: str = ""
    images: str = ""

    @property
    def key(self) -> tuple[str, str, str]:
        return (self.kind, self.name, self.requested)

    @property
    def line(self) -> str:
        parts = [("kind", self.kind), ("name", _quoted(self.name))]
        parts += [("requested", _quoted(self.requested))] if self.requested else []
        hashes = (("revision", self.revision), ("sha256", self.sha256), ("images", self.images))
        # Digits alone are a number to YAML.
        parts += [(name, f'"{value}"' if value.isdigit() else value) for name, value in hashes if value]
        return "- {" + ", ".join(f"{name}: {value}" for name, value in parts) + "}"


@dataclass(frozen=True)
class Lock:
    """What a lock file says. `doubtful` are the keys of inputs that it says two things of."""

    records: Mapping[tuple[str, str, str], Locked]
    doubtful: tuple[tuple[str, str, str], ...] = ()

    @property
    def pins(self) -> dict[tuple[str, str], str]:
        """The commits of what is on the hub, by id and revision asked for."""
        certain = (r for key, r in self.records.items() if key not in self.doubtful)
        return {(r.name, r.requested): r.revision for r in certain if r.revision}


def lock_text(program: str, records: Iterable[Locked]) -> str:
    """The file's text. `program` is the name of the program's file."""
    lines = [
        f"# Inputs of {program}, written by `steerlang lock`. Two branches merge line by line; then run it again.",
        f"{_MARK}: {VERSION}",
        "inputs:",
        *sorted(r.line for r in records),
    ]
    if len(lines) == 3:
        lines[-1] = "inputs: []"
    return "\n".join(lines) + "\n"


def _quoted(text: str) -> str:
    """A YAML text in double quotes, in one line, whatever is in it."""
    return '"' + "".join(map(_escaped, text)) + '"'


def _escaped(character: str) -> str:
    if character in '"\\':
        return f"\\{character}"
    plain = character.isprintable() and ord(character) < 0x10000
    return character if plain else f"\\U{ord(character):08X}"


def read_lock(path: Path, name: str) -> Lock | Diagnostic:
    """The lock in a file, or what is wrong with it."""
    try:
        with path.open("rb") as file:
            content = file.read(_LARGEST + 1)
        text = content.decode("utf-8-sig")
    except FileNotFoundError:
        program = name.removesuffix(ENDING)
        return error(codes.LOCK_MISSING, None, f"`{program}` has no lock file", place=name,
                     help=f"write it: `steerlang lock {program}`")
    except OSError as problem:
        return _bad(name, f"cannot be read ({problem.strerror})")
    except UnicodeDecodeError:
        return _bad(name, "is not UTF-8 text")
    if _MERGE.search(text):
        again = f"`steerlang lock {name.removesuffix(ENDING)}`"
        help = f"take the lines with marks out, keep the records of both sides, and run {again}"
        return _bad(name, "holds the marks of a merge", help)
    return _bad(name, "is too large") if len(content) > _LARGEST else _parsed(text, path, name)


def _parsed(text: str, path: Path, name: str) -> Lock | Diagnostic:
    from .facts.promise import Trouble
    from .facts.yaml_document import parse_yaml

    document = parse_yaml(text, path, name)
    if isinstance(document, Trouble):
        return _bad(name, "is not YAML", notes=(document.message,))
    if not isinstance(document, dict) or document.get(_MARK) is None:
        return _bad(name, f"has no `{_MARK}`")
    if document[_MARK] != VERSION:
        return _bad(name, f"is of version {document[_MARK]}, and this is steerlang for version {VERSION}",
                    "install a newer steerlang, or write the file anew")
    rows = document.get("inputs")
    if not isinstance(rows, list):
        return _bad(name, "has no list of `inputs`")
    records: dict[tuple[str, str, str], Locked] = {}
    doubtful = []
    for row in rows:
        record = _record(row)
        if record is None:
            return _bad(name, f"holds a record that is none: {str(row)[:120]}")
        if records.setdefault(record.key, record) != record:
            doubtful.append(record.key)
    return Lock(records, tuple(dict.fromkeys(doubtful)))


def _record(row: object) -> Locked | None:
    known = ("kind", "name", "sha256", "requested", "revision", "images")
    if not isinstance(row, dict) or not set(row) <= set(known) or not {"kind", "name", "sha256"} <= set(row):
        return None
    words = {str(k): str(v) if not isinstance(v, (dict, list)) else "" for k, v in row.items()}
    digests = [words["sha256"], *([words["images"]] if "images" in words else [])]
    if words["kind"] not in _KINDS or not words["name"] or not all(_DIGEST.fullmatch(d) for d in digests):
        return None
    return Locked(**words)


def _bad(name: str, what: str, help: str = "", notes: tuple[str, ...] = ()) -> Diagnostic:
    help = help or f"write it anew: delete it and run `steerlang lock {name.removesuffix(ENDING)}`"
    return error(codes.BAD_LOCK, None, f"`{name}` {what}", place=name, help=help, notes=notes)


def write_whole(path: Path, text: str) -> None:
    """Replaces a file as a whole, following links: a reader sees the old one or the new one. Raises `OSError`."""
    target = path.resolve()
    handle, draft = tempfile.mkstemp(prefix=f".{target.name}.", dir=target.parent)
    try:
        with os.fdopen(handle, "w", encoding="utf-8", newline="") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        os.chmod(draft, target.stat().st_mode & 0o7777 if target.exists() else 0o666 & ~_umask())
        os.replace(draft, target)
    except BaseException:
        with suppress(OSError):
            os.unlink(draft)
        raise


def _umask() -> int:
    now = os.umask(0)
    os.umask(now)
    return now
