"""`steerlang run`: carries a program out."""

from __future__ import annotations

import click

from steerlang.cli.arguments import Inputs, Output, Selection
from steerlang.cli.backend import api_of, settings
from steerlang.cli.exit_codes import ExitCode
from steerlang.cli.options import program_options, report_options, selection_options
from steerlang.cli.outcomes import ran
from steerlang.cli.progress import Following, events_option, follow
from steerlang.cli.views import make_view


@click.command("run")
@click.argument("path", metavar="FILE")
@click.option("--keep-going", is_flag=True, help="After a failure, still run what does not need what failed.")
@events_option
@selection_options
@program_options
@report_options
@click.pass_context
def command(ctx: click.Context, path: str, keep_going: bool, following: Following, selection: Selection, inputs: Inputs,
            output: Output) -> ExitCode:
    """Run FILE: make what its expectations, exports and reports need, or everything when it has none.

    Finished results are kept and used again. Results go to standard output, progress to standard error.
    """
    api = api_of(ctx)
    program = api.load(path, inputs.parameters, settings(inputs))
    view = make_view(output)
    with follow(following, output, view) as sink:
        run = program.run(selection.targets, selection.force, sink, keep_going)
    result = ran(run, program.compiled.source.name)
    view.ran(result)
    return result.code
