"""What the exit status of every verb means. Printed in `steerlang --help` and held by a test."""

from __future__ import annotations

from collections.abc import Iterable
from enum import IntEnum


class ExitCode(IntEnum):
    """The exit status, with its meaning as `meaning`."""

    meaning: str

    def __new__(cls, value: int, meaning: str) -> ExitCode:
        member = int.__new__(cls, value)
        member._value_ = value
        member.meaning = meaning
        return member

    OK = 0, "success; with `plan --detailed-exitcode`: nothing to do"
    INVALID = 1, (
        "the program has errors; `fmt --check` found files to rewrite, `verify` damage, or `diff` differences"
    )
    USAGE = 2, "the command line or a parameter file is not understood"
    RUN_FAILED = 3, "a step of the run failed: memory, disk, network, numbers that are not finite"
    EXPECTATION_FAILED = 4, "the run went through, but an `expect` does not hold"
    WORK_TO_DO = 5, "`plan --detailed-exitcode` only: something would run"
    INTERNAL = 70, "a bug in steerlang"
    INTERRUPTED = 130, "interrupted; finished results are kept"


# What several programs together end with: the first of these that occurred.
_GRAVEST_FIRST = (
    ExitCode.INTERNAL,
    ExitCode.INTERRUPTED,
    ExitCode.USAGE,
    ExitCode.RUN_FAILED,
    ExitCode.INVALID,
    ExitCode.EXPECTATION_FAILED,
    ExitCode.WORK_TO_DO,
)


def gravest(codes: Iterable[ExitCode]) -> ExitCode:
    """The code that stands for several; OK for none."""
    found = set(codes)
    return next((code for code in _GRAVEST_FIRST if code in found), ExitCode.OK)
