"""`steerlang init`: starts a project from a template."""

from __future__ import annotations

import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from steerlang.cli.arguments import Output
from steerlang.cli.exit_codes import ExitCode
from steerlang.cli.failures import Failed
from steerlang.cli.options import output_options
from steerlang.cli.views import make_view
from steerlang.diagnostics import Diagnostic, codes, error

if TYPE_CHECKING:
    from steerlang.reports.layout import Screen

PACKAGE = Path(__file__).resolve().parents[2]
TEMPLATES = PACKAGE / "cli" / "templates"
MODEL = "models/courtesy"
WORKFLOW = ".github/workflows/steerlang.yml"


@dataclass(frozen=True)
class Template:
    """What a project holds beside its program. `models` come with the installation, so that it runs without a network;
    the first of them can be another model."""

    help: str
    models: tuple[str, ...]
    data: tuple[str, ...]
    any_model: bool = True


_MANNERS = ("data/manners.jsonl", "data/requests.txt", "data/polite_words.txt")
CHOICES: Mapping[str, Template] = {
    "vector": Template("a direction from pairs, a steered model, what it does", (MODEL,), _MANNERS),
    "sweep": Template("the same at several strengths; the best is chosen", (MODEL,), _MANNERS),
    "concepts": Template("what a model tells apart, in words and texts", (MODEL,),
                         ("data/requests.txt", "data/manners.jsonl")),
    "merge": Template("a LoRA as a task vector, added to a model", (MODEL, "models/courtesy-lora"),
                      ("data/requests.txt", "data/asking_words.txt"), any_model=False),
}  # fmt: skip


@dataclass(frozen=True)
class Started:
    """A project that was written: its folder and its files, the program first."""

    folder: str
    files: tuple[str, ...]
    diagnostics: Sequence[Diagnostic] = ()
    name = "init"
    code = ExitCode.OK

    def render(self, screen: Screen, quiet: bool) -> str:
        if quiet:
            return ""
        lines = [f"  {screen.clean(name)}" for name in self.files]
        there = "" if self.folder == "." else f"cd {self.folder} && "
        return "\n".join([f"written to {screen.clean(self.folder)}:", *lines, "",
                          f"run it with `{there}steerlang run {self.files[0]}`"]) + "\n"

    def document(self) -> Mapping[str, Any]:
        return {"folder": self.folder, "files": list(self.files)}


@click.command("init")
@click.argument("folder", default=".", metavar="[FOLDER]")
@click.option("--template", type=click.Choice(tuple(CHOICES)), default="vector", show_default=True,
              help="; ".join(f"{name}: {t.help}" for name, t in CHOICES.items()) + ".")
@click.option("--model", metavar="MODEL", help="Steer this one, a Hugging Face id or a folder, instead of the small "
              "model that comes with steerlang.")
@output_options
def command(folder: str, template: str, model: str | None, output: Output) -> ExitCode:
    """Start a project in FOLDER: a program, its data, a small model it runs on without a network, a workflow for CI.

    Nothing that is there is overwritten. A folder inside a repository gets no workflow: GitHub reads those at the top.
    """
    chosen = CHOICES[template]
    if model is not None and not chosen.any_model:
        raise Failed([error(codes.USAGE, None, f"`{template}` adds an adapter that fits one model only",
                            place="--model", help="start with its own model, and change both in the program")],
                     ExitCode.USAGE)
    root = Path(folder)
    texts = {f"{template}.steer": _program(template, model or MODEL), ".gitignore": "out/\n.venv/\n"}
    if not _below_a_repository(root):
        texts[WORKFLOW] = _template("workflow.yml")
    copies = (*(() if model else chosen.models), *chosen.data)
    _refuse(root, [*texts, *copies])
    demo = _demo()
    for name, text in texts.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text, encoding="utf-8", newline="\n")
    for name in copies:
        _copy(demo / name, root / name)
    make_view(output).shown(Started(root.as_posix(), (*texts, *copies)))
    return ExitCode.OK


def _program(template: str, model: str) -> str:
    from steerlang.syntax.literals import quoted

    return _template(f"{template}.steer").replace('"@MODEL@"', quoted(model))


def _template(name: str) -> str:
    return (TEMPLATES / name).read_text(encoding="utf-8")


def _below_a_repository(root: Path) -> bool:
    place = root.resolve()
    return not (place / ".git").exists() and any((folder / ".git").exists() for folder in place.parents)


def _refuse(root: Path, names: Sequence[str]) -> None:
    """Raises Failed for the files that are there already."""
    there = [name for name in names if (root / name).exists()]
    if there:
        raise Failed([error(codes.OUTPUT_EXISTS, None, f"`{name}` is there already", place=str(root / name),
                            help="start in an empty folder, or take it away first") for name in there], ExitCode.USAGE)


def _demo() -> Path:
    """The models and data that come along: in an installation, or in a source checkout."""
    installed = PACKAGE / "_demo"
    return installed if installed.is_dir() else PACKAGE.parent / "specs"


def _copy(source: Path, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    if source.is_dir():
        shutil.copytree(source, target)
    else:
        shutil.copyfile(source, target)
