"""Shorthand of the tests of reading."""

from __future__ import annotations

from steerlang.data import RowProblem, Table


def only(table: Table) -> RowProblem:
    """The one problem a table has."""
    assert table.problem_count == len(table.problems) == 1
    return table.problems[0]
