"""`steerlang verify`: holds an exported folder against its receipt."""

from __future__ import annotations

import click

from steerlang.cli.arguments import Output
from steerlang.cli.exit_codes import ExitCode
from steerlang.cli.options import output_options
from steerlang.cli.views import make_view
from steerlang.cli.weights import weights_errors


@click.command("verify")
@click.argument("folder", metavar="FOLDER")
@output_options
def command(folder: str, output: Output) -> ExitCode:
    """Check a FOLDER that `checkpoint(…)` wrote against its receipt.

    Every tensor, header and file is read and compared with what was written; weights that were added are found too.
    Exits with 0 when the folder is whole and with 1 when it is not.
    """
    with weights_errors(folder):
        from steerlang.weights.verifying import verify

        findings = verify(folder)
    code = ExitCode.INVALID if findings else ExitCode.OK
    make_view(output).verified(folder, findings, code)
    return code
