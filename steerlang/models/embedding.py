"""Texts and images as unit vectors: by the two encoders of a CLIP model, or by the mean of a text encoder's states.

Texts of one length are read together, so nothing is padded and no text's vector depends on the others. All vectors are
float32 on the CPU.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from steerlang.models.checkpoint import check_finite, check_folder
from steerlang.models.class_heads import embedded_texts, pooled
from steerlang.models.classifiers import Classifier
from steerlang.models.encoding import alike, encoder_of, positions_of
from steerlang.models.errors import LoadFailure
from steerlang.models.loading import DtypeName, device_of, load_weights

_AT_ONCE = 32


def image_embeddings(clip: Classifier, rows: Sequence[Mapping[str, Any]]) -> Tensor:
    """Images as unit vectors ``[n, D]``, in the order of the rows (`image`: a path). Raises BadImage."""
    found: list[Tensor] = []
    for start in range(0, len(rows), _AT_ONCE):
        for group in alike(clip.encode(rows[start : start + _AT_ONCE]), None):
            pixels = torch.stack([row["pixel_values"] for row in group.rows]).to(clip.device, clip.model.dtype)
            with torch.inference_mode():
                found.append(pooled(clip.model.get_image_features(pixel_values=pixels)))
    return _units(torch.cat(found))


def text_embeddings(clip: Classifier, texts: Sequence[str]) -> Tensor:
    """Texts as unit vectors ``[n, D]``; longer ones are cut to the tokens the model reads."""
    with torch.inference_mode():
        return _units(embedded_texts(clip.model, clip.encoder.tokenizer, texts, clip.device, cut=True))


@dataclass(frozen=True, eq=False)
class TextEncoder:
    """A model whose last states are averaged over a text's tokens; `positions` is the most it reads, if it says."""

    model: Any
    tokenizer: Any
    positions: int | None

    @property
    def device(self) -> torch.device:
        device: torch.device = next(self.model.parameters()).device
        return device

    def embed(self, texts: Sequence[str]) -> Tensor:
        """Texts as unit vectors ``[n, D]``: mean of the last states over all tokens, special ones included, divided by
        its length. A text without tokens is the zero vector; longer ones are cut to the tokens the model reads."""
        ids = [self._ids(text) for text in texts]
        by_length: dict[int, list[int]] = {}
        for i, one in enumerate(ids):
            by_length.setdefault(len(one), []).append(i)
        found: dict[int, Tensor] = {}
        for length, places in by_length.items():
            for start in range(0, len(places) if length else 0, _AT_ONCE):
                part = places[start : start + _AT_ONCE]
                found.update(zip(part, self._means([ids[i] for i in part]), strict=True))
        width = next((len(v) for v in found.values()), 1)
        return _units(torch.stack([found.get(i, torch.zeros(width)) for i in range(len(texts))]))

    def _ids(self, text: str) -> list[int]:
        cut: dict[str, Any] = {"truncation": False}
        if self.positions is not None:
            cut = {"truncation": True, "max_length": self.positions}
        return list(self.tokenizer(text, padding=False, **cut)["input_ids"])

    def _means(self, ids: Sequence[Sequence[int]]) -> Tensor:
        tokens = torch.tensor(ids, device=self.device)
        with torch.inference_mode():
            states: Tensor = self.model(input_ids=tokens, attention_mask=torch.ones_like(tokens)).last_hidden_state
        return states.float().mean(1).cpu()


def load_text_encoder(path: str | Path, *, dtype: DtypeName | None = None, device: str = "auto") -> TextEncoder:
    """A text encoder from a folder: safetensors only, no code of its own, no network. Of an encoder with a decoder, the
    encoder; a pooling layer is not read and need not be stored. Raises LoadFailure, BadWeights."""
    import transformers

    folder = Path(path)
    if not folder.is_dir():
        raise LoadFailure(f"there is no folder {path}", "give a folder with config.json")
    check_folder(folder)
    options = {"local_files_only": True, "trust_remote_code": False, "revision": "main"}
    model, _ = load_weights(transformers.AutoModel, str(folder), dtype, options, unread=("pooler.",))
    if model.config.is_encoder_decoder:
        model = model.get_encoder()
    tokenizer = encoder_of(folder, "sequence_classification", model.config).tokenizer
    check_finite(model)
    model.eval()
    model.requires_grad_(False)
    return TextEncoder(model.to(device_of(device)), tokenizer, positions_of(model.config, tokenizer))


def _units(vectors: Tensor) -> Tensor:
    return nn.functional.normalize(vectors.float().cpu(), dim=-1)
