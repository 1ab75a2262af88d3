"""Values for parameters from the command line: `--set NAME=VALUE` and `--params FILE`."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path

from steerlang.diagnostics import Diagnostic, codes, error

from .exit_codes import ExitCode
from .failures import Failed

NAME = re.compile(r"[A-Za-z_]\w*(\.[A-Za-z_]\w*)*", re.ASCII)
LARGEST = 1 << 20


def read_parameters(settings: Sequence[str], files: Sequence[Path]) -> dict[str, object]:
    """All values by parameter name: later files win over earlier ones, `--set` over files. Raises Failed."""
    values: dict[str, object] = {}
    problems: list[Diagnostic] = []
    for path in files:
        found, wrong = _file(path)
        values.update(found)
        problems.extend(wrong)
    for setting in settings:
        name, equals, value = setting.partition("=")
        if equals and NAME.fullmatch(name.strip()):
            values[name.strip()] = value
        else:
            problems.append(_bad_setting(setting))
    if problems:
        raise Failed(problems, ExitCode.USAGE)
    return values


def _bad_setting(setting: str) -> Diagnostic:
    return error(codes.USAGE, None, f"`{setting}` does not set a parameter", place=f"--set {setting}",
                 help="write `--set NAME=VALUE`, as in `--set strength=0.2`")


def _file(path: Path) -> tuple[Mapping[str, object], list[Diagnostic]]:
    """The values in one file, and what is wrong with it."""
    place = f"--params {path}"
    try:
        with path.open("rb") as file:
            content = file.read(LARGEST + 1)
    except FileNotFoundError:
        return {}, [error(codes.FILE_NOT_FOUND, None, f"there is no file `{path}`", place=place)]
    except OSError as e:
        return {}, [error(codes.UNREADABLE_FILE, None, f"`{path}` cannot be read ({e.strerror})", place=place)]
    if len(content) > LARGEST:
        return {}, [error(codes.FILE_TOO_LARGE, None, f"`{path}` is larger than 1 MiB", place=place)]
    return _mapping(content, path, place)


def _mapping(content: bytes, path: Path, place: str) -> tuple[Mapping[str, object], list[Diagnostic]]:
    import yaml

    try:
        document = yaml.safe_load(content.decode("utf-8-sig"))  # JSON is YAML
    except UnicodeDecodeError:
        return {}, [error(codes.NOT_TEXT, None, f"`{path}` is not UTF-8 text", place=place)]
    except (yaml.YAMLError, RecursionError, ValueError) as e:
        return {}, [error(codes.UNREADABLE_FILE, None, f"`{path}` is neither YAML nor JSON{_at(e)}", place=place)]
    if document is None:
        return {}, []
    if not isinstance(document, dict):
        return {}, [error(codes.UNREADABLE_FILE, None, f"`{path}` does not map names to values", place=place,
                          help="write one `name: value` a line")]
    problems = [p for name, value in document.items() if (p := _problem(name, value, place)) is not None]
    return document, problems


def _problem(name: object, value: object, place: str) -> Diagnostic | None:
    if not isinstance(name, str) or not NAME.fullmatch(name):
        return error(codes.PARAMETER_VALUE, None, f"`{name}` is not a name", place=place)
    if isinstance(value, (bool, int, float, str)):
        return None
    return error(codes.PARAMETER_VALUE, None, f"`{name}` is neither a number, a text nor true or false", place=place,
                 help="parameters hold single values")


def _at(e: Exception) -> str:
    mark = getattr(e, "problem_mark", None)
    return f" (line {mark.line + 1}, column {mark.column + 1})" if mark is not None else ""
