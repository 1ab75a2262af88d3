"""Checking and loading programs, and what a loaded program can do."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from steerlang.diagnostics import Diagnostic, codes, error
from steerlang.diagnostics.suggest import did_you_mean
from steerlang.language.compiling import Compiled
from steerlang.source import Source
from steerlang.syntax.endings import form_in

from .compiling import compile_file, compile_text, facts_of
from .settings import Settings, SteerlangError

if TYPE_CHECKING:
    from steerlang.engine.events import EventSink
    from steerlang.engine.store import Store
    from steerlang.graph.plan import Plan

    from .planning import PlanView
    from .results import Run


def check(
    path: str | Path, parameters: Mapping[str, object] | None = None, settings: Settings | None = None
) -> Compiled:
    """Check a program without running anything: its text, names, types, and the files and models it names.

    Mistakes of the program are in the result's `diagnostics`.
    """
    return compile_file(path, parameters or {}, settings or Settings(), hashing=False)


def check_text(
    text: str,
    folder: str | Path = ".",
    parameters: Mapping[str, object] | None = None,
    settings: Settings | None = None,
    name: str = "<text>",
    form: str | None = None,
) -> Compiled:
    """Check a program given as text; relative paths in it start at `folder`, and messages call it `name`.

    `form` is `steer`, `yaml` or `json`; left out, the text says which.
    """
    ending = {"yaml": ".yaml", "json": ".json"}.get(form or form_in(text), "")
    source = Source(name, text, str(Path(folder).absolute() / f"text.steer{ending}"))
    return compile_text(source, parameters or {}, settings or Settings(), hashing=False)


def load(path: str | Path, parameters: Mapping[str, object] | None = None, settings: Settings | None = None) -> Program:
    """A checked program, ready to plan and run. Raises SteerlangError when it has mistakes."""
    settings = settings or Settings()
    compiled = compile_file(path, parameters or {}, settings, hashing=True)
    if compiled.absent and not (settings.offline or settings.locked) and compiled.ok:
        from steerlang.models.fetching import fetch

        problems = fetch(compiled.absent)
        if problems:
            raise SteerlangError((*compiled.diagnostics, *problems))
        compiled = compile_file(path, parameters or {}, settings, hashing=True)
    if not compiled.ok:
        raise SteerlangError(compiled.diagnostics)
    if compiled.absent:
        raise SteerlangError((*compiled.diagnostics, *(_missing(r.id) for r in compiled.absent)))
    return Program(compiled, settings)


@dataclass(frozen=True, eq=False)
class Program:
    """A program without mistakes."""

    compiled: Compiled
    settings: Settings

    @property
    def name(self) -> str:
        return self.compiled.source.name

    @property
    def diagnostics(self) -> tuple[Diagnostic, ...]:
        """Warnings and notes."""
        return self.compiled.diagnostics

    def plan(self, targets: Collection[str] | None = None, force: Collection[str] = ()) -> PlanView:
        """What a run would do, and why; nothing is carried out."""
        from .planning import view

        store = self.settings.store()
        facts = facts_of(self.compiled.source, self.settings)
        return view(self.compiled, self._plan(store, targets, force), facts, store, targets)

    def run(
        self,
        targets: Collection[str] | None = None,
        force: Collection[str] = (),
        sink: EventSink | None = None,
        keep_going: bool = False,
    ) -> Run:
        """Carry the program out. What went wrong is in the result: `outcome`, `diagnostics`, `expectations`."""
        from .running import carry_out

        store = self.settings.store()
        return carry_out(self, self._plan(store, targets, force), store, sink, keep_going, targets)

    def planned(self, store: Store, targets: Collection[str]) -> Plan:
        """What a run of some definitions would do, given what a store has."""
        return self._plan(store, targets, ())

    def _plan(self, store: Store, targets: Collection[str] | None, force: Collection[str]) -> Plan:
        names = [s.label for s in self.compiled.targets()] if targets is None else list(targets)
        graph = self.compiled.graph
        self._known(names if targets is not None else [], "--target")
        self._known(force, "--force")
        chosen = [n for n in names if any(label == n or label.startswith(f"{n}[") for label in graph.roots)]
        view = store.view(self.compiled.source.path)
        from steerlang.graph.plan import make_plan  # validating plans nothing

        return make_plan(graph, view, force, chosen)

    def _known(self, names: Collection[str], option: str) -> None:
        known = set(self.compiled.tables) | set(self.compiled.graph.roots)
        for name in names:
            if name not in known:
                meant = did_you_mean(name, sorted(known))
                raise SteerlangError(
                    (
                        error(
                            codes.UNKNOWN_NAME,
                            None,
                            f"the program defines nothing named `{name}`",
                            help=meant or "name a definition of the program",
                            place=f"{option} {name}",
                        ),
                    )
                )


def _missing(id: str) -> Diagnostic:
    return error(
        codes.MODEL_NOT_ON_DISK,
        None,
        f"`{id}` is not on this machine, and nothing may be fetched",
        place=id,
        help="run without `--offline`, or fetch it first",
    )
