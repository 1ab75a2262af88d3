"""Loading a model so that nothing about it is guessed: safetensors only, every tensor present and finite."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal

import torch
from transformers import AutoModelForImageTextToText, AutoTokenizer

from steerlang.models.checkpoint import check_finite, check_folder
from steerlang.models.discovery import find_layout
from steerlang.models.errors import BadSettings, LoadFailure, TooLong
from steerlang.models.eyes import eyes_of
from steerlang.models.kinds import auto_class
from steerlang.models.layout import Layout, LayoutOverride
from steerlang.models.seeing import Eyes

DtypeName = Literal["float32", "bfloat16", "float16"]
_DTYPES = {"float32": torch.float32, "bfloat16": torch.bfloat16, "float16": torch.float16}


@dataclass(frozen=True, eq=False)
class LoadedModel:
    """A model in evaluation mode without gradients, its tokenizer and its layout. Shared by all overlays on it.

    ``unexpected`` names tensors of the checkpoint that the model has no place for. ``eyes`` make images ready, where
    the model is loaded to see any.
    """

    model: Any
    tokenizer: Any
    layout: Layout
    path: str
    unexpected: tuple[str, ...] = ()
    eyes: Eyes | None = None
    # What was found out about the model while it ran, by name.
    findings: dict[str, bool] = field(default_factory=dict, repr=False)

    @property
    def device(self) -> torch.device:
        device: torch.device = next(self.model.parameters()).device
        return device

    @property
    def end_ids(self) -> frozenset[int]:
        """The tokens that end a text, as the generation settings, else the configuration or the tokenizer say.

        Raises BadSettings where they are no tokens.
        """
        places = (getattr(self.model, "generation_config", None), self.model.config, self.tokenizer)
        for place in places:
            ids = getattr(place, "eos_token_id", None)
            if ids is not None:
                try:
                    return frozenset(int(i) for i in (ids if isinstance(ids, list | tuple) else [ids]))
                except (TypeError, ValueError):
                    raise BadSettings(f"`eos_token_id` is {ids!r}") from None
        return frozenset()

    def check_lengths(self, lengths: Iterable[int]) -> None:
        """Raises TooLong for the first row with more tokens than the model has positions."""
        limit = getattr(self.model.config.get_text_config(decoder=True), "max_position_embeddings", None)
        if isinstance(limit, int) and limit > 0:
            for row, length in enumerate(lengths):
                if length > limit:
                    raise TooLong(row, length, limit)


def load(
    path: str | Path,
    *,
    dtype: DtypeName | None = None,
    device: str = "auto",
    revision: str | None = None,
    trust_remote_code: bool = False,
    offline: bool = True,
    override: LayoutOverride | None = None,
    sees: bool = False,
) -> LoadedModel:
    """Loads a model that writes text (`kinds`): a folder, or an id from the local cache (``offline=False``: the hub).
    ``sees``: with its processor, so that prompts may hold images.

    ``dtype`` None keeps the checkpoint's. ``device`` is ``auto`` (a CUDA device if there is one) or a torch device. A
    folder never touches the network. Raises LoadFailure (missing, pickled, truncated or incomplete checkpoint),
    BadWeights (NaN or infinite), UnsupportedModel.
    """
    folder = Path(path)
    if folder.is_dir():
        check_folder(folder)
    elif _looks_like_path(path):
        raise LoadFailure(
            f"there is no folder {path}", "give a folder with config.json, or a Hugging Face id"
        )
    options = {
        "local_files_only": offline or folder.is_dir(),
        "trust_remote_code": trust_remote_code,
        "revision": revision or "main",
    }
    kind = AutoModelForImageTextToText if sees else auto_class(str(path), options)
    model, unexpected = load_weights(kind, str(path), dtype, options)
    eyes = eyes_of(str(path), model, options) if sees else None
    tokenizer = _tokenizer(path, options) if eyes is None else eyes.processor.tokenizer
    check_finite(model)
    made = wrap(model.to(device_of(device)), tokenizer, str(path), override=override, unexpected=unexpected)
    return replace(made, eyes=eyes)


def _tokenizer(path: str | Path, options: dict[str, Any]) -> Any:
    try:
        return AutoTokenizer.from_pretrained(str(path), **options)
    except Exception as error:
        raise LoadFailure(
            f"the tokenizer of {path} cannot be loaded: {error}", "tokenizer.json must lie beside the weights"
        ) from error


def wrap(
    model: Any,
    tokenizer: Any,
    path: str = "",
    *,
    override: LayoutOverride | None = None,
    unexpected: tuple[str, ...] = (),
) -> LoadedModel:
    """A model already in memory, as `load` would give it: evaluation mode, no gradients, layout found and proven.

    The tokenizer may be None where only ids are used; a missing pad token becomes the end token (no new vocabulary).
    """
    model.eval()
    model.requires_grad_(False)
    if tokenizer is not None:
        tokenizer.padding_side = "left"
        if tokenizer.pad_token is None and tokenizer.eos_token is not None:
            tokenizer.pad_token = tokenizer.eos_token
    return LoadedModel(model, tokenizer, find_layout(model, override), path, unexpected)


def load_weights(
    auto: Any, path: str, dtype: DtypeName | None, options: dict[str, Any], unread: tuple[str, ...] = ()
) -> tuple[Any, tuple[str, ...]]:
    """The model that the library's class `auto` makes of a folder, every tensor read from it, and what was not used.

    `unread`: beginnings of names of tensors that nothing is computed with, so that they may be missing.
    """
    try:
        loaded: Any = auto.from_pretrained(
            path,
            dtype="auto" if dtype is None else _DTYPES[dtype],
            use_safetensors=True,
            output_loading_info=True,
            **options,
        )
    except Exception as error:
        raise LoadFailure(
            f"{path} cannot be loaded: {_first_line(error)}", _advice(error, options, Path(path).is_dir())
        ) from error
    model, info = loaded
    # The library fills what is missing with random numbers and says so in a log line.
    absent = sorted(str(key) for key in info["missing_keys"] if not str(key).startswith(unread))
    if absent:
        raise LoadFailure(
            f"{path} lacks {len(absent)} of the model's tensors: {', '.join(absent[:5])}",
            "the checkpoint is incomplete or for another kind of model: download or export it again",
        )
    return model, tuple(sorted(str(key) for key in info["unexpected_keys"]))


def _advice(error: Exception, options: dict[str, Any], is_folder: bool) -> str:
    text = str(error)
    if "trust_remote_code" in text:
        return "the model brings its own code: read it, then allow it with trust_remote_code=True"
    if "safetensors" in text.lower():
        return "only safetensors checkpoints are read: save it again with model.save_pretrained(folder)"
    if is_folder:
        return (
            "its config.json and its tensors do not fit each other, "
            "or this version of transformers does not know its kind"
        )
    if options["local_files_only"]:
        return "it is not in the local cache as it stands: download it first, or allow the network with offline=False"
    return "check its config.json and the library's version"


def _first_line(error: Exception) -> str:
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return lines[0] if lines else type(error).__name__


def _looks_like_path(path: str | Path) -> bool:
    text = str(path)
    return isinstance(path, Path) or text.startswith((".", "/", "~")) or text.count("/") > 1


def device_of(name: str) -> torch.device:
    """The device of that name; `auto` is a CUDA device where there is one. Raises LoadFailure."""
    if name == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    device = torch.device(name)
    if device.type == "cuda" and not torch.cuda.is_available():
        raise LoadFailure(f"there is no device {name} here", "leave `device` out, or take cpu")
    return device
