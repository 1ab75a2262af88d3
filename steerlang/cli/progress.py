"""Where the events of a run go: bars on a terminal, lines elsewhere, JSON lines where `--events` says."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, TextIO

import click

from steerlang.diagnostics import codes, error

from .arguments import DOCUMENTS, Output
from .exit_codes import ExitCode
from .failures import Failed
from .options import F, gather
from .streams import Streams, is_terminal

if TYPE_CHECKING:
    from steerlang.engine.events import EventSink

    from .views import View


@dataclass(frozen=True)
class Following:
    """`events`: the file that gets every event of the run, `-` for standard output, None for nowhere."""

    events: str | None = None


def events_option(function: F) -> F:
    """`--events`, handed over as `following`."""
    decorate = click.option("--events", metavar="FILE", help="Write every event as a JSON line; - is standard output, "
                                                             "results then go to standard error.")
    return decorate(gather("following", ("events",), Following)(function))


@contextmanager
def follow(following: Following, output: Output, view: View) -> Iterator[EventSink]:
    """The sink for one run; files are closed and the terminal is as before afterwards."""
    from steerlang.engine.sinks import FanOut

    with ExitStack() as stack:
        sinks: list[EventSink] = []
        if not output.quiet:
            sinks.append(_shown(view.streams, stack))
        if view.live is not None:
            sinks.append(view.live)
        if following.events is not None:
            sinks.append(_lines(following.events, output, view.streams, stack))
        yield FanOut(sinks)


def _shown(streams: Streams, stack: ExitStack) -> EventSink:
    from steerlang.engine.sinks import NoSink, PlainSink

    stream = streams.err.stream
    if stream is None:
        return NoSink()
    if is_terminal(stream) and streams.err.unicode:
        from steerlang.engine.progress import ProgressSink

        return stack.enter_context(ProgressSink(stream))
    return PlainSink(stream)


def _lines(path: str, output: Output, streams: Streams, stack: ExitStack) -> EventSink:
    from steerlang.engine.sinks import JsonLinesSink, NoSink

    if path == "-":
        if output.format in DOCUMENTS and output.file is None:
            both = f"`--events -` and `--format {output.format}` both want standard output"
            raise Failed([error(codes.USAGE, None, both,
                                place="--events -", help="write the events to a file: `--events events.jsonl`")],
                         ExitCode.USAGE)
        stream = streams.out.stream
        streams.out = streams.err
        return JsonLinesSink(stream) if stream is not None else NoSink()
    return JsonLinesSink(stack.enter_context(_open(path)))


def _open(path: str) -> TextIO:
    try:
        return open(path, "w", encoding="utf-8")
    except OSError as e:
        raise Failed([error(codes.UNREADABLE_FILE, None, f"`{path}` cannot be written ({e.strerror})",
                            place=f"--events {path}")], ExitCode.USAGE) from e
