"""`steerlang convert`: a program in another form."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from steerlang.cli.arguments import Output
from steerlang.cli.exit_codes import ExitCode
from steerlang.cli.failures import Failed
from steerlang.cli.options import output_options
from steerlang.cli.programs import standard_input
from steerlang.cli.views import make_view
from steerlang.diagnostics import Diagnostic, codes, error
from steerlang.source import Source

if TYPE_CHECKING:
    from steerlang.reports.layout import Screen

FORMS = ("steer", "yaml", "json")


@dataclass(frozen=True)
class Converted:
    """A program in another form. `written` is the file that holds it now, or None."""

    program: str
    form: str
    text: str
    written: str | None
    diagnostics: Sequence[Diagnostic] = ()
    name = "convert"
    code = ExitCode.OK

    def render(self, screen: Screen, quiet: bool) -> str:
        return self.text if self.written is None else "" if quiet else f"{self.written} written\n"

    def document(self) -> Mapping[str, Any]:
        return {"program": self.program, "to": self.form, "written": self.written, "text": self.text}


@click.command("convert")
@click.argument("path", metavar="FILE")
@click.option("--to", "to", type=click.Choice(FORMS), required=True, help="The form to write.")
@click.option("--from", "given", type=click.Choice(FORMS),
              help="The form of FILE; else its name says it, for standard input the text.")
@click.option("-o", "--output", "target", type=click.Path(dir_okay=False, path_type=Path), metavar="FILE",
              help="Write to a file, which must not be there yet.")
@output_options
def command(path: str, to: str, given: str | None, target: Path | None, output: Output) -> ExitCode:
    """Write FILE, or - for standard input, in another form: text, YAML or JSON. All three say the same.

    Comments are lost, and nothing else. Only the form of the program is checked.
    """
    from steerlang.api.forms import convert, form_of_source

    source = _read(path)
    text, found = convert(source, given or form_of_source(source), to)
    if text is None:
        raise Failed(found, ExitCode.INVALID)
    if target is not None:
        _write(target, text)
    result = Converted(source.name, to, text, target.as_posix() if target is not None else None, tuple(found))
    make_view(output).shown(result)
    return result.code


def _read(path: str) -> Source:
    from steerlang.syntax import read_source

    if path == "-":
        return standard_input()
    source, problems = read_source(path)
    if source is None:
        raise Failed(problems, ExitCode.INVALID)
    return source


def _write(target: Path, text: str) -> None:
    """Raises Failed for a file that is there: what it holds may be in no other place."""
    try:
        with target.open("x", encoding="utf-8", newline="\n") as file:
            file.write(text)
    except FileExistsError:
        raise Failed([error(codes.OUTPUT_EXISTS, None, f"`{target}` is there already", place=str(target),
                            help="name another file, or take it away first")], ExitCode.USAGE) from None
