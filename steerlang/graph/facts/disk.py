"""Facts as this machine's disk tells them. Nothing is fetched, and nothing heavy is imported."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path

from steerlang.data import RowOptions

from .data import find_file, read_data, read_document
from .digests import FileDigests
from .hub import Located, hub_cache, locate
from .model import read_model
from .paths import resolve_path
from .promise import (
    Absent,
    AdapterFacts,
    DataFacts,
    DocumentFacts,
    ModelFacts,
    ModelReference,
    Rendered,
    Trouble,
    VectorFacts,
)
from .tokenizer import Renderer


class DiskFacts:
    """Looks at files and at the Hugging Face cache; each model is looked at once in the life of the object.

    cache_folder  where digests of large files are remembered between runs; None: nowhere
    environment   where the Hugging Face cache is looked up; the process's own when None
    """

    def __init__(self, cache_folder: Path | str | None = None, environment: Mapping[str, str] | None = None) -> None:
        self._digests = FileDigests(Path(cache_folder) if cache_folder is not None else None)
        self._hub = hub_cache(os.environ if environment is None else environment)
        self._renderer = Renderer()
        self._located: dict[ModelReference, Located | Absent | Trouble] = {}
        self._models: dict[ModelReference, ModelFacts | Absent | Trouble] = {}
        self._adapters: dict[ModelReference, AdapterFacts | Absent | Trouble] = {}

    def model(self, reference: ModelReference) -> ModelFacts | Absent | Trouble:
        if reference not in self._models:
            located = self._locate(reference)
            found = read_model(located, reference, self._digests) if isinstance(located, Located) else located
            self._models[reference] = found
        return self._models[reference]

    def adapter(self, reference: ModelReference) -> AdapterFacts | Absent | Trouble:
        if reference not in self._adapters:
            located = self._locate(reference)
            from .adapter import read_adapter  # most programs name none

            found = read_adapter(located, self._digests) if isinstance(located, Located) else located
            self._adapters[reference] = found
        return self._adapters[reference]

    def _locate(self, reference: ModelReference) -> Located | Absent | Trouble:
        if reference not in self._located:
            self._located[reference] = locate(reference, self._hub)
        return self._located[reference]

    def data(
        self, path: str, format: str, base_folder: str, columns: Mapping[str, str], options: RowOptions | None = None
    ) -> DataFacts | tuple[Trouble, ...]:
        found = find_file(path, base_folder, "the data file")
        if isinstance(found, Trouble):
            return (found,)
        return read_data(found, path, format, columns, options or RowOptions(), self._digests)

    def document(self, path: str, base_folder: str) -> DocumentFacts | Trouble:
        found = find_file(path, base_folder, "the file")
        return found if isinstance(found, Trouble) else read_document(found, path, self._digests)

    def vector(self, path: str, base_folder: str) -> VectorFacts | Trouble:
        found = find_file(path, base_folder, "the vector file")
        from .vectors import read_vector  # most programs name none

        return found if isinstance(found, Trouble) else read_vector(found, path, self._digests)

    def resolve_path(self, text: str, base_folder: str) -> Path | Trouble:
        return resolve_path(text, base_folder)

    def rendered(self, reference: ModelReference, texts: Sequence[str]) -> tuple[Rendered, ...] | None:
        located = self._locate(reference)
        return self._renderer.render(located.folder, texts) if isinstance(located, Located) else None
