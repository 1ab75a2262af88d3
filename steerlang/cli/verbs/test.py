"""`steerlang test`: runs the expectations of programs."""

from __future__ import annotations

import click

from steerlang.cli.arguments import Inputs, Output
from steerlang.cli.backend import Api, api_of, settings
from steerlang.cli.exit_codes import ExitCode, gravest
from steerlang.cli.failures import ending_of
from steerlang.cli.options import program_options, report_options
from steerlang.cli.outcomes import Ran, ran
from steerlang.cli.programs import collect
from steerlang.cli.progress import Following, follow
from steerlang.cli.views import View, make_view


@click.command("test")
@click.argument("paths", nargs=-1, required=True, metavar="PATH...")
@program_options
@report_options
@click.pass_context
def command(ctx: click.Context, paths: tuple[str, ...], inputs: Inputs, output: Output) -> ExitCode:
    """Run the expectations of programs, and nothing else of them: no exports, no reports.

    PATH is a program or a folder of programs. All are run, whatever fails in between.
    """
    api = api_of(ctx)
    view = make_view(output)
    results: list[Ran] = []
    for path in collect(paths):
        results.append(_test(api, path, inputs, output, view))
        if results[-1].code is ExitCode.INTERRUPTED:
            break
    view.tested(results)
    return gravest(r.code for r in results)


def _test(api: Api, path: str, inputs: Inputs, output: Output, view: View) -> Ran:
    try:
        program = api.load(path, inputs.parameters, settings(inputs))
        compiled = program.compiled
        names = [s.label for s in compiled.module.symbols.values() if s.kind == "expect"]
        if not names:
            return Ran(compiled.source.name, ExitCode.OK, tuple(compiled.diagnostics))
        with follow(Following(), output, view) as sink:
            return ran(program.run(names, (), sink, keep_going=True), compiled.source.name)
    except Exception as e:
        ending = ending_of(e)
        if ending.code in (ExitCode.USAGE, ExitCode.INTERNAL):
            raise
        return Ran(path, ending.code, ending.diagnostics, None, (ending.trace,) if ending.trace else ())
