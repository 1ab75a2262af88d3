"""`steerlang inspect`: looks at vectors, in files or in a program."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

import click

from steerlang.cli.arguments import Inputs, Output
from steerlang.cli.backend import api_of, settings
from steerlang.cli.exit_codes import ExitCode
from steerlang.cli.failures import Failed
from steerlang.cli.options import output_options, program_options
from steerlang.cli.progress import Following, follow
from steerlang.cli.views import View, make_view
from steerlang.diagnostics import codes, error
from steerlang.syntax.endings import PROGRAM_ENDINGS

if TYPE_CHECKING:
    from steerlang.api.inspecting import Looked

PLOTS = (".png", ".svg", ".pdf")


@click.command("inspect")
@click.argument("path", metavar="FILE")
@click.argument("names", nargs=-1, metavar="[NAME|FILE]...")
@click.option("--tokens", type=click.IntRange(min=0), default=0, metavar="N",
              help="Show N tokens that each direction raises, and N that it lowers; needs the model.")
@click.option("--model", metavar="MODEL", help="The model of vectors in files: a folder, or a Hugging Face id.")
@click.option("--plot", type=click.Path(dir_okay=False, path_type=Path), metavar="FILE",
              help="Draw lengths, cosines and the extraction report: .png, .svg or .pdf.")
@program_options
@output_options
@click.pass_context
def command(ctx: click.Context, path: str, names: tuple[str, ...], tokens: int, model: str | None, plot: Path | None,
            inputs: Inputs, output: Output) -> ExitCode:
    """Look at vectors: lengths beside the states', cosines, the extraction report, where they come from.

    FILE is a vector file, and so are the others then; or a program, and NAMEs are vectors of it (all of them when none
    is named), which are made where they are not there yet.
    """
    _check_plot(plot)
    view = make_view(output)
    found = _looked(ctx, path, names, tokens, model, inputs, output, view)
    drawn = _drawn(found, plot) if plot is not None else None
    view.inspected(found, drawn)
    return ExitCode.OK


def _looked(ctx: click.Context, path: str, names: tuple[str, ...], tokens: int, model: str | None, inputs: Inputs,
            output: Output, view: View) -> Looked:
    from steerlang.api.inspecting import inspect_files, inspect_program

    if not path.endswith(PROGRAM_ENDINGS):
        if tokens and model is None:
            raise Failed([error(codes.USAGE, None, "nearest tokens need the model's unembedding", place="--tokens",
                                help="name the model: `--model models/courtesy`")], ExitCode.USAGE)
        return inspect_files((path, *names), model, tokens, settings(inputs))
    if model is not None:
        raise Failed([error(codes.USAGE, None, "`--model` is for vectors in files", place="--model",
                            help="a program says itself which model its vectors are of")], ExitCode.USAGE)
    program = api_of(ctx).load(path, inputs.parameters, settings(inputs))
    with follow(Following(), output, view) as sink:
        return inspect_program(program, names, tokens, sink)


def _check_plot(plot: Path | None) -> None:
    if plot is None:
        return
    if plot.suffix not in PLOTS:
        raise Failed([error(codes.USAGE, None, f"`{plot}` does not end in {', '.join(PLOTS[:-1])} or {PLOTS[-1]}",
                            place="--plot", help="the ending says how it is drawn")], ExitCode.USAGE)
    if find_spec("matplotlib") is None:
        raise Failed([error(codes.MISSING_EXTRA, None, "plots need `matplotlib`", place="--plot",
                            help="install it with `pip install 'steerlang[plots]'`")], ExitCode.RUN_FAILED)


def _drawn(found: Looked, plot: Path) -> Path:
    from steerlang.reports.plots import draw

    return draw(found.inspection, plot)
