"""`steerlang diff`: what differs between two programs, checkpoints, adapters or vectors of states."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import click

from steerlang.cli.arguments import Output
from steerlang.cli.backend import Api, api_of
from steerlang.cli.exit_codes import ExitCode
from steerlang.cli.failures import Failed
from steerlang.cli.options import output_options
from steerlang.cli.views import make_view
from steerlang.cli.weights import weights_errors
from steerlang.diagnostics import Diagnostic, codes, error
from steerlang.syntax.endings import PROGRAM_ENDINGS

if TYPE_CHECKING:
    from steerlang.api.comparing import ProgramDifference
    from steerlang.language.compiling import Compiled
    from steerlang.reports.layout import Screen

BLOCKS = ("layer", "module", "tensor", "all")


@click.command("diff")
@click.argument("first", metavar="A")
@click.argument("second", metavar="B")
@click.option("--by", type=click.Choice(BLOCKS), default="layer", show_default=True, help="What makes one block.")
@output_options
@click.pass_context
def command(ctx: click.Context, first: str, second: str, by: Any, output: Output) -> ExitCode:
    """Compare A and B: two programs by meaning, or block by block two checkpoints (folders or safetensors files), LoRA
    adapters, or vector files of any format that is read (`.safetensors`, `.gguf`, `.svec`, `.pt`).

    Programs, in any form, are compared definition by definition: added, removed, renamed, changed options. Comments,
    order and defaults that are written out make no difference. Adapters are compared by what they add to the weights,
    whatever their ranks.

    Exits with 0 when nothing differs and with 1 when anything does.
    """
    programs = [path.endswith(PROGRAM_ENDINGS) for path in (first, second)]
    if any(programs):
        if not all(programs):
            raise Failed([error(codes.USAGE, None, "a program is compared with another program only", place="diff",
                                help="programs end in `.steer`, `.steer.yaml` or `.steer.json`")], ExitCode.USAGE)
        return _programs(api_of(ctx), first, second, output)
    with weights_errors(first):
        from steerlang.weights.comparing import compare
        from steerlang.weights.sides import open_side

        found = compare(open_side(first), open_side(second), by)
    code = ExitCode.OK if found.equal else ExitCode.INVALID
    make_view(output).differed((first, second), found, code)
    return code


@dataclass(frozen=True)
class Compared:
    """Two programs that were compared."""

    first: str
    second: str
    found: ProgramDifference
    diagnostics: Sequence[Diagnostic] = ()
    name = "program_diff"

    @property
    def code(self) -> ExitCode:
        return ExitCode.OK if self.found.equal else ExitCode.INVALID

    def render(self, screen: Screen, quiet: bool) -> str:
        from steerlang.cli.views.program_diff_text import render_difference

        return "" if quiet and self.found.equal else render_difference((self.first, self.second), self.found, screen)

    def document(self) -> Mapping[str, Any]:
        found = self.found
        return {
            "first": self.first, "second": self.second, "equal": found.equal,
            "added": [{"name": n, "kind": k} for n, k in found.added],
            "removed": [{"name": n, "kind": k} for n, k in found.removed],
            "renamed": [{"first": a, "second": b} for a, b in found.renamed],
            "changed": [asdict(c) for c in found.changed], "affected": list(found.affected),
        }


def _programs(api: Api, first: str, second: str, output: Output) -> ExitCode:
    from steerlang.api.comparing import compare_programs

    result = Compared(first, second, compare_programs(_checked(api, first), _checked(api, second)))
    make_view(output).shown(result)
    return result.code


def _checked(api: Api, path: str) -> Compiled:
    compiled = api.check(path)
    if not compiled.ok:
        raise Failed(compiled.diagnostics, ExitCode.INVALID)
    return compiled
