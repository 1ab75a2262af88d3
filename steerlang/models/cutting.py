"""Prompts with images as tokens, by a model's own processor, which is shown one image of each size.

How many tokens an image has depends on its size, and on nothing else in it; so what the image processor makes of one
image stands for all of its size, and the processor is left with the texts, many at a time.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from steerlang.models.errors import ImageTokens, NoTokens
from steerlang.models.replies import spelled
from steerlang.models.tokens import TokenisedItem

_AT_ONCE = 64
# What a processor returns that is no input of a forward pass, or that is made here.
OWN = frozenset({"input_ids", "attention_mask", "labels", "offset_mapping", "special_tokens_mask", "length"})


@dataclass(frozen=True)
class Cut:
    """What a processor makes of a text beside an image of some size: tokens, and the rest of what it says of each.

    image  the tokens that stand for the image
    """

    ids: tuple[int, ...]
    types: tuple[tuple[str, tuple[int, ...]], ...]
    image: tuple[int, ...]


def cut(processor: Any, texts: Sequence[str], image: Any, special: bool, image_id: int) -> list[Cut]:
    """Texts, each with a place for an image of the size of ``image``, as tokens.

    ``special``: whether the tokenizer adds its own first tokens. Raises ImageTokens, NoTokens (by text).
    """
    found: list[Cut] = []
    with _one_image(processor):
        for start in range(0, len(texts), _AT_ONCE):
            for ids, types in _several(processor, list(texts[start : start + _AT_ONCE]), image, special):
                if not ids:
                    raise NoTokens(len(found))
                found.append(_cut(ids, types, image_id))
    return found


def _cut(ids: tuple[int, ...], types: Mapping[str, tuple[int, ...]], image_id: int) -> Cut:
    image = tuple(at for at, i in enumerate(ids) if i == image_id)
    if not image:
        raise ImageTokens(
            "the processor leaves no place for the image in the prompt",
            "its chat template must write the place of an image; or write it into the prompt yourself",
        )
    return Cut(ids, tuple(types.items()), image)


Said = tuple[tuple[int, ...], dict[str, tuple[int, ...]]]


def _several(processor: Any, texts: list[str], image: Any, special: bool) -> list[Said]:
    """Tokens of each text, and what else is said of each token. Some processors take texts of one length only."""
    try:
        made = called(processor, texts, [image] * len(texts), special)
    except ImageTokens:
        if len(texts) == 1:
            raise
        return [said for text in texts for said in _several(processor, [text], image, special)]
    rows = [tuple(int(i) for i in row) for row in made["input_ids"]]
    types = [name for name, value in made.items() if name not in OWN and _is_of_tokens(value, rows)]
    return [(ids, {name: tuple(int(i) for i in made[name][k]) for name in types}) for k, ids in enumerate(rows)]


def _is_of_tokens(value: Any, rows: Sequence[tuple[int, ...]]) -> bool:
    """Whether something is said of each token of each text, as whole numbers."""
    try:
        fits = len(value) == len(rows) and all(len(v) == len(r) for v, r in zip(value, rows, strict=True))
        return fits and all(np.ndim(v[0]) == 0 and int(v[0]) == v[0] for v in value)
    except (TypeError, ValueError):
        return False


def called(
    processor: Any, texts: Sequence[str], images: Sequence[Any], special: bool, **options: Any
) -> dict[str, Any]:
    """What a processor returns for texts with one image each. Raises ImageTokens where it refuses them."""
    more = options if special else {**options, "add_special_tokens": False}
    try:
        made = processor(images=[[image] for image in images], text=list(texts), **more)
    except Exception as refused:  # processors are the library's or a model's own, and refuse in their own ways
        said = next(iter(str(refused).splitlines()), type(refused).__name__)
        raise ImageTokens(
            f"the processor does not take the prompt and its image: {said.rstrip('.')}",
            "look at the rendered prompt: it must have one place for an image",
        ) from refused
    return {str(name): value for name, value in made.items()}


class _Same:
    """Stands in for an image processor: works once, and gives the same for as many images as it is asked for."""

    def __init__(self, inner: Any) -> None:
        self._inner = inner
        self._made: Any = None

    def __getattr__(self, name: str) -> Any:
        return getattr(self.__dict__["_inner"], name)

    def __call__(self, images: Any, *args: Any, **kwargs: Any) -> Any:
        count = len(images) if isinstance(images, (list, tuple)) else 1
        if self._made is None:
            first = images[:1] if isinstance(images, (list, tuple)) else images
            self._made = self._inner(first, *args, **kwargs)
        return type(self._made)({name: _times(value, count) for name, value in self._made.items()})


def _times(value: Any, count: int) -> Any:
    if isinstance(value, torch.Tensor):
        return torch.cat([value] * count)
    if isinstance(value, np.ndarray):
        return np.concatenate([value] * count)
    return list(value) * count


@contextmanager
def _one_image(processor: Any) -> Iterator[None]:
    own = processor.image_processor
    processor.image_processor = _Same(own)
    try:
        yield
    finally:
        processor.image_processor = own


def told(tokenizer: Any, made: Cut) -> TokenisedItem:
    """The text of a prompt and the characters of its tokens; those of the image cover none."""
    ids, image = made.ids, frozenset(made.image)
    others = [at for at in range(len(ids)) if at not in image]
    plain = spelled(tokenizer, [ids[at] for at in others])
    assert plain.offsets is not None
    offsets: list[tuple[int, int]] = []
    placed = dict(zip(others, plain.offsets, strict=True))
    for at in range(len(ids)):
        before = offsets[-1][1] if offsets else 0
        offsets.append(placed.get(at, (before, before)))
    first = min(image)
    names = {others[at]: name for at, name in plain.specials}
    names[first] = str(tokenizer.convert_ids_to_tokens(ids[first]))
    return TokenisedItem(ids, plain.text, tuple(offsets), tuple(sorted(names.items())))
