"""`steerlang fmt`: rewrites programs in the one standard layout."""

from __future__ import annotations

import os
import tempfile
from contextlib import suppress
from difflib import unified_diff
from pathlib import Path

import click

from steerlang.cli.arguments import Output
from steerlang.cli.exit_codes import ExitCode, gravest
from steerlang.cli.failures import Failed
from steerlang.cli.formatting import Formatted
from steerlang.cli.options import report_options
from steerlang.cli.programs import collect, standard_input
from steerlang.cli.views import make_view
from steerlang.diagnostics import Diagnostic, codes, error, has_errors
from steerlang.source import Source
from steerlang.syntax.endings import form_of


@click.command("fmt")
@click.argument("paths", nargs=-1, required=True, metavar="PATH...")
@click.option("--check", is_flag=True, help="Rewrite nothing; exit with 1 when something would be rewritten.")
@click.option("--diff", is_flag=True, help="Rewrite nothing; print the changes.")
@report_options
def command(paths: tuple[str, ...], check: bool, diff: bool, output: Output) -> ExitCode:
    """Rewrite programs in the one standard layout.

    PATH is a program, a folder of programs, or - for standard input, whose result goes to standard output. Programs
    with syntax errors are left alone.
    """
    # Other forms are written by programs, and found in folders only because they are programs too.
    named = [path for path in collect(paths) if path in paths or form_of(path) == "steer"]
    results = [_one(path, check, diff) for path in named]
    code = gravest(_code(r, check) for r in results)
    make_view(output).formatted(results, code)
    return code


def _code(result: Formatted, check: bool) -> ExitCode:
    if any(d.code is codes.INTERNAL for d in result.diagnostics):
        return ExitCode.INTERNAL
    broken = result.after is None or (check and result.changed)
    return ExitCode.INVALID if broken else ExitCode.OK


def _one(path: str, check: bool, diff: bool) -> Formatted:
    if form_of(path) != "steer":
        return Formatted(path, "", None, (_other_form(path),))
    source, problems = _read(path)
    if source is None:
        return Formatted(path, "", None, tuple(problems))
    after, found = _format(source)
    if after is None or has_errors(found):
        return Formatted(source.name, source.text, None, tuple(found))
    patch = _diff(source, after) if diff else None
    writes = path != "-" and not check and not diff and after != source.text
    if writes:
        _replace(Path(path), after)
    text = path == "-" and not check and not diff
    return Formatted(source.name, source.text, after, tuple(found), writes, patch, text)


def _other_form(path: str) -> Diagnostic:
    return error(codes.USAGE, None, f"`{path}` is not in the text form, which alone has a standard layout", place=path,
                 help=f"`steerlang convert {path} --to steer` gives the text form")


def _read(path: str) -> tuple[Source | None, list[Diagnostic]]:
    from steerlang.syntax import read_source

    return (standard_input(), []) if path == "-" else read_source(path)


def _format(source: Source) -> tuple[str | None, list[Diagnostic]]:
    """The text in standard layout, or None and why there is none."""
    from steerlang.syntax.printing import format_source

    return format_source(source)


def _diff(source: Source, after: str) -> str:
    before, new = (t.splitlines(keepends=True) for t in (source.text, after))
    lines = unified_diff(before, new, f"a/{source.name}", f"b/{source.name}")
    return "".join(line if line.endswith("\n") else f"{line}\n\\ No newline at end of file\n" for line in lines)


def _replace(path: Path, text: str) -> None:
    """Replaces a program as a whole, keeping its permissions and following links. Raises Failed."""
    target = path.resolve()
    draft = None
    try:
        handle, draft = tempfile.mkstemp(prefix=f".{target.name}.", dir=target.parent)
        with os.fdopen(handle, "w", encoding="utf-8", newline="") as file:
            file.write(text)
        os.chmod(draft, target.stat().st_mode & 0o7777)
        os.replace(draft, target)
    except OSError as e:
        if draft is not None:
            with suppress(OSError):
                os.unlink(draft)
        problem = error(codes.UNREADABLE_FILE, None, f"`{path}` cannot be rewritten ({e.strerror})", place=str(path))
        raise Failed([problem], ExitCode.RUN_FAILED) from e
