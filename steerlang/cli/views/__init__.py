"""Views: what verbs hand their results to. One class a format; verbs know none of them by name.

Further formats are a file here, a line in `_VIEWS` and a word in `arguments.FORMATS`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Protocol, cast

from steerlang.cli.arguments import Output
from steerlang.cli.exit_codes import ExitCode
from steerlang.cli.streams import FileStreams, Streams

if TYPE_CHECKING:
    from steerlang.api.inspecting import Looked
    from steerlang.api.lock_writing import LockResult
    from steerlang.api.planning import PlanView
    from steerlang.cli.examination import Examination
    from steerlang.cli.failures import Ending
    from steerlang.cli.formatting import Formatted
    from steerlang.cli.outcomes import Ran
    from steerlang.cli.showing import Shown
    from steerlang.diagnostics.pages import Page
    from steerlang.engine.events import EventSink
    from steerlang.engine.upkeep import Cleared, Problem, Stored
    from steerlang.language.compiling import Compiled
    from steerlang.weights.comparing import CheckpointDifference
    from steerlang.weights.verifying import Finding


class View(Protocol):
    """Shows the result of one verb. Every verb calls exactly one method, once.

    Where `live` is something, it gets every event of a run as it happens.
    """

    streams: Streams
    live: EventSink | None

    def failed(self, ending: Ending) -> None:
        """A verb ended early."""

    def help(self, text: str) -> None:
        """The verb was not named."""

    def checked(self, results: Sequence[Compiled]) -> None:
        """`validate`"""

    def planned(self, plan: PlanView, program: Compiled, code: ExitCode) -> None:
        """`plan`"""

    def ran(self, result: Ran) -> None:
        """`run`"""

    def tested(self, results: Sequence[Ran]) -> None:
        """`test`"""

    def formatted(self, results: Sequence[Formatted], code: ExitCode) -> None:
        """`fmt`"""

    def locked(self, results: Sequence[LockResult], code: ExitCode) -> None:
        """`lock`"""

    def explained(self, page: Page) -> None:
        """`explain CODE`"""

    def inspected(self, found: Looked, plot: Path | None) -> None:
        """`inspect`"""

    def cache_listed(self, root: Path, results: Sequence[Stored]) -> None:
        """`cache ls`"""

    def cache_verified(self, root: Path, count: int, problems: Sequence[Problem]) -> None:
        """`cache verify`"""

    def cache_cleared(self, root: Path, cleared: Cleared) -> None:
        """`cache gc`"""

    def cache_located(self, root: Path) -> None:
        """`cache where`"""

    def verified(self, folder: str, findings: Sequence[Finding], code: ExitCode) -> None:
        """`verify`"""

    def differed(self, names: tuple[str, str], found: CheckpointDifference, code: ExitCode) -> None:
        """`diff`"""

    def examined(self, found: Examination) -> None:
        """`doctor`"""

    def shown(self, result: Shown) -> None:
        """Verbs whose result says itself how it is shown: `convert`, `explain`, `graph`, `init`, …"""


# format → its view; a module is imported when its format is asked for.
_VIEWS = {
    "text": ("text", "TextView"),
    "json": ("json", "JsonView"),
    "jsonl": ("jsonl", "JsonLinesView"),
    "concise": ("concise", "ConciseView"),
    "github": ("github", "GithubView"),
    "gitlab": ("gitlab", "GitlabView"),
    "sarif": ("sarif", "SarifView"),
    "junit": ("junit", "JunitView"),
}


def make_view(output: Output) -> View:
    """The view for a format; with an output file, one that writes there and one that shows text."""
    if output.file is None:
        return _view(output, Streams(output.color))
    from .both import Both

    text = replace(output, format="text", file=None)
    return cast(View, Both(_view(text, Streams(output.color)), _view(output, FileStreams(output.file))))


def _view(output: Output, streams: Streams) -> View:
    module, name = _VIEWS[output.format]
    made: View = getattr(import_module(f".{module}", __name__), name)(streams, output)
    return made
