"""`steerlang graph`: what a program's definitions are made of, drawn."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import click

from steerlang.cli.arguments import Inputs, Output
from steerlang.cli.backend import api_of, settings
from steerlang.cli.exit_codes import ExitCode
from steerlang.cli.failures import Failed
from steerlang.cli.options import drawing_options, program_options
from steerlang.cli.views import make_view
from steerlang.diagnostics import Diagnostic

if TYPE_CHECKING:
    from steerlang.reports.drawing import Drawing
    from steerlang.reports.layout import Screen


@dataclass(frozen=True)
class Drawn:
    drawing: Drawing
    form: str
    diagnostics: Sequence[Diagnostic] = ()
    name = "graph"
    code = ExitCode.OK

    def render(self, screen: Screen, quiet: bool) -> str:
        return _FORMS[self.form](self.drawing, screen)

    def document(self) -> Mapping[str, Any]:
        vertices = [{"name": v.name, "kind": v.kind, "detail": v.detail} for v in self.drawing.vertices]
        edges = [{"from": a, "to": b} for a, b in self.drawing.edges]
        return {"program": self.drawing.title, "nodes": vertices, "edges": edges}


def _text(drawing: Drawing, screen: Screen) -> str:
    from steerlang.reports.drawing import as_text

    return as_text(drawing, screen)


def _dot(drawing: Drawing, screen: Screen) -> str:
    from steerlang.reports.drawing import as_dot

    return as_dot(drawing)


def _mermaid(drawing: Drawing, screen: Screen) -> str:
    from steerlang.reports.drawing import as_mermaid

    return as_mermaid(drawing)


def _svg(drawing: Drawing, screen: Screen) -> str:
    from steerlang.reports.drawing_svg import as_svg

    return as_svg(drawing)


_FORMS: dict[str, Callable[[Drawing, Screen], str]] = {
    "text": _text, "json": _text, "dot": _dot, "mermaid": _mermaid, "svg": _svg,
}  # fmt: skip


@click.command("graph")
@click.argument("path", metavar="FILE")
@click.option("--node", "names", multiple=True, metavar="NAME", help="Only what this definition needs; repeatable.")
@click.option("--full", is_flag=True, help="The operations behind the definitions, as `plan` names them.")
@program_options
@drawing_options
@click.pass_context
def command(ctx: click.Context, path: str, names: tuple[str, ...], full: bool, inputs: Inputs,
            output: Output) -> ExitCode:
    """Draw the definitions of FILE and what each is made of: text, json, dot, mermaid or svg.

    Nothing is run, and models need not be on this machine.
    """
    compiled = api_of(ctx).check(path, inputs.parameters, settings(inputs))
    if not compiled.ok:
        raise Failed(compiled.diagnostics, ExitCode.INVALID)
    from steerlang.api.graphing import definitions_of, operations_of

    drawing = (operations_of if full else definitions_of)(compiled, names)
    form = output.format
    shown = output if form == "json" else replace(output, format="text")
    make_view(shown).shown(Drawn(drawing, form, tuple(d for d in compiled.diagnostics if d.is_error)))
    return ExitCode.OK
