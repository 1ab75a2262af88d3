"""`steerlang schema`: prints a JSON Schema."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import click

from steerlang.cli.arguments import Output
from steerlang.cli.exit_codes import ExitCode
from steerlang.cli.options import output_options
from steerlang.cli.views import make_view
from steerlang.diagnostics import Diagnostic

if TYPE_CHECKING:
    from steerlang.reports.layout import Screen

# What there are schemas of, and the file beside the grammar.
SCHEMAS: Mapping[str, str] = {
    "program": "steerlang.schema.json",
    "outputs": "schemas/outputs.v1.json",
    "events": "schemas/events.v1.json",
    "gitlab": "schemas/gitlab.v1.json",
    "lock": "schemas/lock.v1.json",
}


@dataclass(frozen=True)
class Printed:
    """A schema, as the text that is shipped."""

    text: str
    diagnostics: Sequence[Diagnostic] = ()
    name = "schema"
    code = ExitCode.OK

    def render(self, screen: Screen, quiet: bool) -> str:
        return self.text

    def document(self) -> Mapping[str, Any]:
        return {"schema": json.loads(self.text)}


@click.command("schema")
@click.argument("name", type=click.Choice(tuple(SCHEMAS)), default="program", metavar="[NAME]")
@output_options
def command(name: str, output: Output) -> ExitCode:
    """Print a JSON Schema: of programs in the YAML and JSON form (`program`, the default), of what verbs print with
    `--format json` (`outputs`), of the lines of `--events` and `--format jsonl` (`events`), of the reports of
    `--format gitlab` (`gitlab`), or of lock files (`lock`)."""
    from steerlang.syntax.tables import shipped

    make_view(output).shown(Printed(shipped(SCHEMAS[name])))
    return ExitCode.OK
