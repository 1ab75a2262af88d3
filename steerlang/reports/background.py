"""What a page says beside its findings: how they came about, as plain values."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from .drawing import Drawing
from .inspection import Inspection


@dataclass(frozen=True)
class Carried:
    """Results of one definition that one operation gives, for one reason.

    state    `run`, `reused`, `failed` or `skipped`
    why      the reason as plans give it: `new`, `recipe changed: layers 8..16 → 8..20`
    count    how many results
    seconds  what making them took, in this run or where they were made
    """

    definition: str
    operation: str
    state: str
    why: str
    count: int = 1
    seconds: float = 0.0


@dataclass(frozen=True)
class Told:
    """Something a run had to say: an error, a warning or a note. `line` is that of the program, 0 for none."""

    severity: str
    code: str
    message: str
    place: str = ""
    help: tuple[str, ...] = ()
    line: int = 0


@dataclass(frozen=True)
class Input:
    """Something the program read: `kind` is `model`, `data`, …; `digest` the SHA-256 of its contents."""

    kind: str
    name: str
    digest: str


@dataclass(frozen=True)
class Definition:
    """A definition of the program: `line` is 0 for one of an imported file."""

    name: str
    kind: str
    line: int = 0


@dataclass(frozen=True)
class Background:
    """How findings came about.

    definitions  of the program, in the order written
    inspection   of vectors: cosines between layers and between vectors
    parameters   values of the program's parameters
    lock         how the inputs lie to the lock file, in words
    versions     of packages
    pictures     images that are shown, by path, each as what stands in `src`: they travel inside the page
    """

    drawing: Drawing | None = None
    definitions: Sequence[Definition] = ()
    carried: Sequence[Carried] = ()
    told: Sequence[Told] = ()
    inspection: Inspection | None = None
    inputs: Sequence[Input] = ()
    parameters: Mapping[str, str] = field(default_factory=dict)
    seeds: Mapping[str, str] = field(default_factory=dict)
    lock: str = ""
    versions: Mapping[str, str] = field(default_factory=dict)
    pictures: Mapping[str, str] = field(default_factory=dict)
