"""`steerlang explain`: what a code of a message means."""

from __future__ import annotations

import click

from steerlang.cli.arguments import Output
from steerlang.cli.exit_codes import ExitCode
from steerlang.cli.failures import Failed
from steerlang.cli.options import output_options
from steerlang.cli.views import make_view
from steerlang.diagnostics import codes, error
from steerlang.diagnostics.pages import code_called, page_of
from steerlang.diagnostics.suggest import did_you_mean


@click.command("explain")
@click.argument("code", metavar="CODE")
@output_options
def command(code: str, output: Output) -> ExitCode:
    """Explain a CODE of a message: SL201, or its name, unknown-name.

    The page says what is wrong, shows a program that is, and one that is mended.
    """
    explain_code(code, output)
    return ExitCode.OK


def explain_code(word: str, output: Output) -> None:
    """Shows the page of a code. Raises Failed where there is no such code."""
    found = code_called(word)
    if found is None:
        known = codes.all_codes()
        near = did_you_mean(word.upper(), known) or did_you_mean(word, [c.slug for c in known.values()])
        help = near or ("`docs/errors.md` lists all codes",)
        raise Failed([error(codes.USAGE, None, f"there is no code `{word}`", place="explain", help=help)],
                     ExitCode.USAGE)
    make_view(output).explained(page_of(found))
