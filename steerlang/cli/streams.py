"""Writing to stdout and stderr: colour, encoding, width, and readers that go away."""

from __future__ import annotations

import io
import os
import shutil
import sys
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import TextIO, cast

GLYPHS = "✓✗─│→…·±"


def wants_color(choice: str, stream: TextIO | None, environment: Mapping[str, str] = os.environ) -> bool:
    """Whether to colour what goes to `stream`.

    `choice` (`always`, `never`, `auto`) decides; for `auto` FORCE_COLOR, then NO_COLOR, then TERM=dumb, then whether
    the stream is a terminal.
    """
    if choice != "auto":
        return choice == "always"
    if environment.get("FORCE_COLOR", "0") not in ("", "0"):
        return True
    if environment.get("NO_COLOR") or environment.get("TERM") == "dumb":
        return False
    return is_terminal(stream)


def is_terminal(stream: TextIO | None) -> bool:
    try:
        return stream is not None and stream.isatty()
    except ValueError:  # closed
        return False


class Stream:
    """One output stream as the views see it.

    Writing never raises for what the reader does: `steerlang … | head` closes the pipe early, which says nothing about
    the outcome, so the rest is dropped and the exit status stays what it would have been.
    """

    def __init__(self, stream: TextIO | None, color: bool = False) -> None:
        self.stream = stream
        self.color = color

    @property
    def unicode(self) -> bool:
        """Whether the stream can show more than ASCII."""
        try:
            GLYPHS.encode(getattr(self.stream, "encoding", None) or "ascii")
        except (UnicodeEncodeError, LookupError):
            return False
        return True

    @property
    def width(self) -> int:
        """Columns to lay text out for: those of the terminal, 100 where there is none."""
        if not is_terminal(self.stream) and "COLUMNS" not in os.environ:
            return 100
        return max(40, min(shutil.get_terminal_size((100, 24)).columns, 160))

    def write(self, text: str) -> None:
        """Writes text as it stands; characters the stream cannot show become `?`."""
        if self.stream is None or not text:
            return
        encoding = getattr(self.stream, "encoding", None) or "utf-8"
        try:
            self.stream.write(text.encode(encoding, "replace").decode(encoding))
        except BrokenPipeError:
            self._give_up()
        except ValueError:  # closed under our feet
            self.stream = None
        self.flush()

    def flush(self) -> None:
        try:
            if self.stream is not None:
                self.stream.flush()
        except BrokenPipeError:
            self._give_up()
        except ValueError:
            self.stream = None

    def line(self, text: str = "") -> None:
        self.write(text + "\n")

    def _give_up(self) -> None:
        # The interpreter flushes at exit and would complain once more: give it somewhere to flush to.
        if self.stream is not None:
            with suppress(OSError, ValueError):
                os.dup2(os.open(os.devnull, os.O_WRONLY), self.stream.fileno())
        self.stream = None


class Streams:
    """stdout and stderr of this process, as they are now."""

    def __init__(self, color: str = "auto") -> None:
        self.out = Stream(sys.stdout, wants_color(color, sys.stdout))
        self.err = Stream(sys.stderr, wants_color(color, sys.stderr))


class FileStreams(Streams):
    """Results into a file, which is made when the first is written; the rest to stderr, without colours."""

    def __init__(self, path: Path) -> None:
        super().__init__("never")
        self.out = Stream(cast(TextIO, _LateFile(path)))


class _LateFile(io.TextIOBase):
    """A text file that is opened, and emptied, by the first write. Raises what opening raises."""

    encoding = "utf-8"

    def __init__(self, path: Path) -> None:
        self._path = path
        self._file: TextIO | None = None

    def write(self, text: str) -> int:
        if self._file is None:
            self._file = open(self._path, "w", encoding="utf-8", newline="")  # noqa: SIM115 - closed with the process
        return self._file.write(text)

    def flush(self) -> None:
        if self._file is not None:
            self._file.flush()
