"""`steerlang completion`: what a shell needs to complete command lines."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import click
from click.shell_completion import get_completion_class

from steerlang.cli.arguments import Output
from steerlang.cli.exit_codes import ExitCode
from steerlang.cli.options import output_options
from steerlang.cli.views import make_view
from steerlang.diagnostics import Diagnostic

if TYPE_CHECKING:
    from steerlang.reports.layout import Screen

VARIABLE = "_STEERLANG_COMPLETE"


@dataclass(frozen=True)
class Script:
    shell: str
    text: str
    diagnostics: Sequence[Diagnostic] = ()
    name = "completion"
    code = ExitCode.OK

    def render(self, screen: Screen, quiet: bool) -> str:
        return self.text + "\n"

    def document(self) -> Mapping[str, Any]:
        return {"shell": self.shell, "script": self.text}


@click.command("completion")
@click.argument("shell", type=click.Choice(("bash", "zsh", "fish")))
@output_options
@click.pass_context
def command(ctx: click.Context, shell: str, output: Output) -> ExitCode:
    """Print a script that completes verbs, options and files in SHELL: bash, zsh or fish.

    In ~/.bashrc: eval "$(steerlang completion bash)"; in ~/.zshrc the same with zsh; for fish, write it to
    ~/.config/fish/completions/steerlang.fish.
    """
    found = get_completion_class(shell)
    assert found is not None
    script = found(ctx.find_root().command, {}, "steerlang", VARIABLE)
    source = script.source_template % script.source_vars()  # `source()` of bash runs bash to ask for its version
    make_view(output).shown(Script(shell, source.strip()))
    return ExitCode.OK
