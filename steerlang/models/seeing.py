"""Prompts with an image: their tokens (`cutting`), and what a model's own processor makes of the image itself.

Images are decoded when a batch needs them. What was made is kept up to a limit, so that the images of a small set are
not made ready again for the next pass, model or sweep.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import torch
from torch import Tensor

from steerlang.models.cutting import OWN, Cut, called, cut, told
from steerlang.models.errors import BadImage, ImageTokens
from steerlang.models.pictures import picture, size_of
from steerlang.models.tokens import Picture, TokenisedItem

Inputs = Mapping[str, Tensor]

_BUDGET = 16 << 20

@dataclass(frozen=True)
class Shown:
    """A row as it is asked for: the text of the prompt with one place for the image, and where the image lies.

    ``special`` is whether the tokenizer adds its own first tokens, which a chat template may have written already.
    """

    text: str
    path: str
    place: str = ""
    special: bool = True


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
    _cuts: dict[tuple[str, tuple[int, int], bool], Cut] = field(default_factory=dict, repr=False)
    _told: dict[tuple[int, ...], TokenisedItem] = field(default_factory=dict, repr=False)
    _kept: dict[str, Inputs] = field(default_factory=dict, repr=False)
    _bytes: int = 0

    def items(self, rows: Sequence[Shown], by_text: bool = True) -> list[TokenisedItem]:
        """Each prompt as tokens; ``by_text``: with the characters they cover, which selectors by text look at.

        Raises BadImage (with the row), ImageTokens, NoTokens.
        """
        sizes = [size_of(row.path, row.place) for row in rows]
        missing: dict[tuple[tuple[int, int], bool], dict[str, Shown]] = {}
        for row, size in zip(rows, sizes, strict=True):
            if (row.text, size, row.special) not in self._cuts:
                missing.setdefault((size, row.special), {}).setdefault(row.text, row)
        for (size, special), several in missing.items():
            first = next(iter(several.values()))
            image = _read(first.path, first.place)
            made = cut(self.processor, list(several), image, special, self.image_id)
            self._cuts |= {(text, size, special): one for text, one in zip(several, made, strict=True)}
        return [self._item(row, size, by_text) for row, size in zip(rows, sizes, strict=True)]

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

    def _item(self, row: Shown, size: tuple[int, int], by_text: bool) -> TokenisedItem:
        found = self._cuts[(row.text, size, row.special)]
        one = Picture(row.path, row.place, row.text, size, found.types)
        if not by_text:
            return TokenisedItem(found.ids, picture=one, image=found.image)
        spelt = self._told.get(found.ids)
        if spelt is None:
            spelt = self._told[found.ids] = told(self.processor.tokenizer, found)
        return replace(spelt, picture=one, image=found.image)

    def _made(self, several: Sequence[TokenisedItem]) -> list[Inputs]:
        """Images of one size, ready. Each has an equal share of what the processor returns for all."""
        pictures = [picture_of(item) for item in several]
        images = [_read(one.path, one.place) for one in pictures]
        count = len(several)
        # The shortest text there is for all: nothing is padded, and what becomes of an image does not depend on it.
        text = getattr(self.processor, "image_token", None) or pictures[0].text
        made = called(self.processor, [str(text)] * count, images, True, return_tensors="pt")
        ids = made["input_ids"]
        tensors = {name: t for name, t in made.items() if name not in OWN and isinstance(t, Tensor)}
        rest = {name: t for name, t in tensors.items() if t.shape != ids.shape}  # others are said of tokens
        if count > 1 and any(tensor.shape[0] % count for tensor in rest.values()):
            return [self._made([item])[0] for item in several]
        for item, row in zip(several, ids, strict=True):
            _same_tokens(item, int((row == self.image_id).sum()))
        shares = {name: tensor.chunk(count) for name, tensor in rest.items()}
        return [{name: parts[i].clone() for name, parts in shares.items()} for i in range(count)]

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


def _read(path: str, place: str) -> Any:
    try:
        return picture(path)
    except BadImage as broken:
        raise BadImage(broken.path, broken.reason, place) from broken


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
