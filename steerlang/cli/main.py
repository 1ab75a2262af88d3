"""`steerlang`: finds the verb, runs it, and turns whatever happens into output and an exit code."""

from __future__ import annotations

import gc
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from importlib import import_module
from typing import Any, NoReturn

import click

from steerlang import __version__
from steerlang.diagnostics.suggest import did_you_mean
from steerlang.syntax.endings import PROGRAM_ENDINGS

from .arguments import early_output
from .exit_codes import ExitCode
from .failures import ending_of
from .groups import Misused, Verbs
from .streams import Stream

# verb → its one line in `--help`; the module is `steerlang.cli.verbs.VERB`.
VERBS: Mapping[str, str] = {
    "run": "Run a program: make what its expectations, exports and reports need.",
    "validate": "Check programs without running anything. Needs neither torch nor a network.",
    "plan": "Show what a run would do, and why.",
    "inspect": "Look at vectors, in files or in a program.",
    "report": "Write the report of a program anew from stored results.",
    "test": "Run the expectations of programs.",
    "fmt": "Rewrite programs in the one standard layout.",
    "lock": "Write down what programs read, and check that it is still so.",
    "convert": "Write a program in another form: text, YAML or JSON.",
    "explain": "Say what definitions resolve to and where values come from, or what a code means.",
    "graph": "Draw what a program's definitions are made of.",
    "init": "Start a project from a template.",
    "migrate": "Bring programs to the newest edition of the language.",
    "verify": "Check an exported folder of weights against its receipt.",
    "diff": "Compare two programs by meaning, or checkpoints, adapters or vectors block by block.",
    "cache": "List, check and clear stored results.",
    "doctor": "Show versions, devices, folders and settings.",
    "lsp": "Serve an editor: the language server.",
    "schema": "Print a JSON Schema.",
    "completion": "Print what a shell needs to complete command lines.",
}
ALIASES: Mapping[str, str] = {"check": "validate"}


class Program(Verbs):
    """The group of verbs. A verb's module is imported when the verb is used, so that starting stays light."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(VERBS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        name = ALIASES.get(cmd_name, cmd_name)
        if name not in VERBS:
            return None
        found = import_module(f"steerlang.cli.verbs.{name}").command
        assert isinstance(found, click.Command)
        return found

    def near(self, ctx: click.Context, name: str) -> tuple[str, ...]:
        if name.endswith(PROGRAM_ENDINGS):
            return (f"write `steerlang run {name}`",)
        return did_you_mean(name, [*VERBS, *ALIASES])

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        try:
            return super().parse_args(ctx, args)
        except click.NoSuchOption as e:
            if e.option_name in _OPTIONS_OF_VERBS:
                help = f"options stand after the verb: `steerlang run {e.option_name} …`"
                raise Misused(f"`{e.option_name}` stands before the verb", ctx, [help]) from e
            raise

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        rows = [(name, words) for name, words in VERBS.items()]
        with formatter.section("Verbs"):
            formatter.write_dl(rows)

    def format_epilog(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Exit status"):
            formatter.write_dl([(str(int(code)), code.meaning) for code in ExitCode])

    def main(self, args: Sequence[str] | None = None, prog_name: str | None = None,  # type: ignore[override]
             complete_var: str | None = None, standalone_mode: bool = True, windows_expand_args: bool = True,
             **extra: Any) -> int:
        """Runs a command line; exits with its code, or gives the code where `standalone_mode` is off."""
        arguments = list(sys.argv[1:] if args is None else args)
        self._main_shell_completion(extra, "steerlang", complete_var)
        code = guarded(lambda: self._carry_out(arguments, extra), arguments)
        if standalone_mode:
            _leave(code)
        return code

    def _carry_out(self, arguments: list[str], extra: dict[str, Any]) -> int:
        with self.make_context("steerlang", list(arguments), **extra) as ctx:
            return int(self.invoke(ctx) or ExitCode.OK)


_OPTIONS_OF_VERBS = frozenset({
    "--format", "--color", "-q", "--quiet", "-v", "--verbose", "-C", "--set", "--params", "--target", "--force",
    "--cache-dir", "--device", "--threads", "--locked", "--offline", "--trust-remote-code", "--keep-going", "--events",
})


def guarded(work: Callable[[], int], arguments: Sequence[str]) -> int:
    """The exit code of `work`, whatever it raises; what it raised is shown in the format the caller reads."""
    try:
        return work()
    except click.exceptions.Exit as e:
        return e.exit_code
    except BrokenPipeError:
        return ExitCode.OK  # only click's own help text can end here: views never raise for a reader that goes away
    except (Exception, KeyboardInterrupt) as e:
        return _show(e, arguments)


def _show(e: BaseException, arguments: Sequence[str]) -> int:
    from .views import make_view

    ending = ending_of(e)
    output = early_output(arguments)
    view = make_view(output)
    try:
        if isinstance(e, click.exceptions.NoArgsIsHelpError):
            view.help(e.format_message())
        else:
            view.failed(ending)
    except OSError as refused:  # the file of `--output-file`
        if str(refused) != str(e):
            make_view(replace(output, format="text", file=None)).failed(ending_of(refused))
        return ExitCode.RUN_FAILED
    return ending.code


def _leave(code: int) -> NoReturn:
    """Exits. What cannot be flushed any more because the reader is gone is nobody's loss."""
    for stream in (sys.stdout, sys.stderr):
        Stream(stream).flush()
    sys.exit(int(code))


@click.group(cls=Program, name="steerlang", no_args_is_help=True, subcommand_metavar="VERB ...",
             context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="steerlang", message="%(prog)s %(version)s")
def cli() -> None:
    """A declarative language for steering models: check programs, plan them, run them, gate on what they measure."""


def entry() -> NoReturn:
    """The console script."""
    # Starting makes some hundred thousand objects that stay; going over them again and again finds nothing.
    gc.set_threshold(100_000, 20, 20)
    cli.main()
    raise AssertionError("main() exits")
