"""Files and the names they define: one module per file, imports resolved relative to the importing file."""

from __future__ import annotations

import os
import re
from bisect import bisect_right
from collections.abc import Callable
from dataclasses import dataclass, field

from steerlang.diagnostics import Diagnostic, Label, codes, error
from steerlang.source import Source, Span
from steerlang.syntax import tree

Read = Callable[[str, str], tuple[Source | None, list[Diagnostic]]]
Parse = Callable[[Source], tuple[tree.Program, list[Diagnostic]]]


@dataclass(frozen=True, eq=False)
class Symbol:
    """A definition in its module. `label` is how results and messages name it (`common.polite`)."""

    name: str
    kind: str
    definition: tree.Definition
    module: Module
    broken: bool = False  # it has mistakes of form, which are reported: nothing more is said of it

    @property
    def label(self) -> str:
        return f"{self.module.prefix}{self.name}"

    @property
    def span(self) -> Span:
        return self.definition.name.span


@dataclass(eq=False)
class Module:
    """One file: its symbols by name, and its imports by the name they are used under."""

    source: Source
    prefix: str
    symbols: dict[str, Symbol] = field(default_factory=dict)
    unread: frozenset[str] = frozenset()  # words in what could not be read, any of which may have been a definition
    imports: dict[str, Module] = field(default_factory=dict)

    @property
    def folder(self) -> str:
        """The folder that relative paths in this file start from."""
        return os.path.dirname(self.source.path) if self.source.path else os.getcwd()


def every(module: Module) -> list[Symbol]:
    """The symbols of a module and of all it imports, imports first."""
    found = [s for child in module.imports.values() for s in every(child)]
    return [*found, *module.symbols.values()]


class Loader:
    """Reads a program and everything it imports.

    `read` (a path, and the name it is shown under) and `parse` are handed in, so that tests need no files.
    """

    def __init__(self, read: Read, parse: Parse) -> None:
        self._read = read
        self._parse = parse
        self.diagnostics: list[Diagnostic] = []
        self.sources: list[Source] = []
        self._files: dict[str, tuple[Source | None, list[Diagnostic]]] = {}
        self._programs: dict[Source, tuple[tree.Program, list[Diagnostic]]] = {}

    def load(self, source: Source) -> Module:
        return self._module(source, "", (source.path or source.name,))

    def _module(self, source: Source, prefix: str, chain: tuple[str, ...]) -> Module:
        program, problems = self._program(source)
        module = Module(source, prefix)
        broken = _broken(program, problems)
        module.unread = frozenset(w for span in broken.values() for w in re.findall(r"[A-Za-z_]\w*", span.text))
        for definition in program.definitions:
            self._define(module, definition, definition.span.start in broken)
        for symbol in list(module.symbols.values()):
            if symbol.kind == "import":
                self._import(module, symbol, chain)
        return module

    def _program(self, source: Source) -> tuple[tree.Program, list[Diagnostic]]:
        """A file's tree and its mistakes of form; a file that is imported twice is parsed once."""
        if source not in self._programs:
            self._programs[source] = self._parse(source)
            self.sources.append(source)
            self.diagnostics.extend(self._programs[source][1])
        return self._programs[source]

    def _define(self, module: Module, definition: tree.Definition, broken: bool) -> None:
        name = definition.name.id
        first = module.symbols.get(name)
        if first is not None:
            self.diagnostics.append(
                error(
                    codes.DUPLICATE_NAME,
                    definition.name.span,
                    f"`{name}` is defined twice",
                    help="a name is defined once: rename one of them or take it out",
                    secondary=(Label(first.span, "first defined here"),),
                )
            )
            return
        module.symbols[name] = Symbol(name, definition.kind.id, definition, module, broken)

    def _import(self, module: Module, symbol: Symbol, chain: tuple[str, ...]) -> None:
        value = symbol.definition.value
        if isinstance(value, tree.Broken) or symbol.broken:
            return
        if not isinstance(value, tree.String):
            self.diagnostics.append(
                error(
                    codes.KIND_MISMATCH,
                    value.span,
                    "an import takes the path of a file",
                    help=f'write `import {symbol.name} = "common.steer"`',
                )
            )
            return
        path = os.path.normpath(os.path.join(module.folder, value.value))
        if path in chain:
            steps = " → ".join(os.path.basename(p) for p in (*chain[chain.index(path) :], path))
            self.diagnostics.append(
                error(
                    codes.IMPORT_CYCLE,
                    value.span,
                    f"files import each other in a circle: {steps}",
                    help="move what both files need into a third one",
                )
            )
            return
        if path not in self._files:
            name = os.path.normpath(os.path.join(os.path.dirname(module.source.name), value.value))
            self._files[path] = self._read(path, name.replace(os.sep, "/"))
        source, problems = self._files[path]
        if source is None:
            self.diagnostics.extend(_placed(problems, value.span))
            return
        child = self._module(source, f"{module.prefix}{symbol.name}.", (*chain, path))
        module.imports[symbol.name] = child
        self._check_effects(child, value.span)

    def _check_effects(self, child: Module, where: Span) -> None:
        for symbol in child.symbols.values():
            if symbol.kind in ("expect", "export", "report"):
                self.diagnostics.append(
                    error(
                        codes.EFFECT_IN_IMPORT,
                        symbol.definition.kind.span,
                        f"an imported file may not hold {_an(symbol.kind)}: `{symbol.name}` would run everywhere",
                        help="move it into the program that imports this file",
                        secondary=(Label(where, "imported here"),),
                    )
                )


def _broken(program: tree.Program, problems: list[Diagnostic]) -> dict[int, Span]:
    """What mistakes of form lie in: from each definition that has one to where the next begins, by its start."""
    starts = [0, *(d.span.start for d in program.definitions), len(program.span.source.text)]
    found: dict[int, Span] = {}
    for problem in problems:
        if problem.is_error and problem.primary is not None:
            at = bisect_right(starts, problem.primary.span.start, 0, len(starts) - 1) - 1
            found[starts[at]] = Span(program.span.source, starts[at], starts[at + 1])
    return found


def _an(word: str) -> str:
    return f"an `{word}`" if word[0] in "aeiou" else f"a `{word}`"


def _placed(problems: list[Diagnostic], span: Span) -> list[Diagnostic]:
    """Problems with a file, shown at the import that names it."""
    return [error(p.code, span, p.message, help=p.help, notes=p.notes) if p.primary is None else p for p in problems]
