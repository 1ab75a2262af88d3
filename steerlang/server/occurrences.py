"""Where definitions are written and used: in a program, in the files it imports, and in programs that import it."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import chain
from pathlib import Path

from steerlang.language.modules import Symbol
from steerlang.language.notes import Use
from steerlang.source import Span
from steerlang.syntax.endings import PROGRAM_ENDINGS, form_of
from steerlang.syntax.vocabulary import SPELLING

from .analysis import Analysis
from .desk import Desk, uri_of

#: Programs of the open folder that are looked through at most.
MOST_PROGRAMS = 2000
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_RESERVED = frozenset(SPELLING.values())


@dataclass(frozen=True)
class Occurrence:
    """A place where a definition is named. `defines` where that is its definition."""

    span: Span
    defines: bool = False


class CannotRename(Exception):  # noqa: N818
    """Why a name cannot be changed as asked, in words for the user."""


def place_of(symbol: Symbol) -> tuple[str, str]:
    """What a definition is told by, whichever program it was read for."""
    source = symbol.module.source
    return (os.path.normpath(source.path) if source.path is not None else source.name, symbol.name)


def in_program(analysis: Analysis, symbol: Symbol) -> Iterator[Occurrence]:
    """Every place of one program and its imports, a place that is read twice twice."""
    meant = place_of(symbol)
    for known in _symbols(analysis):
        if place_of(known) == meant:
            yield Occurrence(known.span, True)
    yield from (Occurrence(u.span) for u in analysis.notes.uses if place_of(u.symbol) == meant)


def _symbols(analysis: Analysis) -> Iterator[Symbol]:
    todo = [analysis.module]
    while todo:
        module = todo.pop()
        yield from module.symbols.values()
        todo.extend(module.imports.values())


def everywhere(desk: Desk, analysis: Analysis, symbol: Symbol) -> list[Occurrence]:
    """Every place in open programs and in those of the open folder, each once, in order."""
    found: dict[tuple[str, int, int], Occurrence] = {}
    for program in (analysis, *_others(desk, analysis, symbol)):
        for occurrence in in_program(program, symbol):
            span = occurrence.span
            found.setdefault((desk.uri_of(span.source), span.start, span.end), occurrence)
    return [found[key] for key in sorted(found)]


def _others(desk: Desk, analysis: Analysis, symbol: Symbol) -> Iterator[Analysis]:
    """Other programs that may name a definition: its own file, and those that hold its name and an import."""
    path, name = place_of(symbol)
    own = Path(path).name
    uris = dict.fromkeys([uri_of(path) if os.path.isabs(path) else path, *(d.uri for d in desk.documents)])
    uris.update(dict.fromkeys(uri_of(p) for p in programs_in(desk.folders)))
    for uri in uris:
        document = desk.document(uri)
        if document is None or document.path == analysis.document.path:
            continue
        if document.path == path or (name in document.text and own in document.text):
            found = desk.analysis(document.uri)
            if found is not None:
                yield found


def programs_in(open_folders: Iterable[str]) -> list[str]:
    """Programs below some folders, hidden folders left out."""
    found: list[str] = []
    for top, folders, files in chain.from_iterable(map(os.walk, open_folders)):
        folders[:] = sorted(f for f in folders if not f.startswith(".") and f not in ("node_modules", "__pycache__"))
        found += [os.path.join(top, f) for f in sorted(files) if f.endswith(PROGRAM_ENDINGS)]
        if len(found) >= MOST_PROGRAMS:
            break
    return found[:MOST_PROGRAMS]


def renameable(analysis: Analysis, offset: int) -> Use | None:
    """The name at an offset, where it is that of a definition."""
    use = analysis.symbol_at(offset)
    return use if use is not None and use.span.text == use.symbol.name else None


def rename(desk: Desk, analysis: Analysis, symbol: Symbol, to: str) -> list[Occurrence]:
    """The places that change. Raises CannotRename."""
    if not _NAME.fullmatch(to) or to in _RESERVED:
        raise CannotRename(f"`{to}` is no name: names are letters, digits and `_`, and no reserved words")
    if to != symbol.name and to in symbol.module.symbols:
        raise CannotRename(f"`{to}` is defined already in `{symbol.module.source.name}`")
    places = everywhere(desk, analysis, symbol)
    strange = [p for p in places if p.span.text != symbol.name]
    if strange:
        source = strange[0].span.source
        form = form_of(source.path or source.name)
        raise CannotRename(f"`{symbol.name}` is used in `{source.name}`, whose {form} text cannot be changed in place")
    return places
