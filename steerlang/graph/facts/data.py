"""The facts of data files and documents."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from steerlang.data import (
    ProblemKind,
    Row,
    RowOptions,
    RowProblem,
    Table,
    check_options,
    demonstrations,
    read_table,
)
from steerlang.data.classes import in_order
from steerlang.data.demonstrations import passing
from steerlang.data.images import exists
from steerlang.data.templates import in_text
from steerlang.diagnostics import codes
from steerlang.diagnostics.suggest import did_you_mean

from .digests import FileDigests
from .images import bad_images
from .json_document import RepeatedKey, parse_json
from .paths import missing, resolve_path
from .promise import DataFacts, DocumentFacts, LabelFacts, Trouble
from .troubles import bad_file, unreadable

_EXAMPLES = 3
# Lists of words and names are short, and some are needed whole before anything runs.
_LINES = 1000
_NOTES = 10
_DOCUMENT_BYTES = 8 << 20
_WHOLE_FILE = {
    ProblemKind.COLUMN: codes.MISSING_COLUMN,
    ProblemKind.EMPTY: codes.EMPTY_DATA,
    ProblemKind.EXTRA: codes.MISSING_EXTRA,
    ProblemKind.FILE: codes.UNREADABLE_FILE,
    ProblemKind.ROW: codes.BAD_ROW,
}
# Messages of rows are predicates, except those that begin with their own subject.
_PREDICATES = ("is ", "has ", "holds ", "names ", "cannot ")


def find_file(text: str, base_folder: str | Path, what: str) -> Path | Trouble:
    """A file that exists and is one: not a folder, and no device that could be read for ever."""
    path = resolve_path(text, base_folder)
    if isinstance(path, Trouble):
        return path
    try:
        if not path.exists():
            return missing(text, path, what)
        if path.is_dir():
            return bad_file(path, f"`{text}` is a folder, not a file", "name a file in it")
        if not path.is_file():
            return bad_file(path, f"`{text}` is not a regular file")
    except OSError as problem:
        return unreadable(text, path, problem)
    return path


def read_data(
    path: Path, name: str, format: str, columns: Mapping[str, str], options: RowOptions, digests: FileDigests
) -> DataFacts | tuple[Trouble, ...]:
    """The facts of a data file, or everything that is wrong with it."""
    plain = options == RowOptions(chat=options.chat, system=options.system)
    whole = not plain or bool({"image", "label", "id"} & columns.keys())
    shown = _LINES if format == "lines" else _EXAMPLES
    table = read_table(path, format, columns, keep=None if whole else shown)
    troubles = _table_troubles(table, name, path)
    if any(one.code is not codes.BAD_ROW for one in troubles):
        return troubles
    wrong = check_options(options, table.columns, columns)
    if wrong:
        return (*troubles, *(_option_trouble(problem, table.columns) for problem in wrong))
    rows, empty = demonstrations(table.rows, columns, options)
    if empty:
        troubles = (*troubles, _row_trouble(list(empty), len(empty), name, path))
    if troubles:
        return troubles
    kept = table.row_count if plain else len(rows)
    if not kept:
        help = "loosen `where`" if options.where else ""
        return (Trouble(codes.EMPTY_DATA, f"no row of `{name}` is left", (help,) if help else (), place=str(path)),)
    skips = options.broken == "skip"
    lost = bad_images(path, name, rows) if "image" in columns and not skips else None
    if lost is not None:
        return (lost,)
    images = tuple(str(row["image"]) for row in rows) if "image" in columns else ()
    if skips:  # those that are not there have no contents
        images = tuple(image for image in images if exists(path.parent / image))
    labels = labels_of(passing(table.rows, options), columns)
    return DataFacts(
        path, name, format, table.columns, table.row_count, kept, rows[:shown], labels,
        lambda: _data_digest(path, images, digests),
    )  # fmt: skip


def labels_of(rows: Iterable[Row], columns: Mapping[str, str]) -> dict[str, LabelFacts]:
    """The labels of rows, in order."""
    if "label" not in columns:
        return {}
    found: dict[str, LabelFacts] = {}
    for row in rows:
        label = in_text(row.cells[columns["label"]])
        before = found.get(label, LabelFacts(0, row.line))
        found[label] = LabelFacts(before.count + 1, before.line)
    return {label: found[label] for label in in_order(found)}


def _table_troubles(table: Table, name: str, path: Path) -> tuple[Trouble, ...]:
    """One trouble for every mistake that concerns the whole file, and one for all bad rows together."""
    whole = [p for p in table.problems if p.kind is not ProblemKind.ROW]
    rows = [p for p in table.problems if p.kind is ProblemKind.ROW]
    troubles = [_file_trouble(problem, table.columns, name, path) for problem in whole]
    if rows:
        troubles.append(_row_trouble(rows, table.problem_count - len(whole), name, path))
    return tuple(troubles)


def _file_trouble(problem: RowProblem, columns: Sequence[str], name: str, path: Path) -> Trouble:
    code = _WHOLE_FILE[problem.kind]
    help: tuple[str, ...] = (problem.help,) if problem.help else ()
    notes: tuple[str, ...] = ()
    if problem.kind is ProblemKind.COLUMN and problem.column is not None:
        help = did_you_mean(problem.column, columns)
        notes = ("it has " + ", ".join(f"`{column}`" for column in columns),)
    return Trouble(code, f"`{name}` {problem.message}", help, notes, str(path), problem.column)


def _row_trouble(problems: list[RowProblem], count: int, name: str, path: Path) -> Trouble:
    first = problems[0]
    place = f"{path}:{first.line}"
    helps = tuple(dict.fromkeys(p.help for p in problems if p.help))
    if count == 1:
        message = f"line {first.line} of `{name}`{_after(first.message)}"
        return Trouble(codes.BAD_ROW, message, helps, place=place, column=first.column)
    notes = [f"line {p.line}{_after(p.message)}" for p in problems[:_NOTES]]
    if count > len(notes):
        notes.append(f"and {count - len(notes)} more")
    lines = len({p.line for p in problems})
    what = f"{lines} rows of `{name}` are" if count == len(problems) and lines > 1 else f"rows of `{name}` are"
    return Trouble(codes.BAD_ROW, f"{what} malformed or empty", helps, tuple(notes), place, first.column)


def _after(message: str) -> str:
    return f" {message}" if message.startswith(_PREDICATES) else f": {message}"


def _option_trouble(problem: RowProblem, columns: Sequence[str]) -> Trouble:
    own = (problem.help,) if problem.help else ()
    close = did_you_mean(problem.column, columns) if problem.column is not None else ()
    code = codes.MISSING_COLUMN if problem.kind is ProblemKind.COLUMN else codes.ARGUMENT_TYPE
    return Trouble(code, problem.message, close or own, own if close else (), column=problem.column)


def _data_digest(path: Path, images: Sequence[str], digests: FileDigests) -> str:
    found = digests.of(path)
    if not images:
        return found
    files = {image: path.parent / image for image in images}
    return digests.together([("", found), ("images", digests.of_many(path, files))])


def read_document(path: Path, name: str, digests: FileDigests) -> DocumentFacts | Trouble:
    """A YAML or JSON file, by the end of its name."""
    try:
        if path.stat().st_size > _DOCUMENT_BYTES:
            return bad_file(path, f"`{name}` is larger than {_DOCUMENT_BYTES >> 20} MiB")
        text = path.read_bytes().decode("utf-8-sig")
    except OSError as problem:
        return unreadable(name, path, problem)
    except UnicodeDecodeError:
        return bad_file(path, f"`{name}` is not UTF-8 text", "save it as UTF-8")
    if not text.strip():
        return bad_file(path, f"`{name}` is empty")
    value = _parsed(text, path, name)
    return value if isinstance(value, Trouble) else DocumentFacts(path, name, value, lambda: digests.of(path))


def _parsed(text: str, path: Path, name: str) -> object:
    if path.suffix.lower() == ".json":
        try:
            return parse_json(text)
        except RepeatedKey as problem:
            return bad_file(path, f"in `{name}` the {problem}", "keep one of the two")
        except (ValueError, RecursionError) as problem:
            line = getattr(problem, "lineno", 1)
            return bad_file(path, f"`{name}` is not JSON: {problem}", line=line)
    # Only here: programs without YAML files do not pay for the import.
    from .yaml_document import parse_yaml

    return parse_yaml(text, path, name)
