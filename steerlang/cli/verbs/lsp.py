"""`steerlang lsp`: the language server, for editors."""

from __future__ import annotations

import logging
from importlib.util import find_spec

import click

from steerlang.cli.exit_codes import ExitCode
from steerlang.cli.failures import Failed
from steerlang.diagnostics import codes, error


@click.command("lsp")
@click.option("--stdio", is_flag=True, help="Speak over standard input and output: the default, and the only way.")
@click.option("-v", "--verbose", is_flag=True, help="Log what is asked and answered to standard error.")
def command(stdio: bool, verbose: bool) -> int:
    """Serve an editor: diagnostics, completion, hover, rename, formatting and more while a program is written.

    Editors start it; docs/editors.md says how each is told to. Needs the extra `steerlang[lsp]` and no torch.
    """
    if find_spec("pygls") is None or find_spec("lsprotocol") is None:
        raise Failed([error(codes.MISSING_EXTRA, None, "the language server needs the package `pygls`", place="lsp",
                            help="install it with `pip install 'steerlang[lsp]'`")], ExitCode.RUN_FAILED)
    logging.basicConfig(level=logging.DEBUG if verbose else logging.ERROR, format="%(levelname)s %(name)s %(message)s")
    from steerlang.server.serving import serve

    return serve()
