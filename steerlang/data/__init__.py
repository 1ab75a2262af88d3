"""Demonstrations: reading data files, checking them, making rows, and measures of text. Standard library only."""

from .canonical import from_json_lines, row_digest, rows_digest, to_json_lines
from .demonstrations import (
    Contains,
    Demonstration,
    Equals,
    Filter,
    RowOptions,
    Rows,
    check_options,
    demonstrations,
    of_pairs,
    of_texts,
    stripped,
)
from .reading import FORMATS, read_table
from .roles import CARRIED, ROLES, TEXT_ROLES
from .sampling import sample, sample_by, split
from .table import MAX_LISTED_PROBLEMS, ProblemKind, Row, RowProblem, Table
from .templates import Template, parse_template, unknown_places
from .text_metrics import bootstrap_interval, changed, contains_rate, distinct, distinct_each, mean, word_share
from .words import WordList, contains_word, normalised, word_list_problems, words

__all__ = [
    "CARRIED",
    "FORMATS",
    "MAX_LISTED_PROBLEMS",
    "ROLES",
    "TEXT_ROLES",
    "Contains",
    "Demonstration",
    "Equals",
    "Filter",
    "ProblemKind",
    "Row",
    "RowOptions",
    "RowProblem",
    "Rows",
    "Table",
    "Template",
    "WordList",
    "bootstrap_interval",
    "changed",
    "check_options",
    "contains_rate",
    "contains_word",
    "demonstrations",
    "distinct",
    "distinct_each",
    "from_json_lines",
    "mean",
    "normalised",
    "of_pairs",
    "of_texts",
    "parse_template",
    "read_table",
    "row_digest",
    "rows_digest",
    "sample",
    "sample_by",
    "split",
    "stripped",
    "to_json_lines",
    "unknown_places",
    "word_list_problems",
    "word_share",
    "words",
]
