"""Facts that remember what was asked: the inputs of a program, found by checking it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from steerlang.data import RowOptions

from .promise import (
    Absent,
    AdapterFacts,
    DataFacts,
    DocumentFacts,
    Facts,
    ModelFacts,
    ModelReference,
    Rendered,
    Trouble,
    VectorFacts,
)

# A model as programs name it, with the revision they ask for (empty: none), and the commit to take for it.
Pins = Mapping[tuple[str, str], str]
Answer = ModelFacts | AdapterFacts | DataFacts | DocumentFacts | VectorFacts | Absent


@dataclass(frozen=True, slots=True)
class Asked:
    """One question and its answer.

    kind       `model`, `adapter`, `data`, `document`, `vector`
    written    the id or path as the program writes it
    folder     the folder of the file that does
    requested  the revision that the program asks for
    """

    kind: str
    written: str
    folder: str
    requested: str | None
    answer: Answer


class RecordingFacts:
    """Passes questions on and keeps those that were answered; models with a pin are looked up at its commit.

    exact  a pinned model is at its commit or absent; otherwise another commit that is here stands in, to be found out
    """

    def __init__(self, facts: Facts, pins: Pins | None = None, exact: bool = True) -> None:
        self._facts = facts
        self._pins = dict(pins or {})
        self._exact = exact
        self.asked: list[Asked] = []

    def _keep(self, kind: str, written: str, folder: str, answer: object, requested: str | None = None) -> None:
        if isinstance(answer, (ModelFacts, AdapterFacts, DataFacts, DocumentFacts, VectorFacts, Absent)):
            self.asked.append(Asked(kind, written, folder, requested, answer))

    def _pinned(self, reference: ModelReference) -> ModelReference:
        commit = self._pins.get((reference.id, reference.revision or ""))
        return reference if commit is None else replace(reference, revision=commit)

    def model(self, reference: ModelReference) -> ModelFacts | Absent | Trouble:
        found = self._facts.model(self._pinned(reference))
        if isinstance(found, Absent) and not self._exact:
            found = self._facts.model(reference)
        self._keep("model", reference.id, reference.base_folder, found, reference.revision)
        return found

    def adapter(self, reference: ModelReference) -> AdapterFacts | Absent | Trouble:
        found = self._facts.adapter(self._pinned(reference))
        if isinstance(found, Absent) and not self._exact:
            found = self._facts.adapter(reference)
        self._keep("adapter", reference.id, reference.base_folder, found, reference.revision)
        return found

    def data(
        self, path: str, format: str, base_folder: str, columns: Mapping[str, str], options: RowOptions | None = None
    ) -> DataFacts | tuple[Trouble, ...]:
        found = self._facts.data(path, format, base_folder, columns, options)
        self._keep("data", path, base_folder, found)
        return found

    def document(self, path: str, base_folder: str) -> DocumentFacts | Trouble:
        found = self._facts.document(path, base_folder)
        self._keep("document", path, base_folder, found)
        return found

    def vector(self, path: str, base_folder: str) -> VectorFacts | Trouble:
        found = self._facts.vector(path, base_folder)
        self._keep("vector", path, base_folder, found)
        return found

    def resolve_path(self, text: str, base_folder: str) -> Path | Trouble:
        return self._facts.resolve_path(text, base_folder)

    def rendered(self, reference: ModelReference, texts: Sequence[str]) -> tuple[Rendered, ...] | None:
        return self._facts.rendered(self._pinned(reference), texts)
