"""What lies open in the editor, and what is known of it. An open file counts as its text in the editor, also where
another program imports it; the file on disk is read only where none is open."""

from __future__ import annotations

import os
import time
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import lru_cache
from pathlib import Path
from urllib.parse import unquote, urlsplit

from steerlang.api.forms import parse
from steerlang.api.settings import Settings
from steerlang.diagnostics import Diagnostic
from steerlang.functions import registry
from steerlang.graph.facts import Facts
from steerlang.language.compiling import Compiled, compile_source
from steerlang.language.lowering import Options
from steerlang.source import Source
from steerlang.syntax import read_source

from .analysis import Analysis
from .remembered import RememberedFacts
from .texts import Change, Document, Text

#: Seconds for which files and models on disk are taken to be as they were: a change there shows after so long.
STALE_AFTER = 10.0


def path_of(uri: str) -> str | None:
    """The path of a `file:` address, None for any other."""
    parts = urlsplit(uri)
    if parts.scheme != "file":
        return None
    path = unquote(parts.path)
    if os.name == "nt":
        return os.path.normpath(f"//{parts.netloc}{path}" if parts.netloc else path.lstrip("/"))
    return os.path.normpath(path)


def uri_of(path: str) -> str:
    return Path(path).absolute().as_uri()


@dataclass(eq=False)
class Desk:
    """`encoding` is what positions are counted in; `folders` are open in the editor: names of files are shown relative
    to them."""

    settings: Settings = field(default_factory=Settings)
    encoding: str = "utf-16"
    folders: tuple[str, ...] = ()
    _documents: dict[str, Document] = field(default_factory=dict)
    _analyses: dict[str, tuple[Analysis, Mapping[str, str | None], Facts]] = field(default_factory=dict)
    _facts: Facts | None = None
    _looked: float = 0.0

    # ---- texts -------------------------------------------------------------------------------------------------

    def open(self, uri: str, text: str, version: int = 0) -> None:
        self._documents[uri] = Document(uri, version, Text(text, self.encoding), path_of(uri))

    def change(self, uri: str, changes: list[Change], version: int = 0) -> None:
        before = self._documents.get(uri) or Document(uri, version, Text("", self.encoding), path_of(uri))
        self._documents[uri] = replace(before, version=version, content=before.content.changed(changes))

    def close(self, uri: str) -> None:
        self._documents.pop(uri, None)
        self._analyses.pop(uri, None)

    @property
    def documents(self) -> tuple[Document, ...]:
        return tuple(self._documents.values())

    def document(self, uri: str) -> Document | None:
        """The open document, or the file on disk where it is not open."""
        found = self._documents.get(uri)
        path = path_of(uri)
        if found is not None or path is None:
            return found
        open_there = self._at(path)
        if open_there is not None:
            return open_there
        source, _ = read_source(path, self._name(path))
        return None if source is None else Document(uri, 0, Text(source.text, self.encoding), path)

    def _at(self, path: str) -> Document | None:
        return next((d for d in self._documents.values() if d.path == path), None)

    def text_of(self, source: Source) -> Text:
        """A source in the units of the editor."""
        return _text(source, self.encoding)

    def uri_of(self, source: Source) -> str:
        """The address of a source: that of the open document, as the editor spells it, where it is open."""
        path = os.path.normpath(source.path) if source.path is not None else None
        found = next((d for d in self._documents.values() if path is not None and d.path == path), None)
        if found is not None:
            return found.uri
        return uri_of(path) if path is not None else source.name

    # ---- programs ----------------------------------------------------------------------------------------------

    def analysis(self, uri: str) -> Analysis | None:
        """The program at an address as it is now; the same object until something it was made of changes."""
        document = self.document(uri)
        if document is None:
            return None
        facts = self.facts()
        if uri in self._analyses:
            made, texts, seen = self._analyses[uri]
            if made.document == document and seen is facts and self._unchanged(texts):
                return made
        source = Source(self._name(document.path or uri), document.text, document.path)
        made = Analysis(document, self._compile(source, facts))
        others = {s.path: s.text for s in made.compiled.sources if s is not source and s.path is not None}
        asked = {os.path.normpath(p): others.get(p) for p in (*others, *_imported(made))}
        self._analyses[uri] = (made, asked, facts)
        return made

    def _compile(self, source: Source, facts: Facts) -> Compiled:
        return compile_source(source, registry(), facts, self._read, parse, Options(hashing=False))

    def _unchanged(self, texts: Mapping[str, str | None]) -> bool:
        """Whether files that were read are still what they were, as far as editors hold them."""
        for path, before in texts.items():
            document = self._at(path)
            if document is not None and document.text != before:
                return False
        return True

    def _read(self, path: str, name: str) -> tuple[Source | None, list[Diagnostic]]:
        document = self._at(os.path.normpath(path))
        return (Source(name, document.text, document.path), []) if document else read_source(path, name)

    def _name(self, path: str) -> str:
        """How messages name a file: relative to the open folder it lies in, if it does in any."""
        around = [f for f in self.folders if path.startswith(f.rstrip(os.sep) + os.sep)]
        if not around:
            return os.path.basename(path)
        return os.path.relpath(path, max(around, key=len)).replace(os.sep, "/")

    # ---- the world ---------------------------------------------------------------------------------------------

    def facts(self) -> Facts:
        """What is known of files and models; looked at again every few seconds, and after `forget`."""
        now = time.monotonic()
        if self._facts is None or now - self._looked > STALE_AFTER:
            self._facts, self._looked = RememberedFacts(self.settings.facts()), now
        return self._facts

    def forget(self) -> None:
        """Files on disk have changed."""
        self._facts = None


@lru_cache(maxsize=64)
def _text(source: Source, encoding: str) -> Text:
    return Text(source.text, encoding)


def _imported(made: Analysis) -> list[str]:
    """Paths of files that were asked for and may not be there."""
    from steerlang.syntax import tree

    values = (s.definition.value for s in made.module.symbols.values() if s.kind == "import")
    return [os.path.join(made.module.folder, v.value) for v in values if isinstance(v, tree.String)]
