"""A reader of data files written on the spot."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from steerlang.data import Table, read_table


@pytest.fixture
def read(tmp_path: Path) -> Callable[..., Table]:
    def read(content: str | bytes, format: str = "jsonl", columns=None, keep=None) -> Table:
        path = tmp_path / f"data.{format}"
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        return read_table(path, format, columns, keep)

    return read
