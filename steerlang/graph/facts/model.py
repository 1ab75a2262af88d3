"""The facts of one model folder, put together from its configuration, headers and tokenizer files."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from .checkpoint import Checkpoint, Incomplete, joined, read_checkpoint
from .config import FILE, Config, read_config
from .digests import FileDigests
from .hub import Located, blob_digest
from .promise import Absent, ModelFacts, ModelReference, Part, TensorFacts, TokenizerFacts, Trouble
from .remote_code import is_built_in, refuse_code
from .safetensors_header import DTYPE_BITS
from .structure import check_layers, decoder_blocks, is_tied, main_dtype, surplus_note, width_of
from .task import PROCESSOR_FILES, check_task, found_task
from .tokenizer import read_tokenizer

_TEXT_FILES = (
    "tokenizer.json", "tokenizer_config.json", "special_tokens_map.json", "added_tokens.json", "vocab.json",
    "merges.txt", "vocab.txt", "tokenizer.model", "spiece.model", "sentencepiece.bpe.model", "tekken.json",
    "chat_template.jinja", "chat_template.json",
)  # fmt: skip
_OTHER_FILES = ("generation_config.json", *PROCESSOR_FILES, "video_preprocessor_config.json")


def read_model(located: Located, reference: ModelReference, digests: FileDigests) -> ModelFacts | Absent | Trouble:
    """What the files of a model say. An unfinished download is `Absent`, an unfinished folder is trouble."""
    config = _config(located)
    if not isinstance(config, Config):
        return config
    checkpoint = read_checkpoint(located.folder, located.name)
    if isinstance(checkpoint, Incomplete):
        if located.commit is not None:
            return _unfinished(located)
        checkpoint = checkpoint.trouble
    tokenizer = read_tokenizer(located.folder, located.name)
    troubles = [found for found in (checkpoint, tokenizer) if isinstance(found, Trouble)]
    if config.remote_code and not reference.allow_code and is_built_in(config.model_type) is False:
        troubles.insert(0, refuse_code(located.name, config.model_type, located.folder / FILE))
    if isinstance(checkpoint, Checkpoint):
        mismatch = check_layers(config, checkpoint.tensors, located.name)
        troubles += [mismatch] if mismatch is not None else []
    if troubles:
        return joined(troubles)
    assert isinstance(checkpoint, Checkpoint)
    assert isinstance(tokenizer, TokenizerFacts)
    unfit = check_task(reference.task, located.folder, located.name, config, checkpoint.tensors, tokenizer)
    if unfit is not None:
        return unfit
    return _facts(located, reference, config, checkpoint, tokenizer, digests)


def _config(located: Located) -> Config | Absent | Trouble:
    if located.commit is not None and not (located.folder / FILE).is_file():
        return _unfinished(located)
    if not (located.folder / FILE).is_file():
        # A folder of an adapter or of pickles says more about itself than that its configuration is missing.
        weights = read_checkpoint(located.folder, located.name)
        if isinstance(weights, Trouble) and not (located.folder / FILE).exists():
            return weights
    return read_config(located.folder, located.name)


def _unfinished(located: Located) -> Absent:
    return Absent(located.name, (str(located.folder),), "only a part of it is on this machine")


def _facts(
    located: Located, reference: ModelReference, config: Config, checkpoint: Checkpoint, tokenizer: TokenizerFacts,
    digests: FileDigests,
) -> ModelFacts:  # fmt: skip
    tensors = checkpoint.tensors
    blocks = decoder_blocks(tensors)
    width = config.width or width_of(config.vocabulary, tensors)
    surplus = surplus_note(config, tensors)
    tied = config.tied if config.tied is not None else is_tied(config.vocabulary, width, tensors)
    return ModelFacts(
        id=reference.id,
        path=located.folder,
        revision=located.commit,
        model_type=config.model_type,
        architectures=config.architectures,
        task=reference.task or found_task(config, tensors),
        layers=config.layers or (blocks.count if blocks is not None else None),
        width=width,
        vocabulary=config.vocabulary,
        heads=config.heads,
        positions=config.positions,
        dtype=config.dtype or main_dtype(tensors),
        tied=tied,
        quantised=config.quantised,
        remote_code=config.remote_code,
        tensors=tensors,
        parameters=sum(t.count for t in tensors.values()),
        size=sum(_bytes(t) for t in tensors.values()),
        tokenizer=tokenizer,
        has_processor=any((located.folder / file).is_file() for file in PROCESSOR_FILES),
        labels=config.labels,
        encodes=config.encodes,
        notes=(surplus,) if surplus is not None else (),
        identity=identity(located.folder, checkpoint.files, digests, reference.allow_code),
    )


def _bytes(tensor: TensorFacts) -> int:
    return DTYPE_BITS.get(tensor.dtype, 0) * math.prod(tensor.shape) // 8


@dataclass(frozen=True)
class _Files:
    """Names of the files that make a model what it is, by part."""

    weights: tuple[str, ...]
    text: tuple[str, ...]
    other: tuple[str, ...]

    def of(self, part: Part) -> tuple[str, ...]:
        if part == "weights":
            return (FILE, *self.weights)
        if part == "text":
            return (FILE, *self.text)
        return (FILE, *self.weights, *self.text, *self.other)


def identity(
    folder: Path, weights: tuple[str, ...], digests: FileDigests, with_code: bool = False
) -> Callable[[Part], str]:
    """How the model in `folder` is told from others: by the contents of its files, so that a copy is the same model."""

    def digest(part: Part) -> str:
        templates = sorted(p.relative_to(folder).as_posix() for p in folder.glob("additional_chat_templates/*.jinja"))
        code = sorted(p.relative_to(folder).as_posix() for p in folder.rglob("*.py")) if with_code else []
        files = _Files(weights, (*_TEXT_FILES, *templates), (*_OTHER_FILES, *code)).of(part)
        present = [(name, folder / name) for name in files if (folder / name).is_file()]
        return digests.together((name, blob_digest(path) or digests.of(path)) for name, path in present)

    return digest
