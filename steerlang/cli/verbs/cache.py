"""`steerlang cache`: stored results."""

from __future__ import annotations

from pathlib import Path

import click

from steerlang.cli.arguments import Output
from steerlang.cli.exit_codes import ExitCode
from steerlang.cli.failures import Failed
from steerlang.cli.groups import Verbs
from steerlang.cli.options import cache_option, output_options
from steerlang.cli.views import make_view
from steerlang.diagnostics import codes, error


@click.group("cache", cls=Verbs, no_args_is_help=True)
def command() -> None:
    """List, check and clear stored results."""


@command.command("ls")
@cache_option
@output_options
def ls(cache_dir: Path | None, output: Output) -> ExitCode:
    """List what is stored."""
    from steerlang.engine.store import Store

    store = Store(cache_dir)
    make_view(output).cache_listed(store.root, list(store.ls()))
    return ExitCode.OK


@command.command("verify")
@cache_option
@output_options
def verify(cache_dir: Path | None, output: Output) -> ExitCode:
    """Read every stored result and say which are damaged. Damaged ones are made again when needed."""
    from steerlang.engine.store import Store

    store = Store(cache_dir)
    count = sum(1 for _ in store.layout.stored())
    problems = list(store.verify())
    make_view(output).cache_verified(store.root, count, problems)
    return ExitCode.INVALID if problems else ExitCode.OK


@command.command("gc")
@click.option("--keep-days", type=click.FloatRange(min=0), metavar="N", help="Remove results not used for N days.")
@click.option("--unused", is_flag=True, help="Remove results that no program's last run was made of.")
@click.option("--dry-run", is_flag=True, help="Only say what would be removed.")
@cache_option
@output_options
def gc(keep_days: float | None, unused: bool, dry_run: bool, cache_dir: Path | None, output: Output) -> ExitCode:
    """Clear leftovers and damaged results, and results as the options say; with both, those that fit both."""
    from steerlang.engine.errors import StoreBusy, StoreError
    from steerlang.engine.store import Store

    store = Store(cache_dir)
    try:
        cleared = store.gc(keep_days=keep_days, unused=unused, dry_run=dry_run)
    except StoreBusy as e:
        raise Failed([error(codes.CACHE_UNUSABLE, None, "a run is using the cache", place=str(store.root),
                            help="wait for it to end")], ExitCode.RUN_FAILED) from e
    except StoreError as e:
        raise Failed([error(codes.CACHE_UNUSABLE, None, str(e), place=str(store.root))], ExitCode.RUN_FAILED) from e
    make_view(output).cache_cleared(store.root, cleared)
    return ExitCode.OK


@command.command("where")
@cache_option
@output_options
def where(cache_dir: Path | None, output: Output) -> ExitCode:
    """Print the folder results are kept in."""
    from steerlang.engine.store import Store

    make_view(output).cache_located(Store(cache_dir).root)
    return ExitCode.OK
