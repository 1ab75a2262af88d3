"""What command lines are parsed into: frozen structs that verbs work on."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

FORMATS = ("text", "json")
# Verbs whose result is diagnostics have these as well.
REPORT_FORMATS = (*FORMATS, "jsonl", "concise", "github", "gitlab", "sarif", "junit")
# What standard output holds with these is read by a program, as a whole or line by line.
DOCUMENTS = ("json", "jsonl", "gitlab", "sarif", "junit")
# Graphs are drawn in these as well.
DRAWING_FORMATS = (*FORMATS, "dot", "mermaid", "svg")
COLORS = ("auto", "always", "never")


@dataclass(frozen=True)
class Output:
    """How results are shown. `verbose` 2 and above shows tracebacks; `quiet` leaves out all but results and errors.
    With a `file`, what `format` says goes there, and text to the terminal."""

    format: str = "text"
    color: str = "auto"
    quiet: bool = False
    verbose: int = 0
    file: Path | None = None

    @property
    def tracebacks(self) -> bool:
        return self.verbose >= 2


@dataclass(frozen=True)
class World:
    """What a program may use of this machine. Nothing here changes what a program means."""

    cache_dir: Path | None = None
    device: str = "auto"
    threads: int | None = None
    locked: bool = False
    offline: bool = False
    trust_remote_code: bool = False


@dataclass(frozen=True)
class Inputs:
    """Values for parameters from the command line, and what the program may use."""

    parameters: Mapping[str, object] = field(default_factory=dict)
    world: World = field(default_factory=World)


@dataclass(frozen=True)
class Selection:
    """Which definitions run (`targets`; None: all that have effects) and which do so though their results are there."""

    targets: tuple[str, ...] | None = None
    force: tuple[str, ...] = ()


def early_output(arguments: Sequence[str]) -> Output:
    """How a failure is shown when the command line itself could not be parsed: what can be seen of it decides.

    Not exact, and need not be: a `--format json` anywhere means that the caller reads JSON.
    """
    words = list(arguments)
    if "--" in words:
        words = words[: words.index("--")]
    given = {name: _last(words, name) for name in ("--format", "--color", "--output-file", "-C")}
    form = given["--format"] if given["--format"] in REPORT_FORMATS else "text"
    color = given["--color"] if given["--color"] in COLORS else "auto"
    file = Path(given["-C"] or ".") / given["--output-file"] if given["--output-file"] else None
    verbose = sum(word.count("v") for word in words if word.strip("v") == "-") + words.count("--verbose")
    return Output(form, color, verbose=verbose, file=file)


def _last(words: Sequence[str], name: str) -> str:
    """The value that an option is given last; empty where it is not given."""
    value = ""
    for i, word in enumerate(words):
        if word == name:
            value = words[i + 1] if i + 1 < len(words) else ""
        elif word.startswith(f"{name}="):
            value = word.partition("=")[2]
    return value
