"""`steerlang plan`: what a run would do, and why."""

from __future__ import annotations

import click

from steerlang.cli.arguments import Inputs, Output, Selection
from steerlang.cli.backend import api_of, settings
from steerlang.cli.exit_codes import ExitCode
from steerlang.cli.options import program_options, report_options, selection_options
from steerlang.cli.views import make_view


@click.command("plan")
@click.argument("path", metavar="FILE")
@click.option("--detailed-exitcode", is_flag=True, help="Exit with 5 when something would run, 0 when nothing would.")
@selection_options
@program_options
@report_options
@click.pass_context
def command(ctx: click.Context, path: str, detailed_exitcode: bool, selection: Selection, inputs: Inputs,
            output: Output) -> ExitCode:
    """Show what a run of FILE would do, and why; nothing is carried out.

    For each definition: the layers, modules and tokens it resolves to. Then the steps, each with the reason why it runs
    and what it is expected to cost.
    """
    api = api_of(ctx)
    program = api.load(path, inputs.parameters, settings(inputs))
    view = program.plan(selection.targets, selection.force)
    code = ExitCode.WORK_TO_DO if detailed_exitcode and not view.nothing_to_do else ExitCode.OK
    make_view(output).planned(view, program.compiled, code)
    return code
