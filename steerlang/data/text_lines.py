"""Lines of a text file, decoded one by one so that one bad line neither hides the others nor fills the memory."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import BinaryIO

from .table import UnreadableError, empty_file

# Longer lines are no demonstrations; a limit keeps a file without line breaks from being read into memory whole.
MAX_LINE_BYTES = 16 * 1024 * 1024

_PROBE_BYTES = 8192
_BYTE_ORDER_MARK = b"\xef\xbb\xbf"
_SIGNATURES = (
    (b"\xff\xfe", "is UTF-16 text, not UTF-8"),
    (b"\xfe\xff", "is UTF-16 text, not UTF-8"),
    (b"\x1f\x8b", "is compressed with gzip"),
    (b"PK\x03\x04", "is a zip archive"),
    (b"PAR1", "is a parquet file"),
)


@dataclass(frozen=True, slots=True)
class TextLine:
    """Line `number` (from 1), without its line break. `trouble` says why it cannot be used."""

    number: int
    text: str
    trouble: str = ""

    @property
    def is_blank(self) -> bool:
        return not self.trouble and not self.text.strip()


def refuse_binary(start: bytes) -> None:
    """Raise `UnreadableError` when the first bytes of a file show that it is no UTF-8 text."""
    for signature, message in _SIGNATURES:
        if start.startswith(signature):
            raise UnreadableError(message, _signature_help(message))
    if b"\0" in start[:_PROBE_BYTES]:
        raise UnreadableError("is binary, not text", "check the path and the format")


def _signature_help(message: str) -> str:
    if "UTF-16" in message:
        return "save it as UTF-8"
    if "parquet" in message:
        return "read it with `parquet(…)`"
    return "unpack it first"


def text_lines(handle: BinaryIO) -> Iterator[TextLine]:
    """Every line of `handle`, which stands at its start. Lines end at LF or CRLF; a byte order mark is dropped.

    Raises `UnreadableError` when the file is empty or binary.
    """
    start = handle.read(_PROBE_BYTES)
    if not start:
        raise empty_file()
    refuse_binary(start)
    handle.seek(len(_BYTE_ORDER_MARK) if start.startswith(_BYTE_ORDER_MARK) else 0)
    number = 0
    while raw := handle.readline(MAX_LINE_BYTES + 1):
        number += 1
        if len(raw) > MAX_LINE_BYTES:
            _skip_rest_of_line(handle)
            yield TextLine(number, "", f"is longer than {MAX_LINE_BYTES // 2**20} MiB")
        else:
            yield _decoded(number, raw.removesuffix(b"\n").removesuffix(b"\r"))


def _decoded(number: int, raw: bytes) -> TextLine:
    try:
        text = raw.decode("utf-8")
    except UnicodeDecodeError as error:
        return TextLine(number, raw.decode("utf-8", "replace"), f"is not UTF-8 (byte {error.start + 1} of the line)")
    if "\0" in text:
        return TextLine(number, text.replace("\0", ""), "holds a NUL byte")
    return TextLine(number, text)


def _skip_rest_of_line(handle: BinaryIO) -> None:
    while chunk := handle.readline(MAX_LINE_BYTES):
        if chunk.endswith(b"\n"):
            return


def without_blank_end(lines: Iterator[TextLine]) -> Iterator[TextLine]:
    """`lines` without the blank ones at the very end: a file may end in them, but they are no rows."""
    blank: list[TextLine] = []
    for line in lines:
        if line.is_blank:
            blank.append(line)
            continue
        yield from blank
        blank.clear()
        yield line
