"""What ends a verb early, and how exceptions become a diagnostic and an exit code."""

from __future__ import annotations

import errno
import os
import traceback
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType

import click

from steerlang.diagnostics import Diagnostic, codes, error
from steerlang.diagnostics.suggest import did_you_mean

from .exit_codes import ExitCode
from .groups import Misused

REPORT = "this is a bug in steerlang: please report it with the program and what `-vv` prints"


class Failed(Exception):  # noqa: N818
    """Ends a verb: these diagnostics are shown, and this is the exit code."""

    def __init__(self, diagnostics: Sequence[Diagnostic], code: ExitCode) -> None:
        super().__init__(*(d.message for d in diagnostics))
        self.diagnostics = tuple(diagnostics)
        self.code = code


@dataclass(frozen=True)
class Ending:
    """How a verb ended early. `trace` is shown with `-vv` only."""

    code: ExitCode
    diagnostics: tuple[Diagnostic, ...]
    trace: str = ""


def ending_of(e: BaseException) -> Ending:
    """What an exception that reached the top means to the user."""
    if isinstance(e, Failed):
        return Ending(e.code, e.diagnostics, _trace(e) if e.__cause__ else "")
    if isinstance(e, click.ClickException):
        return Ending(ExitCode.USAGE, (usage(e),))
    if isinstance(e, (KeyboardInterrupt, click.Abort)):
        return Ending(ExitCode.INTERRUPTED, (_interrupted(),), _trace(e))
    if isinstance(e, OSError) and e.errno is not None:
        return Ending(ExitCode.RUN_FAILED, (_system(e),), _trace(e))
    if isinstance(e, ModuleNotFoundError) and (e.name or "").partition(".")[0] in _EXTRA:
        return Ending(ExitCode.RUN_FAILED, (_missing(e),), _trace(e))
    found = getattr(e, "diagnostics", None)
    if isinstance(found, tuple) and found and all(isinstance(d, Diagnostic) for d in found):
        return Ending(_code_of(found), found, _trace(e))
    if _is_store_error(e):
        return Ending(ExitCode.RUN_FAILED, (_store(e),), _trace(e))
    return Ending(ExitCode.INTERNAL, (internal(e),), _trace(e))


# What running needs and checking does not.
_EXTRA = frozenset({"torch", "transformers", "safetensors", "numpy", "sklearn", "tokenizers", "huggingface_hub"})


def _missing(e: ModuleNotFoundError) -> Diagnostic:
    return error(codes.MISSING_EXTRA, None, f"this needs the package `{(e.name or '').partition('.')[0]}`", place="run",
                 help="install it with `pip install 'steerlang[run]'`")


# What stands in the way of a run and is no mistake of the program.
_OF_THE_MACHINE = (codes.MISSING_EXTRA, codes.CACHE_UNUSABLE, codes.DISK_FULL, codes.OUT_OF_MEMORY)


def _code_of(diagnostics: tuple[Diagnostic, ...]) -> ExitCode:
    errors = [d.code for d in diagnostics if d.is_error]
    if codes.INTERNAL in errors:
        return ExitCode.INTERNAL
    return ExitCode.RUN_FAILED if errors and all(c in _OF_THE_MACHINE for c in errors) else ExitCode.INVALID


def _is_store_error(e: BaseException) -> bool:
    from steerlang.engine.errors import StoreError

    return isinstance(e, StoreError)


def usage(e: click.ClickException) -> Diagnostic:
    """A mistake on the command line."""
    ctx = getattr(e, "ctx", None)
    where = ctx.command_path if ctx is not None else "steerlang"
    helps = (*_help(e, ctx), f"`{where} --help` lists what there is")
    return error(codes.USAGE, None, _plain(e), place=where, help=helps)


def _help(e: click.ClickException, ctx: click.Context | None) -> tuple[str, ...]:
    if isinstance(e, Misused):
        return e.help
    if isinstance(e, click.NoSuchOption) and ctx is not None:
        return did_you_mean(e.option_name, [name for p in ctx.command.get_params(ctx) for name in p.opts])
    return ()


def _plain(e: click.ClickException) -> str:
    """Click's words in our style: lower case, no full stop, code in backticks."""
    if isinstance(e, click.NoSuchOption):
        return f"there is no option `{e.option_name}`"
    text = e.format_message().strip().rstrip(".").replace("'", "`")
    return text[:1].lower() + text[1:] or "the command line is not understood"


def internal(e: BaseException) -> Diagnostic:
    """An exception nobody expected: a bug. Says where it happened, in one line."""
    words = str(e).strip().splitlines()
    what = f"{type(e).__name__}: {words[0][:200]}" if words else type(e).__name__
    return error(codes.INTERNAL, None, what, place=_where(e.__traceback__), help=REPORT)


def _where(trace: TracebackType | None) -> str:
    frames = traceback.extract_tb(trace)
    if not frames:
        return "steerlang"
    ours = [f for f in frames if f"{os.sep}steerlang{os.sep}" in f.filename] or frames
    return f"{Path(ours[-1].filename).name}:{ours[-1].lineno}"


def _trace(e: BaseException) -> str:
    return "".join(traceback.format_exception(type(e), e, e.__traceback__))


def _interrupted() -> Diagnostic:
    return error(codes.INTERRUPTED, None, "interrupted", place="steerlang",
                 notes=("results that were finished are kept in the cache",),
                 help="run the same command again to go on from there")


def _system(e: OSError) -> Diagnostic:
    """What the operating system refused."""
    if e.errno in (errno.ENOSPC, getattr(errno, "EDQUOT", None)):
        return error(codes.DISK_FULL, None, "the disk is full", place=str(e.filename or "disk"),
                     help=("free some space, or clear the cache with `steerlang cache gc`",))
    what = f"`{e.filename}`: " if e.filename is not None else ""
    words = e.strerror or type(e).__name__
    return error(codes.RUN_FAILED, None, f"{what}{words[:1].lower()}{words[1:]}", place=str(e.filename or "system"))


def _store(e: BaseException) -> Diagnostic:
    return error(codes.CACHE_UNUSABLE, None, str(e), place=str(getattr(e, "path", None) or "cache"),
                 help="name another folder with `--cache-dir` or STEERLANG_CACHE_DIR")
