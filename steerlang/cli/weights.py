"""What the verbs on folders of weights share: opening them, and how what is wrong with them is said."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec

from steerlang.diagnostics import codes, error

from .exit_codes import ExitCode
from .failures import Failed


@contextmanager
def weights_errors(place: str) -> Iterator[None]:
    """Turns what is wrong with weights into a diagnostic that names the file. Raises Failed."""
    if find_spec("numpy") is None:
        help = "install it with `pip install 'steerlang[run]'`"
        raise Failed([error(codes.MISSING_EXTRA, None, "reading weights needs `numpy`", place=place, help=help)],
                     ExitCode.RUN_FAILED)
    from steerlang.weights.errors import WeightsError

    try:
        yield
    except WeightsError as e:
        found = error(e.code, None, e.message, place=e.place or place, help=e.help, notes=e.notes)
        raise Failed([found], ExitCode.RUN_FAILED) from e

