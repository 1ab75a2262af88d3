"""`steerlang diff`: what differs between two checkpoints, adapters or vectors of states."""

from __future__ import annotations

from typing import Any

import click

from steerlang.cli.arguments import Output
from steerlang.cli.exit_codes import ExitCode
from steerlang.cli.options import output_options
from steerlang.cli.views import make_view
from steerlang.cli.weights import weights_errors

BLOCKS = ("layer", "module", "tensor", "all")


@click.command("diff")
@click.argument("first", metavar="A")
@click.argument("second", metavar="B")
@click.option("--by", type=click.Choice(BLOCKS), default="layer", show_default=True, help="What makes one block.")
@output_options
def command(first: str, second: str, by: Any, output: Output) -> ExitCode:
    """Compare A and B block by block: checkpoints (folders or safetensors files), LoRA adapters, or vector files.

    Adapters are compared by what they add to the weights, whatever their ranks.

    Exits with 0 when no number differs and with 1 when any does, or when one of them has tensors that the other lacks.
    """
    with weights_errors(first):
        from steerlang.weights.comparing import compare
        from steerlang.weights.sides import open_side

        found = compare(open_side(first), open_side(second), by)
    code = ExitCode.OK if found.equal else ExitCode.INVALID
    make_view(output).differed((first, second), found, code)
    return code
