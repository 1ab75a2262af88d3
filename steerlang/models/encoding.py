"""Rows made ready for a classifier: pixels by its image processor, tokens by its tokenizer. Each row once."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import groupby
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from torch.nn.utils.rnn import pad_sequence

from steerlang.models.errors import BadImage, LoadFailure, NoTokens, TooLong
from steerlang.models.pictures import picture

Inputs = Mapping[str, Tensor]

_BUDGET = 1 << 30
_FILES = (
    "preprocessor_config.json", "processor_config.json", "tokenizer.json", "tokenizer_config.json",
    "special_tokens_map.json", "added_tokens.json", "vocab.json", "merges.txt", "vocab.txt", "tokenizer.model",
    "spiece.model",
)  # fmt: skip


@dataclass(frozen=True, eq=False)
class Batch:
    """Rows as inputs of a model, on the CPU, each without the batch's dimension: `pixel_values [C, H, W]`, or
    `input_ids [T]` with what else the tokenizer gives."""

    rows: tuple[Inputs, ...]

    def __len__(self) -> int:
        return len(self.rows)

    def take(self, indices: Sequence[int]) -> Batch:
        """Some of the rows, in the order of `indices`."""
        return Batch(tuple(self.rows[i] for i in indices))

    @property
    def lengths(self) -> tuple[int, ...]:
        """Tokens of each row; 0 for images."""
        return tuple(row["input_ids"].shape[0] if "input_ids" in row else 0 for row in self.rows)


def alike(batch: Batch, pad: int | None) -> Iterator[Batch]:
    """The batch cut where shapes change: what can be stacked. Texts are cut only where they cannot be padded."""
    if batch.rows and "input_ids" in batch.rows[0]:
        yield from [batch] if pad is not None else [Batch((row,)) for row in batch.rows]
        return
    for _, group in groupby(batch.rows, key=lambda row: row["pixel_values"].shape):
        yield Batch(tuple(group))


def padded(batch: Batch, pad: int | None) -> dict[str, Tensor]:
    """Rows as one input of the model: stacked, texts padded on the right with `pad` under a mask."""
    if "pixel_values" in batch.rows[0]:
        return {"pixel_values": torch.stack([row["pixel_values"] for row in batch.rows])}
    ids = [row["input_ids"] for row in batch.rows]
    made = {"input_ids": pad_sequence(ids, batch_first=True, padding_value=pad or 0)}
    made["attention_mask"] = pad_sequence([torch.ones_like(x) for x in ids], batch_first=True)
    if "token_type_ids" in batch.rows[0]:
        made["token_type_ids"] = pad_sequence([row["token_type_ids"] for row in batch.rows], batch_first=True)
    return made


@dataclass(eq=False)
class Encoder:
    """Rows as a model reads them. What was made is kept up to `budget` bytes, so that epochs and other models with the
    same files do not make it again.

    processor, tokenizer  of the library; None where the task has none
    channels              of the images the model reads
    positions             the most tokens the model takes, where it says
    fingerprint           the same for folders whose encoders make the same of every row
    """

    processor: Any
    tokenizer: Any
    channels: int
    positions: int | None
    fingerprint: str
    budget: int = _BUDGET
    _kept: dict[Any, Inputs] = field(default_factory=dict, repr=False)
    _bytes: int = 0

    def encode(self, rows: Sequence[Mapping[str, Any]]) -> Batch:
        """Rows with `image` (a path; `place` says which row of what names it), `ids` (tokens) or `text`.

        Raises BadImage, NoTokens, TooLong.
        """
        return Batch(tuple(self._row(row, i) for i, row in enumerate(rows)))

    def example(self) -> Batch:
        """A row to try the model with: a grey picture, or a text of one letter."""
        if self.processor is None:
            return self.encode([{"text": "a"}])
        from PIL import Image

        grey = Image.new("L" if self.channels == 1 else "RGB", (64, 64), 128 if self.channels == 1 else (128, 96, 64))
        return Batch(({"pixel_values": self._pixels(grey)},))

    def _row(self, row: Mapping[str, Any], index: int) -> Inputs:
        key = (row["image"],) if "image" in row else tuple(row["ids"]) if "ids" in row else str(row["text"])
        found = self._kept.get(key)
        if found is None:
            found = self._made(row, index)
            size = sum(t.nbytes for t in found.values())
            if self._bytes + size <= self.budget:
                self._bytes += size
                self._kept[key] = found
        return found

    def _made(self, row: Mapping[str, Any], index: int) -> Inputs:
        if "image" in row:
            return {"pixel_values": self._pixels(self._picture(row))}
        given = {"input_ids": list(row["ids"])} if "ids" in row else self._tokens(str(row["text"]))
        if not given["input_ids"]:
            raise NoTokens(index)
        if self.positions is not None and len(given["input_ids"]) > self.positions:
            raise TooLong(index, len(given["input_ids"]), self.positions)
        return {name: torch.tensor(values, dtype=torch.long) for name, values in given.items()}

    def _picture(self, row: Mapping[str, Any]) -> Any:
        try:
            return picture(row["image"], self.channels)
        except BadImage as broken:
            raise BadImage(broken.path, broken.reason, str(row.get("place", ""))) from broken

    def _pixels(self, image: Any) -> Tensor:
        pixels: Tensor = self.processor(images=[image], return_tensors="pt")["pixel_values"][0]
        return pixels.float().contiguous()

    def _tokens(self, text: str) -> dict[str, list[int]]:
        made = self.tokenizer(text, padding=False, truncation=False)
        return {name: list(made[name]) for name in ("input_ids", "token_type_ids") if name in made}


def encoder_of(folder: Path, task: str, config: Any) -> Encoder:
    """The encoder of a folder. Nothing is fetched and no code of the folder runs. Raises LoadFailure."""
    processor = tokenizer = None
    if task != "sequence_classification":
        processor = _loaded("AutoImageProcessor", folder, "image processor", backend="pil")
    if task != "image_classification":
        tokenizer = _loaded("AutoTokenizer", folder, "tokenizer")
    vision = getattr(config, "vision_config", None) or config
    channels = getattr(vision, "num_channels", 3)
    positions = positions_of(config, tokenizer) if task == "sequence_classification" else None
    return Encoder(processor, tokenizer, int(channels or 3), positions, _fingerprint(folder, task, channels, positions))


def positions_of(config: Any, tokenizer: Any) -> int | None:
    """The most tokens a text may have, as the configuration and the tokenizer say; None where neither does."""
    text = config.get_text_config()
    said = (getattr(text, "max_position_embeddings", None), getattr(tokenizer, "model_max_length", None))
    limits = [int(n) for n in said if isinstance(n, int) and 0 < n < 1 << 30]
    return min(limits, default=None)


def _loaded(auto: str, folder: Path, what: str, **options: Any) -> Any:
    import transformers

    try:
        loader: Any = getattr(transformers, auto)
        return loader.from_pretrained(str(folder), local_files_only=True, trust_remote_code=False, **options)
    except Exception as error:
        lines = [line.strip() for line in str(error).splitlines() if line.strip()] or [type(error).__name__]
        raise LoadFailure(
            f"the {what} of {folder} cannot be loaded: {lines[0]}", "its files must lie beside the weights"
        ) from error


def _fingerprint(folder: Path, task: str, *more: object) -> str:
    total = hashlib.sha256(repr((task, more)).encode())
    for name in _FILES:
        path = folder / name
        total.update(name.encode() + (hashlib.sha256(path.read_bytes()).digest() if path.is_file() else b""))
    return total.hexdigest()
