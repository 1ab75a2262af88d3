"""`steerlang validate`: checks programs without running anything."""

from __future__ import annotations

import click

from steerlang.cli.arguments import Inputs, Output
from steerlang.cli.backend import api_of, settings
from steerlang.cli.exit_codes import ExitCode
from steerlang.cli.options import program_options, report_options
from steerlang.cli.programs import collect, standard_input
from steerlang.cli.views import make_view

FORMS = ("steer", "yaml", "json")


@click.command("validate")
@click.argument("paths", nargs=-1, required=True, metavar="PATH...")
@click.option("--from", "form", type=click.Choice(FORMS), help="The form of standard input; else its text says it.")
@program_options
@report_options
@click.pass_context
def command(ctx: click.Context, paths: tuple[str, ...], form: str | None, inputs: Inputs, output: Output) -> ExitCode:
    """Check programs without running anything.

    PATH is a program, a folder of programs, or - for standard input. Names, types and values are checked, and the files
    and models a program names as far as they are on this machine. Needs neither torch nor a network.
    """
    api = api_of(ctx)
    given = settings(inputs)
    results = [
        api.check(path, inputs.parameters, given) if path != "-"
        else api.check_text(standard_input().text, ".", inputs.parameters, given, "<stdin>", form)
        for path in collect(paths)
    ]
    make_view(output).checked(results)
    return ExitCode.OK if all(r.ok for r in results) else ExitCode.INVALID
