"""Facts from dictionaries, for tests: no disk is looked at."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from steerlang.data import Row, RowOptions, check_options, demonstrations, rows_digest
from steerlang.data.demonstrations import passing
from steerlang.diagnostics import codes
from steerlang.diagnostics.suggest import did_you_mean
from steerlang.graph.node import digest

from .data import labels_of
from .promise import (
    Absent,
    AdapterFacts,
    DataFacts,
    DocumentFacts,
    FactorPair,
    ModelFacts,
    ModelReference,
    Part,
    Rendered,
    TensorFacts,
    TokenizerFacts,
    Trouble,
    VectorFacts,
)


class FakeFacts:
    """Answers what it is given: models by id, data and documents by path as the program writes it.

    An id that is not given is `Absent`, a path that is not given does not exist. `data` values are lists of rows
    (dictionaries), ready `DataFacts`, or troubles.
    """

    def __init__(
        self,
        models: Mapping[str, ModelFacts | Absent | Trouble] | None = None,
        data: Mapping[str, Sequence[Mapping[str, object]] | DataFacts | Trouble] | None = None,
        documents: Mapping[str, object] | None = None,
        adapters: Mapping[str, AdapterFacts | Trouble] | None = None,
        vectors: Mapping[str, VectorFacts | Trouble] | None = None,
    ) -> None:
        self._models = dict(models or {})
        self._adapters = dict(adapters or {})
        self._data = dict(data or {})
        self._documents = dict(documents or {})
        self._vectors = dict(vectors or {})

    def model(self, reference: ModelReference) -> ModelFacts | Absent | Trouble:
        return self._models.get(reference.id, Absent(reference.id, ("<fake>",)))

    def adapter(self, reference: ModelReference) -> AdapterFacts | Absent | Trouble:
        return self._adapters.get(reference.id, Absent(reference.id, ("<fake>",)))

    def data(
        self, path: str, format: str, base_folder: str, columns: Mapping[str, str], options: RowOptions | None = None
    ) -> DataFacts | tuple[Trouble, ...]:
        given = self._data.get(path)
        if given is None:
            return (_not_given("the data file", path, self._data),)
        if isinstance(given, Trouble):
            return (given,)
        return given if isinstance(given, DataFacts) else fake_data(path, given, format, columns, options)

    def document(self, path: str, base_folder: str) -> DocumentFacts | Trouble:
        if path not in self._documents:
            return _not_given("the file", path, self._documents)
        value = self._documents[path]
        return value if isinstance(value, Trouble) else DocumentFacts(Path(path), path, value, lambda: digest([path]))

    def vector(self, path: str, base_folder: str) -> VectorFacts | Trouble:
        return self._vectors.get(path) or _not_given("the vector file", path, self._vectors)

    def resolve_path(self, text: str, base_folder: str) -> Path | Trouble:
        return Path(os.path.normpath(os.path.join(base_folder, text)))

    def rendered(self, reference: ModelReference, texts: Sequence[str]) -> tuple[Rendered, ...] | None:
        """One token a word, so that tests can say which is read."""
        return tuple(_rendered(text) for text in texts)


def _not_given(what: str, path: str, known: Iterable[str]) -> Trouble:
    return Trouble(codes.FILE_NOT_FOUND, f"{what} `{path}` does not exist", did_you_mean(path, known))


def _rendered(text: str) -> Rendered:
    offsets, position = [], 0
    for word in text.split():
        start = text.index(word, position)
        position = start + len(word)
        offsets.append((start, position))
    return Rendered(text, tuple(text.split()), tuple(range(len(offsets))), tuple(offsets))


def fake_model(
    id: str, *, layers: int = 4, width: int = 32, vocabulary: int = 100, task: str | None = "causal",
    revision: str | None = None, seed: int = 0, tokenizer: TokenizerFacts | None = None,
    tensors: Mapping[str, TensorFacts] | None = None, has_processor: bool = False, labels: tuple[str, ...] = (),
) -> ModelFacts:  # fmt: skip
    """A small decoder of the usual shape. Models of equal sizes and `seed` have equal digests, whatever their id."""
    held = dict(tensors) if tensors is not None else _decoder_tensors(layers, width, vocabulary)
    sizes = [layers, width, vocabulary, task, seed, {name: list(tensor.shape) for name, tensor in held.items()}]

    def identity(part: Part) -> str:
        return digest(["fake model", part, sizes])

    count = sum(tensor.count for tensor in held.values())
    return ModelFacts(
        id=id, path=Path("/fake") / id, revision=revision, model_type="llama", architectures=("LlamaForCausalLM",),
        task=task, layers=layers, width=width, vocabulary=vocabulary, heads=4, positions=256, dtype="float32",
        tied=True, quantised=None, remote_code=False, tensors=held, parameters=count, size=4 * count,
        tokenizer=tokenizer or TokenizerFacts("tokenizer.json", True, False, "<s>", "</s>", "</s>"),
        has_processor=has_processor, labels=labels, identity=identity,
    )  # fmt: skip


def fake_adapter(
    id: str, modules: Mapping[str, tuple[int, int]], *, rank: int = 2, trained_on: str | None = None, seed: int = 0
) -> AdapterFacts:
    """An adapter with factors of one rank for each module, given by the shape of its weight."""
    pairs = {
        module: FactorPair(f"{module}.lora_A.weight", f"{module}.lora_B.weight", rank, 1.0, False, False, shape)
        for module, shape in modules.items()
    }
    said = [rank, seed, {module: list(shape) for module, shape in modules.items()}]
    return AdapterFacts(
        id, Path("/fake") / id, None, trained_on, "CAUSAL_LM", pairs, {}, {}, lambda: digest(["fake adapter", said])
    )


def _decoder_tensors(layers: int, width: int, vocabulary: int) -> dict[str, TensorFacts]:
    shapes: dict[str, tuple[int, ...]] = {"model.embed_tokens.weight": (vocabulary, width)}
    for layer in range(layers):
        block = f"model.layers.{layer}"
        for name in ("q_proj", "k_proj", "v_proj", "o_proj"):
            shapes[f"{block}.self_attn.{name}.weight"] = (width, width)
        shapes[f"{block}.mlp.up_proj.weight"] = (4 * width, width)
        shapes[f"{block}.mlp.gate_proj.weight"] = (4 * width, width)
        shapes[f"{block}.mlp.down_proj.weight"] = (width, 4 * width)
        shapes[f"{block}.input_layernorm.weight"] = (width,)
        shapes[f"{block}.post_attention_layernorm.weight"] = (width,)
    shapes["model.norm.weight"] = (width,)
    return {name: TensorFacts("F32", shape, "model.safetensors") for name, shape in shapes.items()}


def fake_data(
    path: str, rows: Sequence[Mapping[str, object]], format: str = "jsonl", columns: Mapping[str, str] | None = None,
    options: RowOptions | None = None,
) -> DataFacts | tuple[Trouble, ...]:  # fmt: skip
    """A data file of these rows, with the checks of columns and options that a real one gets."""
    names = tuple(dict.fromkeys(name for row in rows for name in row))
    absent = [column for column in (columns or {}).values() if column not in names]
    if absent:
        return tuple(
            Trouble(codes.MISSING_COLUMN, f"`{path}` has no column `{one}`", did_you_mean(one, names), column=one)
            for one in absent
        )
    options = options or RowOptions()
    wrong = check_options(options, names, columns or {})
    if wrong:
        return tuple(Trouble(codes.MISSING_COLUMN, one.message, column=one.column) for one in wrong)
    numbered = tuple(Row(line, row) for line, row in enumerate(rows, start=1))
    kept, _ = demonstrations(numbered, columns or {}, options)
    if not kept:
        return (Trouble(codes.EMPTY_DATA, f"`{path}` has no rows"),)
    labels = labels_of(passing(numbered, options), columns or {})
    return DataFacts(
        Path("/fake") / path, path, format, names, len(rows), len(kept), kept[:3], labels, lambda: rows_digest(rows)
    )  # fmt: skip
