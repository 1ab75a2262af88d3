"""`steerlang migrate`: programs brought to the newest edition of the language."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import click

from steerlang.cli.arguments import Output
from steerlang.cli.exit_codes import ExitCode
from steerlang.cli.failures import Failed
from steerlang.cli.options import output_options
from steerlang.cli.programs import collect, standard_input
from steerlang.cli.views import make_view
from steerlang.diagnostics import Diagnostic, has_errors
from steerlang.source import Source
from steerlang.syntax.header import EDITION

if TYPE_CHECKING:
    from steerlang.reports.layout import Screen


@dataclass(frozen=True)
class Migrated:
    """Programs and the edition that each is written in."""

    editions: Mapping[str, int]
    diagnostics: Sequence[Diagnostic] = ()
    name = "migrate"
    code = ExitCode.OK

    def render(self, screen: Screen, quiet: bool) -> str:
        if quiet:
            return ""
        lines = [f"{screen.clean(name)}: edition {edition}, the newest: nothing to do"
                 for name, edition in self.editions.items()]
        return "\n".join(lines) + "\n"

    def document(self) -> Mapping[str, Any]:
        files = [{"file": name, "edition": edition, "changed": False} for name, edition in self.editions.items()]
        return {"newest": EDITION, "files": files}


@click.command("migrate")
@click.argument("paths", nargs=-1, required=True, metavar="PATH...")
@click.option("--to", type=click.IntRange(EDITION, EDITION), default=EDITION, show_default=True, metavar="N",
              help="The edition to bring them to.")
@output_options
def command(paths: tuple[str, ...], to: int, output: Output) -> ExitCode:
    """Bring programs to the newest edition of the language.

    There is one edition, 1, so this changes nothing: it says which edition each program is written in, and finds those
    that are of none.
    """
    editions: dict[str, int] = {}
    wrong: list[Diagnostic] = []
    for path in collect(paths):
        source, problems = _read(path)
        found, mistakes = _edition(source) if source is not None else (None, problems)
        wrong += mistakes
        if found is not None:
            editions[source.name if source is not None else path] = found
    if has_errors(wrong):
        raise Failed(wrong, ExitCode.INVALID)
    make_view(output).shown(Migrated(editions, tuple(wrong)))
    return ExitCode.OK


def _read(path: str) -> tuple[Source | None, list[Diagnostic]]:
    from steerlang.syntax import read_source

    return (standard_input(), []) if path == "-" else read_source(path)


def _edition(source: Source) -> tuple[int | None, list[Diagnostic]]:
    from steerlang.api.forms import parse

    program, found = parse(source)
    return program.edition, found
