"""Writes and reads grey 8-bit PNG files, so that making and measuring the models needs no image library."""

from __future__ import annotations

import struct
import zlib
from pathlib import Path

import numpy as np

from .drawing import Array

SIGNATURE = b"\x89PNG\r\n\x1a\n"


def _chunk(kind: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))


def write(path: Path, image: Array) -> None:
    """Store an image [height, width] in 0..1."""
    grey = np.round(image * 255).astype(np.uint8)
    lines = b"".join(b"\0" + line.tobytes() for line in grey)
    header = struct.pack(">IIBBBBB", grey.shape[1], grey.shape[0], 8, 0, 0, 0, 0)
    chunks = ((b"IHDR", header), (b"IDAT", zlib.compress(lines, 9)), (b"IEND", b""))
    path.write_bytes(SIGNATURE + b"".join(_chunk(*chunk) for chunk in chunks))


def read(path: Path) -> Array:
    """An image that `write` stored, as [height, width] in 0..1."""
    data, at, found = path.read_bytes(), len(SIGNATURE), {}
    while at < len(data):
        (length,) = struct.unpack(">I", data[at : at + 4])
        found[data[at + 4 : at + 8]] = data[at + 8 : at + 8 + length]
        at += length + 12
    width, height = struct.unpack(">II", found[b"IHDR"][:8])
    lines = np.frombuffer(zlib.decompress(found[b"IDAT"]), np.uint8).reshape(height, width + 1)
    return lines[:, 1:].astype(np.float32) / 255
