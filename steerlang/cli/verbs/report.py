"""`steerlang report`: makes pages of what is stored."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import click

from steerlang.cli.arguments import Inputs, Output
from steerlang.cli.backend import api_of, settings
from steerlang.cli.exit_codes import ExitCode
from steerlang.cli.options import output_options, program_options
from steerlang.cli.views import make_view
from steerlang.diagnostics import Diagnostic
from steerlang.reports.layout import Screen


@dataclass(frozen=True)
class Reported:
    """Pages that were written. `missing` results are not on them."""

    program: str
    written: tuple[str, ...]
    missing: int
    diagnostics: Sequence[Diagnostic] = ()
    name = "report"
    code = ExitCode.OK

    def render(self, screen: Screen, quiet: bool) -> str:
        return "" if quiet else "".join(f"{screen.clean(path)} written\n" for path in self.written)

    def document(self) -> Mapping[str, Any]:
        return {"program": self.program, "written": list(self.written), "missing": self.missing}


@click.command("report")
@click.argument("path", metavar="FILE")
@click.option("--to", "to", type=click.Path(dir_okay=False), metavar="PAGE",
              help="Write one page to this place; else the reports of FILE are written where it says.")
@program_options
@output_options
@click.pass_context
def command(ctx: click.Context, path: str, to: str | None, inputs: Inputs, output: Output) -> ExitCode:
    """Write the report of FILE anew from stored results. Nothing is run.

    What is not stored is left out of the page and counted. A program needs no `report` of its own where --to is given.
    """
    from steerlang.api.remaking import remake
    from steerlang.reports.gathering import shown_path

    program = api_of(ctx).load(path, inputs.parameters, settings(inputs))
    found = remake(program, to)
    written = tuple(shown_path(p) for p in found.paths)
    result = Reported(program.name, written, found.missing, (*program.diagnostics, *found.diagnostics))
    make_view(output).shown(result)
    return result.code
