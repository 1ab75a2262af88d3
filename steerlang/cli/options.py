"""The options that verbs share, spelled the same everywhere, as decorators that hand over structs."""

from __future__ import annotations

import functools
import os
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click

from .arguments import COLORS, DRAWING_FORMATS, FORMATS, REPORT_FORMATS, Inputs, Output, Selection, World
from .parameters import read_parameters

F = TypeVar("F", bound=Callable[..., Any])
Decorator = Callable[[F], F]


def gather(name: str, take: tuple[str, ...], make: Callable[..., Any]) -> Callable[[F], F]:
    """Replaces the keyword arguments `take` of a command by one struct called `name`."""

    def decorate(function: F) -> F:
        @functools.wraps(function)
        def inner(*args: Any, **kwargs: Any) -> Any:
            taken = {key: kwargs.pop(key) for key in take}
            kwargs[name] = make(**taken)
            return function(*args, **kwargs)

        return inner  # type: ignore[return-value]

    return decorate


def _stack(function: F, decorators: list[Callable[[Any], Any]]) -> F:
    for decorator in reversed(decorators):
        function = decorator(function)
    return function


def _enter(ctx: click.Context, _: click.Parameter, folder: Path | None) -> None:
    """`-C DIR`: works from there, and goes back afterwards for callers within this process."""
    if folder is None:
        return
    before = os.getcwd()
    try:
        os.chdir(folder)
    except OSError as e:
        raise click.BadParameter(f"`{folder}` cannot be entered ({e.strerror})", ctx) from e
    ctx.call_on_close(lambda: os.chdir(before))


_DEVICE = re.compile(r"auto|cpu|mps|(cuda|xpu|hpu|npu)(:\d+)?")


def _device(ctx: click.Context, parameter: click.Parameter, name: str) -> str:
    """A name that can be a device. Whether the machine has it is found out when a model is loaded."""
    if not _DEVICE.fullmatch(name):
        raise click.BadParameter(f"`{name}` is no device; write auto, cpu, cuda, cuda:1 or mps", ctx, parameter)
    return name


def output_options(function: F) -> F:
    """`--format --color -q -v -C`, handed over as `output`."""
    return _output_options(function, FORMATS, "What is printed: text, or exactly one JSON document.")


def report_options(function: F) -> F:
    """`output_options` with the formats that CI reads."""
    words = ("What is printed: text; exactly one document (json, gitlab, sarif, junit); one line each (concise, "
             "jsonl); annotations (github).")
    return _output_options(function, REPORT_FORMATS, words)


def drawing_options(function: F) -> F:
    """`output_options` with the formats that drawings have."""
    words = "What is printed: text, exactly one JSON document, or a drawing for another tool."
    return _output_options(function, DRAWING_FORMATS, words)


def _output_options(function: F, formats: tuple[str, ...], words: str) -> F:
    return _stack(function, [
        click.option("--format", type=click.Choice(formats), default="text", show_default=True, help=words),
        click.option("--output-file", "file", type=click.Path(dir_okay=False, path_type=Path), metavar="FILE",
                     help="Write what --format says to FILE, and text to the terminal."),
        click.option("--color", type=click.Choice(COLORS), default="auto", envvar="STEERLANG_COLOR", show_default=True,
                     help="Colours; auto: on a terminal, unless NO_COLOR is set."),
        click.option("-q", "--quiet", is_flag=True, help="Only results and errors."),
        click.option("-v", "--verbose", count=True, help="More; twice: also tracebacks."),
        click.option("-C", "directory", type=click.Path(path_type=Path), metavar="DIR", callback=_enter, is_eager=True,
                     expose_value=False, help="Work from this folder."),
        gather("output", ("format", "color", "quiet", "verbose", "file"), Output),
    ])


def _inputs(set_: tuple[str, ...], params: tuple[Path, ...], **world: Any) -> Inputs:
    return Inputs(read_parameters(set_, params), World(**world))


_WORLD = ("cache_dir", "device", "threads", "locked", "offline", "trust_remote_code")


def program_options(function: F) -> F:
    """What a program is given and may use, handed over as `inputs`."""
    return _stack(function, [
        click.option("--set", "set_", multiple=True, metavar="NAME=VALUE", help="Set a parameter; repeatable."),
        click.option("--params", multiple=True, type=click.Path(path_type=Path), metavar="FILE",
                     help="Set parameters from a YAML or JSON file; --set wins."),
        cache_option,
        click.option("--device", default="auto", show_default=True, metavar="NAME", callback=_device,
                     help="Where models run: auto, cpu, cuda, cuda:1, mps."),
        click.option("--threads", type=click.IntRange(min=1), metavar="N", help="CPU threads for one model."),
        click.option("--locked", is_flag=True, help="Refuse inputs other than those of the lock file; fetch nothing."),
        click.option("--offline", is_flag=True, envvar="STEERLANG_OFFLINE", help="Never use the network."),
        click.option("--trust-remote-code", is_flag=True,
                     help="Let models run Python code of their own. There is no other way to allow it."),
        gather("inputs", ("set_", "params", *_WORLD), _inputs),
    ])


def cache_option(function: F) -> F:
    """`--cache-dir`. Without it: STEERLANG_CACHE_DIR, else the user's cache folder."""
    return click.option("--cache-dir", type=click.Path(file_okay=False, path_type=Path), metavar="DIR",
                        help="Where results are kept; else STEERLANG_CACHE_DIR.")(function)


def _selection(target: tuple[str, ...], force: tuple[str, ...]) -> Selection:
    return Selection(target or None, force)


def selection_options(function: F) -> F:
    """`--target` and `--force`, handed over as `selection`."""
    return _stack(function, [
        click.option("--target", multiple=True, metavar="NAME", help="Run what this definition needs; repeatable."),
        click.option("--force", multiple=True, metavar="NAME", help="Run this definition though its result is there."),
        gather("selection", ("target", "force"), _selection),
    ])
