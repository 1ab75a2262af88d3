"""What the tokenizer files of a model folder say, and texts cut by its tokenizer where that package is installed."""

from __future__ import annotations

import importlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from .config import read_json_object
from .promise import Rendered, TokenizerFacts, Trouble
from .troubles import bad_model, unreadable

FAST_FILE = "tokenizer.json"
_SLOW_FILES = ("tokenizer.model", "spiece.model", "sentencepiece.bpe.model", "vocab.json", "vocab.txt", "tekken.json")
_TEMPLATE_FILES = ("chat_template.jinja", "chat_template.json")
_SETTINGS_FILE = "tokenizer_config.json"
_SPECIAL_FILE = "special_tokens_map.json"
# Parsing costs a second for every 100 MB; larger files are only looked at from both ends.
_PARSED_UP_TO = 4 << 20


def read_tokenizer(folder: Path, name: str) -> TokenizerFacts | Trouble:
    """The tokenizer in `folder`; facts without a file where there is none, trouble where it is damaged."""
    file = next((f for f in (FAST_FILE, *_SLOW_FILES) if (folder / f).is_file()), None)
    if file is None:
        return TokenizerFacts()
    if file == FAST_FILE:
        trouble = _check_fast(folder / FAST_FILE, f"{name}/{FAST_FILE}")
        if trouble is not None:
            return trouble
    settings = _settings(folder, name)
    if isinstance(settings, Trouble):
        return settings
    templated = bool(settings.get("chat_template")) or any((folder / f).is_file() for f in _TEMPLATE_FILES)
    bos, eos, pad = (_token(settings.get(key)) for key in ("bos_token", "eos_token", "pad_token"))
    return TokenizerFacts(file, file == FAST_FILE, templated, bos, eos, pad)


def _check_fast(path: Path, name: str) -> Trouble | None:
    try:
        size = path.stat().st_size
    except OSError:
        size = 0
    if size > _PARSED_UP_TO:
        return _check_ends(path, name)
    content = read_json_object(path, name)
    if isinstance(content, Trouble):
        return content
    if not isinstance(content.get("model"), dict):
        message = f"`{name}` holds no tokenizer: it has no `model`"
        return bad_model(path, message, "take the file that was saved with the model")
    return None


def _check_ends(path: Path, name: str) -> Trouble | None:
    try:
        with path.open("rb") as handle:
            start = handle.read(64).lstrip()
            handle.seek(-64, 2)
            end = handle.read().rstrip()
    except OSError as problem:
        return unreadable(name, path, problem)
    if start.startswith(b"{") and end.endswith(b"}"):
        return None
    return bad_model(path, f"`{name}` is not JSON, or is truncated", "download it again")


def _settings(folder: Path, name: str) -> dict[str, object] | Trouble:
    """`tokenizer_config.json`, with the special tokens of the older separate file where it lacks them."""
    merged: dict[str, object] = {}
    for file in (_SPECIAL_FILE, _SETTINGS_FILE):
        if not (folder / file).is_file():
            continue
        content = read_json_object(folder / file, f"{name}/{file}")
        if isinstance(content, Trouble):
            return content
        merged.update({key: value for key, value in content.items() if value is not None})
    return merged


def _token(value: object) -> str | None:
    if isinstance(value, Mapping):
        value = value.get("content")
    return value if isinstance(value, str) else None


def no_tokenizer(name: str, folder: Path) -> Trouble:
    """For a program that has the model read text."""
    message = f"`{name}` has no tokenizer (`{FAST_FILE}`), so the model cannot read text"
    help = "copy the tokenizer files of the model it was made from into its folder"
    return bad_model(folder, message, help)


class Renderer:
    """Cuts texts by the tokenizers of model folders, each loaded once. The package is imported on first use."""

    def __init__(self) -> None:
        self._loaded: dict[Path, Any] = {}

    def render(self, folder: Path, texts: Sequence[str]) -> tuple[Rendered, ...] | None:
        """The texts cut by the tokenizer in `folder`; None where it or the package is not there or does not load."""
        if folder not in self._loaded:
            self._loaded[folder] = _load(folder / FAST_FILE)
        tokenizer = self._loaded[folder]
        if tokenizer is None:
            return None
        return tuple(_rendered(text, tokenizer.encode(text)) for text in texts)


def _load(path: Path) -> Any:
    try:
        tokenizers = importlib.import_module("tokenizers")
        tokenizer = tokenizers.Tokenizer.from_file(str(path))
        # The file may ask for padding and truncation, which would show tokens that a single text does not have.
        tokenizer.no_padding()
        tokenizer.no_truncation()
    except Exception:
        # The package is written in Rust and raises bare `Exception`. Showing tokens is a courtesy, no reason to fail.
        return None
    return tokenizer


def _rendered(text: str, cut: Any) -> Rendered:
    return Rendered(text, tuple(cut.tokens), tuple(cut.ids), tuple((start, end) for start, end in cut.offsets))
