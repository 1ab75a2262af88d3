"""`steerlang explain`: what definitions resolve to, and where each value comes from."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from steerlang.cli.arguments import Inputs, Output
from steerlang.cli.backend import api_of, settings
from steerlang.cli.exit_codes import ExitCode
from steerlang.cli.failures import Failed
from steerlang.cli.options import output_options, program_options
from steerlang.cli.views import make_view
from steerlang.diagnostics import Diagnostic, codes, error
from steerlang.diagnostics.pages import code_called, page_of
from steerlang.diagnostics.suggest import did_you_mean
from steerlang.syntax.endings import form_of

if TYPE_CHECKING:
    from steerlang.api.explaining import Explained
    from steerlang.cli.showing import Shown
    from steerlang.reports.layout import Screen


@dataclass(frozen=True)
class Definitions:
    """Definitions of one program, explained; with `details` where they were named."""

    program: str
    definitions: tuple[Explained, ...]
    details: bool
    diagnostics: Sequence[Diagnostic] = ()
    name = "explain"
    code = ExitCode.OK

    def render(self, screen: Screen, quiet: bool) -> str:
        from steerlang.cli.views.explanation_text import render_explained

        return "\n".join(render_explained(d, screen, self.details) for d in self.definitions)

    def document(self) -> Mapping[str, Any]:
        definitions = [{**asdict(d), "resolved": [e.document() for e in d.resolved]} for d in self.definitions]
        return {"program": self.program, "definitions": definitions}


@click.command("explain")
@click.argument("subject", metavar="FILE|CODE")
@click.argument("names", nargs=-1, metavar="[NAME]...")
@program_options
@output_options
@click.pass_context
def command(ctx: click.Context, subject: str, names: tuple[str, ...], inputs: Inputs, output: Output) -> ExitCode:
    """Say what definitions of FILE resolve to, or what a CODE means: SL201, or its name, unknown-name.

    For each NAME, or every definition: its layers, modules, tokens and matched tensors, and all its options, each with
    its value and where that comes from: written, default, param, let, sweep, --set.
    """
    if form_of(subject) == "steer" and not subject.endswith(".steer") and not Path(subject).exists():
        explain_code(subject, output)
    else:
        make_view(output).shown(_definitions(ctx, subject, names, inputs))
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


def _definitions(ctx: click.Context, path: str, names: tuple[str, ...], inputs: Inputs) -> Shown:
    program = api_of(ctx).load(path, inputs.parameters, settings(inputs))
    from steerlang.api.explaining import explain

    found = explain(program, names, tuple(inputs.parameters))
    return Definitions(program.compiled.source.name, found, bool(names), program.compiled.diagnostics)
