"""Prompts with an image: the tokens that a model's own processor makes of them, and what it makes of the image itself.

The tokens of a prompt depend on its text and on the size of its image alone (of every processor of the library), so a
processor is asked once for each text and size; images are decoded when a batch needs them, and what was made is kept up
to a limit, so that the same images are not made ready again for the next pass, model or sweep.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor

from steerlang.models.errors import BadImage, ImageTokens, NoTokens
from steerlang.models.pictures import picture, size_of
from steerlang.models.replies import spelled
from steerlang.models.tokens import Picture, TokenisedItem

Inputs = Mapping[str, Tensor]

_BUDGET = 16 << 20
# What a processor returns that is no input of a forward pass, or that is made here.
_OWN = frozenset({"input_ids", "attention_mask", "labels", "offset_mapping", "special_tokens_mask", "length"})


@dataclass(frozen=True)
class Shown:
    """A row as it is asked for: the text of the prompt with one place for the image, and where the image lies.

    ``special`` is whether the tokenizer adds its own first tokens, which a chat template may have written already.
    """

    text: str
    path: str
    place: str = ""
    special: bool = True


@dataclass(frozen=True)
class _Cut:
    """What a processor makes of a text beside an image of some size: tokens, and the rest of what it says of each."""

    ids: tuple[int, ...]
    types: tuple[tuple[str, tuple[int, ...]], ...]
    image: tuple[int, ...]
    told: TokenisedItem


@dataclass(eq=False)
class Eyes:
    """The processor of a model, the number of the token that stands for (a part of) an image, and what was made.

    budget       bytes of images that are kept ready
    fingerprint  the same for folders whose processors make the same of every row
    """

    processor: Any
    image_id: int
    fingerprint: str = ""
    budget: int = _BUDGET
    _cuts: dict[tuple[str, tuple[int, int], bool], _Cut] = field(default_factory=dict, repr=False)
    _kept: dict[str, Inputs] = field(default_factory=dict, repr=False)
    _bytes: int = 0

    def items(self, rows: Sequence[Shown]) -> list[TokenisedItem]:
        """Each prompt as tokens. Raises BadImage with the row for an image whose size cannot be read."""
        return [self._item(row, number) for number, row in enumerate(rows)]

    def pixels(self, items: Sequence[TokenisedItem]) -> list[Inputs]:
        """What the processor makes of the image of each item, on the CPU; each has a batch's first dimension.

        Images of one size are made ready together. Raises BadImage, ImageTokens.
        """
        pictures = [picture_of(item) for item in items]
        found: dict[str, Inputs] = {}
        missing: dict[tuple[int, int], dict[str, TokenisedItem]] = {}
        for one, item in zip(pictures, items, strict=True):
            kept = self._kept.get(one.path)
            if kept is None:
                missing.setdefault(one.size, {})[one.path] = item
            else:
                found[one.path] = kept
        for several in missing.values():
            for path, made in zip(several, self._made(list(several.values())), strict=True):
                found[path] = made
                self._keep(path, made)
        return [found[one.path] for one in pictures]

    def _item(self, row: Shown, number: int) -> TokenisedItem:
        size = size_of(row.path, row.place)
        key = (row.text, size, row.special)
        cut = self._cuts.get(key)
        if cut is None:
            cut = self._cuts[key] = self._cut(row, number)
        one = Picture(row.path, row.place, row.text, size, cut.types)
        told = cut.told
        return TokenisedItem(cut.ids, told.text, told.offsets, told.specials, picture=one, image=cut.image)

    def _cut(self, row: Shown, number: int) -> _Cut:
        made = self._processed([row.text], [_read(row.path, row.place)], row.special)
        ids = tuple(int(i) for i in made["input_ids"][0])
        if not ids:
            raise NoTokens(number)
        image = tuple(at for at, i in enumerate(ids) if i == self.image_id)
        if not image:
            raise ImageTokens(
                "the processor leaves no place for the image in the prompt",
                "its chat template must write the place of an image; or write it into the prompt yourself",
            )
        types = tuple(
            (name, tuple(int(i) for i in tensor[0])) for name, tensor in made.items() if _of_tokens(name, tensor, made)
        )
        return _Cut(ids, types, image, _told(self.processor.tokenizer, ids, frozenset(image)))

    def _made(self, several: Sequence[TokenisedItem]) -> list[Inputs]:
        """Images of one size, ready. Each has an equal share of what the processor returns for all."""
        pictures = [picture_of(item) for item in several]
        images = [_read(one.path, one.place) for one in pictures]
        count = len(several)
        # One text for all: nothing is padded, and what becomes of an image does not depend on it.
        made = self._processed([pictures[0].text] * count, images, True)
        rest = {name: t for name, t in made.items() if name not in _OWN and not _of_tokens(name, t, made)}
        if count > 1 and any(tensor.shape[0] % count for tensor in rest.values()):
            return [self._made([item])[0] for item in several]
        for item, row in zip(several, made["input_ids"], strict=True):
            _same_tokens(item, int((row == self.image_id).sum()))
        return [{name: tensor.chunk(count)[i].clone() for name, tensor in rest.items()} for i in range(count)]

    def _processed(self, texts: list[str], images: list[Any], special: bool) -> dict[str, Tensor]:
        options = {} if special else {"add_special_tokens": False}
        try:
            made = self.processor(images=[[image] for image in images], text=texts, return_tensors="pt", **options)
        except Exception as refused:  # processors are the library's or a model's own, and refuse in their own ways
            said = next(iter(str(refused).splitlines()), type(refused).__name__)
            raise ImageTokens(
                f"the processor does not take the prompt and its image: {said.rstrip('.')}",
                "look at the rendered prompt: it must have one place for an image",
            ) from refused
        return {str(name): value for name, value in made.items() if isinstance(value, Tensor)}

    def _keep(self, path: str, made: Inputs) -> None:
        size = sum(tensor.nbytes for tensor in made.values())
        # What is kept stays: of a set that is too large, as much as fits serves the next pass over it.
        if self._bytes + size <= self.budget:
            self._kept[path] = made
            self._bytes += size


def picture_of(item: TokenisedItem) -> Picture:
    """The image of an item that has one."""
    assert item.picture is not None
    return item.picture


def _same_tokens(item: TokenisedItem, count: int) -> None:
    one = picture_of(item)
    if count != len(item.image):
        raise ImageTokens(
            f"the processor gives {count} tokens to the image {one.path}, and gave {len(item.image)} to another of "
            "its size",
            "processors whose number of tokens depends on more than the size are not supported",
        )


def _of_tokens(name: str, tensor: Tensor, made: Mapping[str, Tensor]) -> bool:
    """Whether a tensor says something of each token."""
    return name not in _OWN and tensor.shape == made["input_ids"].shape and not tensor.is_floating_point()


def _read(path: str, place: str) -> Any:
    try:
        return picture(path)
    except BadImage as broken:
        raise BadImage(broken.path, broken.reason, place) from broken


def _told(tokenizer: Any, ids: tuple[int, ...], image: frozenset[int]) -> TokenisedItem:
    """The text of a prompt and the characters of its tokens; those of the image cover none."""
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


def collated(rows: Sequence[Inputs], device: torch.device, dtype: torch.dtype) -> dict[str, Tensor]:
    """Inputs of several rows as one: end to end along the first dimension, filled with zeros to the largest along the
    others, as processors fill; numbers in ``dtype``."""
    made: dict[str, Tensor] = {}
    for name in rows[0]:
        parts = [row[name] for row in rows]
        largest = [max(sizes) for sizes in zip(*(part.shape[1:] for part in parts), strict=True)]
        joined = torch.cat([_filled(part, largest) for part in parts])
        made[name] = joined.to(device, dtype if joined.is_floating_point() else joined.dtype)
    return made


def _filled(part: Tensor, sizes: Sequence[int]) -> Tensor:
    if list(part.shape[1:]) == list(sizes):
        return part
    filled = part.new_zeros(part.shape[0], *sizes)
    filled[tuple(slice(n) for n in part.shape)] = part
    return filled
