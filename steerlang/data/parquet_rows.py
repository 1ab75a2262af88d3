"""Rows of parquet files, by way of pyarrow when it is installed."""

from __future__ import annotations

import importlib
from collections.abc import Iterator
from pathlib import Path

from .table import ProblemKind, Row, RowProblem, UnreadableError


def parquet_rows(path: Path) -> Iterator[Row | RowProblem]:
    """Rows in the file's order; a row's `line` is its number, from 1."""
    try:
        parquet = importlib.import_module("pyarrow.parquet")
    except ImportError:
        raise UnreadableError(
            "is a parquet file, and pyarrow is not installed",
            "run `pip install pyarrow`, or convert the file to JSON lines",
            ProblemKind.EXTRA,
        ) from None
    try:
        file = parquet.ParquetFile(path)
    except Exception as error:
        raise UnreadableError(f"is not a parquet file: {error}") from None
    number = 0
    for batch in file.iter_batches():
        for cells in batch.to_pylist():
            number += 1
            yield Row(number, cells)
