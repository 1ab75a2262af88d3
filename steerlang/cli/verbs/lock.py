"""`steerlang lock`: writes down what programs read, and checks that it is still so."""

from __future__ import annotations

from pathlib import Path

import click

from steerlang.cli.arguments import Inputs, Output
from steerlang.cli.backend import settings
from steerlang.cli.exit_codes import ExitCode
from steerlang.cli.groups import Misused
from steerlang.cli.options import program_options, report_options
from steerlang.cli.programs import collect, inside_of
from steerlang.cli.views import make_view


@click.command("lock")
@click.argument("paths", nargs=-1, metavar="[PATH]...")
@click.option("--check", is_flag=True, help="Write nothing; exit with 1 when an input is another than was locked.")
@click.option("--upgrade", multiple=True, metavar="NAME",
              help="Move a model or adapter from the hub to the newest commit of its revision; repeatable.")
@program_options
@report_options
def command(paths: tuple[str, ...], check: bool, upgrade: tuple[str, ...], inputs: Inputs, output: Output) -> ExitCode:
    """Write the inputs of programs down: revisions and digests of models, adapters, vector files, data and imports.

    PATH is a program or a folder of programs. PATH.lock gets one record a line; `--locked` of `run`, `test`, `plan` and
    `validate` refuses anything else. Models from the hub stay at the commits that are locked, until --upgrade.

    With --check, folders stand for the programs in them that have a lock file; without a PATH, for the working folder.
    """
    from steerlang.api.lock_writing import check_lock, write_lock

    given = settings(inputs)
    checks = check or inputs.world.locked
    if checks:
        results = [check_lock(path, inputs.parameters, given) for path in _locked(paths or (".",))]
    else:
        results = [write_lock(path, upgrade, inputs.parameters, given) for path in collect(_named(paths))]
    code = ExitCode.OK if all(r.ok for r in results) else ExitCode.INVALID
    make_view(output).locked(results, code)
    return code


def _named(paths: tuple[str, ...]) -> tuple[str, ...]:
    if not paths:
        raise Misused("no program is named", click.get_current_context(), ["write `steerlang lock PROGRAM`"])
    return paths


def _locked(paths: tuple[str, ...]) -> list[str]:
    """Programs as they are named, and of folders those that have a lock file."""
    from steerlang.api.locking import lock_path

    found = [
        inside
        for path in paths
        for inside in ([p for p in inside_of(path) if lock_path(p).exists()] if Path(path).is_dir() else [path])
    ]
    return list(dict.fromkeys(found))
