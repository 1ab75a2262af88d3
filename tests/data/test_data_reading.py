"""Reading data files: every malformed case is reported with its line and hides nothing else."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from table_checks import only

from steerlang.data import MAX_LISTED_PROBLEMS, ProblemKind, read_table
from steerlang.data import text_lines as text_lines_module
from steerlang.data.reading import FORMATS

PAIRS = {"source": "rude", "target": "polite"}
GOOD = '{"rude": "no", "polite": "yes"}\n'


def test_good_rows_carry_their_lines(read):
    table = read(GOOD + GOOD, columns=PAIRS)
    assert table.lines == (1, 2)
    assert table.columns == ("rude", "polite")
    assert table.row_count == 2
    assert not table.problems


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ('{"rude": "a", "polite"}', "is not JSON: expecting ':' delimiter at column 23"),
        ("{'rude': 'a'}", "is not JSON"),
        ('{"rude": "a", "polite": "b"} {}', "is not JSON: extra data"),
        ('["a", "b"]', "is a list, not an object"),
        ('"a"', "is a text, not an object"),
        ("null", "is nothing (null), not an object"),
        ("3", "is a number, not an object"),
        ("true", "is true or false, not an object"),
        ("", "is empty"),
        ("   ", "is empty"),
        ('{"rude": "a"}', "has no column `polite`"),
        ('{"rude": "a", "polite": ""}', "column `polite` is empty"),
        ('{"rude": "a", "polite": " \\t"}', "column `polite` is empty"),
        ('{"rude": "a", "polite": 3}', "column `polite` holds a number, not a text"),
        ('{"rude": "a", "polite": true}', "column `polite` holds true or false, not a text"),
        ('{"rude": "a", "polite": null}', "column `polite` holds nothing (null), not a text"),
        ('{"rude": "a", "polite": ["b"]}', "column `polite` holds a list, not a text"),
        ('{"rude": "a", "rude": "b", "polite": "c"}', "key `rude` stands twice in one object"),
        ('{"rude": NaN, "polite": "c"}', "`NaN` is not JSON"),
        ('{"rude": "\\ud800", "polite": "c"}', "holds half of a surrogate pair, which is no character"),
        ("[" * 100_000, "is nested too deeply"),
        ('{"rude": "a\\u0000", "polite": "c"', "is not JSON"),
    ],
)
def test_a_bad_line_is_reported_alone(read, line, said):
    table = read(GOOD + line + "\n" + GOOD, columns=PAIRS)
    problem = only(table)
    assert problem.line == 2
    assert problem.kind is ProblemKind.ROW
    assert problem.message.startswith(said)
    assert table.lines == (1, 3)


def test_bytes_that_are_no_text(read):
    table = read(GOOD.encode() + b'{"rude": "\xff", "polite": "b"}\n' + b"{\0}\n" + GOOD.encode(), columns=PAIRS)
    # A NUL this early means that the whole file is no text.
    assert only(table).kind is ProblemKind.FILE
    table = read(GOOD.encode() + b'{"rude": "\xff", "polite": "b"}\n' + GOOD.encode(), columns=PAIRS)
    assert only(table).message == "is not UTF-8 (byte 11 of the line)"
    table = read(GOOD.encode() * 1000 + b"{\0}\n" + GOOD.encode(), columns=PAIRS)
    assert (only(table).message, only(table).line) == ("holds a NUL byte", 1001)


@pytest.mark.parametrize("format", [f for f in FORMATS if f != "parquet"])
def test_an_empty_file(read, format):
    problem = only(read("", format))
    assert (problem.line, problem.kind, problem.message) == (0, ProblemKind.EMPTY, "is empty")


EMPTY = {"jsonl": "\n\n", "json": "[]", "csv": "a,b\n", "lines": "\n \n"}


@pytest.mark.parametrize(("format", "content"), EMPTY.items())
def test_a_file_without_rows(read, format, content):
    assert only(read(content, format)).kind is ProblemKind.EMPTY


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("{}".encode("utf-16"), "is UTF-16 text, not UTF-8"),
        (b"\x1f\x8b\x08\x00", "is compressed with gzip"),
        (b"PK\x03\x04....", "is a zip archive"),
        (b"PAR1....", "is a parquet file"),
        (b"GGUF\0\0\0\0", "is binary, not text"),
    ],
)
@pytest.mark.parametrize("format", ["jsonl", "json", "csv", "lines"])
def test_files_that_are_something_else(read, format, content, said):
    problem = only(read(content, format))
    assert (problem.kind, problem.message) == (ProblemKind.FILE, said)
    assert problem.help


def test_a_file_that_is_not_there(tmp_path):
    problem = only(read_table(tmp_path / "none.jsonl", "jsonl"))
    assert problem.message == "cannot be read: no such file or directory"


def test_many_problems_are_counted_and_few_listed(read):
    table = read("x\n" * 100 + GOOD, columns=PAIRS)
    assert len(table.problems) == MAX_LISTED_PROBLEMS
    assert table.problem_count == 100
    assert table.row_count == 1


def test_a_column_no_row_has_is_one_problem(read):
    table = read(GOOD * 50, columns={"source": "rude", "target": "polit"})
    problem = only(table)
    assert (problem.kind, problem.line, problem.column) == (ProblemKind.COLUMN, 0, "polit")


def test_a_column_some_rows_lack_is_told_by_row(read):
    table = read(GOOD + '{"rude": "a"}\n{"rude": 1}\n' + GOOD, columns=PAIRS)
    assert [(p.line, p.column) for p in table.problems] == [(2, "polite"), (3, "rude"), (3, "polite")]


def test_blank_lines_at_the_end_and_a_byte_order_mark_are_no_rows(read):
    table = read(b"\xef\xbb\xbf" + GOOD.encode() + b"\r\n\n  \n", columns=PAIRS)
    assert not table.problems
    assert table.columns == ("rude", "polite")


def test_a_line_without_end_is_not_held_in_memory(read, monkeypatch):
    monkeypatch.setattr(text_lines_module, "MAX_LINE_BYTES", 64)
    table = read(GOOD + "x" * 1000 + "\n" + GOOD + "y" * 1000, columns=PAIRS)
    assert [(p.line, p.message) for p in table.problems] == [(2, "is longer than 0 MiB"), (4, "is longer than 0 MiB")]
    assert table.lines == (1, 3)


def test_only_the_first_rows_are_kept_where_asked(read):
    table = read(GOOD * 50, columns=PAIRS, keep=3)
    assert len(table.rows) == 3
    assert table.row_count == 50


def test_an_unknown_format_is_a_bug(read):
    with pytest.raises(ValueError, match="no such format"):
        read(GOOD, "xml")


def test_a_json_list_tells_the_line_of_each_row(read):
    table = read('[\n {"text": "a"},\n\n {"text":\n "b"}\n]\n', "json", {"text": "text"})
    assert table.lines == (2, 4)


@pytest.mark.parametrize(
    ("content", "line", "said"),
    [
        ('[{"text": "a"},\n{"text" 1},\n{"text": "c"}]', 2, "is not JSON: expecting ':' delimiter"),
        ('[{"text": "a"},\n3,\n{"text": "c"}]', 2, "is a number, not an object"),
        ('[{"text": "a"},\n{"text": "c"}', 2, "the list is not closed"),
        ('[{"text": "a"},\n{"text": "c"} {"text": "d"}]', 2, "a comma is missing between two rows"),
        ('[{"text": "a"},\n{"text": "c"}]\n[]', 3, "something follows the end of the list"),
        ('[{"text": "a"},{"text": "c"},\n]', 2, "is not JSON: expecting value"),
    ],
)
def test_a_damaged_json_list(read, content, line, said):
    table = read(content, "json", {"text": "text"})
    problem = only(table)
    assert problem.line == line
    assert problem.message.startswith(said)
    assert table.row_count == 2


@pytest.mark.parametrize(("content", "said"), [('{"text": "a"}', "holds one object"), ("nope", "holds something else")])
def test_json_that_is_no_list(read, content, said):
    assert only(read(content, "json")).message.startswith(said)


def test_json_that_is_not_utf8(read):
    assert only(read(b'[\n{"text": "\xff"}]', "json")).message == "is not UTF-8 (line 2)"


def test_lines(read):
    table = read("one\r\n  two \n\nfour\n\n", "lines", {"text": "text"})
    assert [r.cells["text"] for r in table.rows] == ["one", "  two ", "four"]
    assert (only(table).line, only(table).message) == (3, "is empty")


def test_labels_are_texts_or_whole_numbers(read):
    content = "".join(json.dumps({"t": "a", "l": label}) + "\n" for label in (1, "x", True, 1.5, "", None))
    table = read(content, columns={"text": "t", "label": "l"})
    assert [p.line for p in table.problems] == [4, 5, 6]


def test_parquet_without_its_package(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "pyarrow.parquet", None)
    (tmp_path / "a.parquet").write_bytes(b"PAR1")
    problem = only(read_table(tmp_path / "a.parquet", "parquet"))
    assert problem.kind is ProblemKind.EXTRA
    assert "pyarrow" in problem.message


def test_parquet_with_its_package(tmp_path):
    arrow = pytest.importorskip("pyarrow")
    parquet = pytest.importorskip("pyarrow.parquet")
    parquet.write_table(arrow.table({"text": ["a", "b"], "n": [1, 2]}), tmp_path / "a.parquet")
    table = read_table(tmp_path / "a.parquet", "parquet", {"text": "text"})
    assert [(r.line, dict(r.cells)) for r in table.rows] == [(1, {"text": "a", "n": 1}), (2, {"text": "b", "n": 2})]


cells = st.text(st.characters(blacklist_categories=("Cs",))) | st.integers(-(2**53), 2**53) | st.booleans() | st.none()
rows = st.lists(st.dictionaries(st.text(st.characters(blacklist_categories=("Cs",))), cells), min_size=1, max_size=8)


@given(rows)
def test_whatever_is_written_as_json_is_read_as_it_was(tmp_path_factory, rows):
    folder: Path = tmp_path_factory.mktemp("rows")
    (folder / "a.jsonl").write_text("".join(json.dumps(r) + "\n" for r in rows), encoding="utf-8")
    (folder / "a.json").write_text(json.dumps(rows, ensure_ascii=False), encoding="utf-8")
    for format in ("jsonl", "json"):
        table = read_table(folder / f"a.{format}", format)
        assert [dict(r.cells) for r in table.rows] == rows


@given(st.binary(max_size=200))
def test_no_bytes_break_the_reader(tmp_path_factory, content):
    path = tmp_path_factory.mktemp("bytes") / "a"
    path.write_bytes(content)
    for format in ("jsonl", "json", "csv", "tsv", "lines"):
        table = read_table(path, format, {"text": "text"})
        assert table.problem_count or table.row_count
