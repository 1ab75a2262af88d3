"""`steerlang doctor`: versions, devices, folders and settings."""

from __future__ import annotations

from pathlib import Path

import click

from steerlang.cli.arguments import Output
from steerlang.cli.examination import examine
from steerlang.cli.exit_codes import ExitCode
from steerlang.cli.options import cache_option, output_options
from steerlang.cli.views import make_view
from steerlang.diagnostics import has_errors


@click.command("doctor")
@cache_option
@output_options
def command(cache_dir: Path | None, output: Output) -> ExitCode:
    """Show versions, devices, folders and settings, and what stands in the way of running programs."""
    found = examine(cache_dir)
    make_view(output).examined(found)
    return ExitCode.INVALID if has_errors(tuple(found.diagnostics)) else ExitCode.OK
