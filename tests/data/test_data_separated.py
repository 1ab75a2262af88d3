"""Comma- and tab-separated files."""

from __future__ import annotations

import pytest
from table_checks import only

from steerlang.data import ProblemKind


def test_csv_quotes_and_line_breaks(read):
    table = read('a,b\n"x, y","say ""hi""\nthere"\nlast,row\n', "csv", {"text": "b"})
    assert [dict(r.cells) for r in table.rows] == [{"a": "x, y", "b": 'say "hi"\nthere'}, {"a": "last", "b": "row"}]
    assert table.lines == (2, 4)


@pytest.mark.parametrize(
    ("row", "said"),
    [
        ("x", "has 1 field, but the header names 2"),
        ("x,y,z", "has 3 fields, but the header names 2"),
        ("", "is empty"),
        ("x,", "column `b` is empty"),
        ('x,"y"z', "is malformed"),
    ],
)
def test_a_bad_csv_row(read, row, said):
    table = read(f"a,b\nx,y\n{row}\nx,y\n", "csv", {"text": "b"})
    assert only(table).line == 3
    assert only(table).message.startswith(said)
    assert table.row_count == 2


def test_a_csv_row_that_is_not_utf8(read):
    table = read(b'a,b\nx,\xff\nx,"y\n\xfe"\nx,y\n', "csv")
    assert [(p.line, p.message[:12]) for p in table.problems] == [(2, "is not UTF-8"), (3, "is not UTF-8")]
    assert table.lines == (5,)


def test_a_csv_quote_that_is_never_closed(read):
    table = read('a,b\nx,y\nx,"y\nx,y\n', "csv")
    assert only(table).line == 3
    assert "quote" in only(table).help


@pytest.mark.parametrize(
    ("header", "said"),
    [
        ("a,a", "names column `a` twice in its header line"),
        ("a,", "has a column without a name in its header line"),
        ('"a"x,b', "has a malformed header line"),
    ],
)
def test_a_bad_csv_header(read, header, said):
    assert only(read(f"{header}\n1,2\n", "csv")).message.startswith(said)


def test_a_csv_header_tells_a_missing_column_without_a_good_row(read):
    table = read("a,b\nx\n", "csv", {"text": "text"})
    assert [p.kind for p in table.problems] == [ProblemKind.ROW, ProblemKind.COLUMN]


def test_tsv(read):
    table = read('a\tb\nx, y\t"q\tq"\n', "tsv", {"text": "b"})
    assert dict(table.rows[0].cells) == {"a": "x, y", "b": "q\tq"}
