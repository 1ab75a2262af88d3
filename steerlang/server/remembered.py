"""Facts that are asked for once: while a program is typed, the same files are asked about with every key."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TypeVar

from steerlang.data import RowOptions
from steerlang.graph.facts import (
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

Found = TypeVar("Found")


class RememberedFacts:
    """The facts of `world`, each looked at once in the life of the object."""

    def __init__(self, world: Facts) -> None:
        self._world = world
        self._known: dict[tuple[object, ...], object] = {}

    def _once(self, key: tuple[object, ...], ask: Callable[[], Found]) -> Found:
        if key not in self._known:
            self._known[key] = ask()
        found: Found = self._known[key]  # type: ignore[assignment]
        return found

    def model(self, reference: ModelReference) -> ModelFacts | Absent | Trouble:
        return self._once(("model", reference), lambda: self._world.model(reference))

    def adapter(self, reference: ModelReference) -> AdapterFacts | Absent | Trouble:
        return self._once(("adapter", reference), lambda: self._world.adapter(reference))

    def data(
        self, path: str, format: str, base_folder: str, columns: Mapping[str, str], options: RowOptions | None = None
    ) -> DataFacts | tuple[Trouble, ...]:
        key = ("data", path, format, base_folder, tuple(sorted(columns.items())), options)
        return self._once(key, lambda: self._world.data(path, format, base_folder, columns, options))

    def document(self, path: str, base_folder: str) -> DocumentFacts | Trouble:
        return self._once(("document", path, base_folder), lambda: self._world.document(path, base_folder))

    def vector(self, path: str, base_folder: str) -> VectorFacts | Trouble:
        return self._once(("vector", path, base_folder), lambda: self._world.vector(path, base_folder))

    def resolve_path(self, text: str, base_folder: str) -> Path | Trouble:
        return self._world.resolve_path(text, base_folder)

    def rendered(self, reference: ModelReference, texts: Sequence[str]) -> tuple[Rendered, ...] | None:
        return self._world.rendered(reference, texts)
