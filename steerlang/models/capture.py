"""Reading states: one pass over the data for any number of requests.

Items are batched by length and padded on the right; the decoder runs without the vocabulary projection and stops after
the deepest block anybody reads; of each state only the positions somebody asked for are kept, in float32 on the CPU (or
in arrays the caller gives, so that memory does not grow with the data).
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from steerlang.models.errors import BadBatch, NonFinite, SiteUnavailable
from steerlang.models.loading import LoadedModel
from steerlang.models.positions import Selector
from steerlang.models.prefill import given_of, places_fit, prepared
from steerlang.models.reading import BatchReads, Reader, Wanted
from steerlang.models.sites import Place, Point, first_input, first_tensor
from steerlang.models.tokens import TokenisedItem, batches, pad
from steerlang.models.widths import common_width


@dataclass(frozen=True)
class CaptureRequest:
    """States of some items at some points.

    ``items`` index the unique items of the pass, in the order wanted. ``out`` is a float32 array (for instance a memory
    map) of the result's shape to write into; without it one is made. See `result_shape`.
    """

    items: tuple[int, ...]
    points: tuple[Point, ...]
    selector: Selector
    out: NDArray[np.float32] | None = None


@dataclass(frozen=True, eq=False)
class CaptureResult:
    """``states [n, P, D]`` float32, one row an item of the request and one column a point.

    For selectors that read each token, rows are tokens: those of item i are ``offsets[i]:offsets[i + 1]``.
    ``found [n]`` is False where the selector matched no token; such an item's row is zero (absent if rows are tokens).
    """

    states: NDArray[np.float32]
    found: NDArray[np.bool_]
    offsets: NDArray[np.int64]


def result_shape(
    loaded: LoadedModel, items: Sequence[TokenisedItem], request: CaptureRequest
) -> tuple[int, int, int]:
    """The shape ``[rows, points, width]`` of a request's result, known before the pass."""
    wanted = Wanted(items, request.items, request.selector)
    return (wanted.rows, len(request.points), common_width(loaded.layout, request.points))


def capture(
    loaded: LoadedModel,
    items: Sequence[TokenisedItem],
    requests: Sequence[CaptureRequest],
    *,
    batch_tokens: int = 4096,
    begin: Callable[[Sequence[int]], None] | None = None,
) -> list[CaptureResult]:
    """Reads every request in one pass over the items that any of them needs.

    ``batch_tokens`` bounds the padded tokens of a batch; results do not depend on it beyond float rounding. ``begin``
    is called before each batch with the items in it (an overlay wants to know where their prompts end). Raises
    NonFinite (site, layer, item), LayerOutOfRange, SiteUnavailable, BadBatch, NeedsOffsets.
    """
    readers = [_reader(loaded, items, request) for request in requests]
    needed = sorted({index for request in requests for index in request.items})
    empty = [index for index in needed if not len(items[index])]
    if empty:
        raise BadBatch(f"item {empty[0]} has no tokens", "leave out empty texts")
    loaded.check_lengths(len(item) for item in items)
    layout = loaded.layout
    tap = _Tap(loaded, readers)
    with torch.inference_mode(), tap:
        for batch in _batches(needed, items, batch_tokens, layout.causal):
            if begin is not None:
                begin(batch)
            tap.run(batch, items)
    return [CaptureResult(r.states, r.wanted.found, r.wanted.offsets) for r in readers]


def _batches(
    needed: Sequence[int], items: Sequence[TokenisedItem], batch_tokens: int, causal: bool
) -> Iterator[list[int]]:
    """Items that run together; those with images are not mixed with the others.

    Padding on the right needs no mask in a causal model; others get rows of one length only, except beside images,
    where the mask is given.
    """
    plain = [i for i in needed if items[i].picture is None]
    seen = [i for i in needed if items[i].picture is not None]
    for some, equal in ((plain, not causal), (seen, False)):
        for group in batches([len(items[i]) for i in some], batch_tokens, equal=equal):
            yield [some[i] for i in group]


def _reader(loaded: LoadedModel, items: Sequence[TokenisedItem], request: CaptureRequest) -> Reader:
    wrong = [i for i in request.items if not 0 <= i < len(items)]
    if wrong:
        raise BadBatch(f"a request names item {wrong[0]}, there are {len(items)}", "index the items given")
    wanted = Wanted(items, request.items, request.selector)
    shape = (wanted.rows, len(request.points), common_width(loaded.layout, request.points))
    if request.out is not None and (request.out.shape != shape or request.out.dtype != np.float32):
        raise BadBatch(
            f"the array to write into is {request.out.dtype} {request.out.shape}, the result is float32 {shape}",
            "make it with the shape that result_shape gives",
        )
    states = np.zeros(shape, dtype=np.float32) if request.out is None else request.out
    return Reader(wanted, request.points, states)


class _Enough(Exception):  # noqa: N818 - nothing went wrong
    """Ends a pass when all that was asked for has been read."""


class _Tap:
    """Hooks on every place that is read, and one that ends the pass; removed on leaving."""

    def __init__(self, loaded: LoadedModel, readers: Sequence[Reader]) -> None:
        self._loaded = loaded
        self._readers = readers
        self._reads: BatchReads | None = None
        self._handles: list[Any] = []
        self._places: dict[Point, Place] = {}
        for reader in readers:
            for point in reader.points:
                self._places.setdefault(point, loaded.layout.place(point))

    def __enter__(self) -> _Tap:
        try:
            for point, place in self._places.items():
                self._handles.append(self._listen(point, place))
            self._handles += self._stop_hooks()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        for handle in self._handles:
            handle.remove()
        self._handles.clear()

    def run(self, group: list[int], items: Sequence[TokenisedItem]) -> None:
        """One batch: the items with these indices."""
        if items[group[0]].picture is None:
            self._run_texts(group, items)
        else:
            self._run_images(group, items)
        reads, self._reads = self._reads, None
        assert reads is not None
        silent = reads.silent()
        if silent is not None:
            raise SiteUnavailable(f"{silent} gave no states when the model ran", "name a module that every text passes")
        bad = reads.deliver()
        if bad is not None:
            point, item = bad
            raise NonFinite(str(point.site), point.layer, item)

    def _run_texts(self, group: list[int], items: Sequence[TokenisedItem]) -> None:
        ids, _ = pad([items[i].ids for i in group], left=False, device=self._loaded.device)
        self._reads = BatchReads(self._readers, group, tuple(ids.shape), self._loaded.device)
        with contextlib.suppress(_Enough):
            self._loaded.layout.run(ids, use_cache=False)

    def _run_images(self, group: list[int], items: Sequence[TokenisedItem]) -> None:
        ids, given = given_of(self._loaded, [items[i] for i in group], left=False)
        inputs = prepared(self._loaded, ids, given, use_cache=False)
        self._reads = BatchReads(self._readers, group, tuple(ids.shape), self._loaded.device)
        with contextlib.suppress(_Enough), places_fit():
            self._loaded.model(**inputs)

    def _listen(self, point: Point, place: Place) -> Any:
        def read(states: Tensor | None) -> None:
            if states is not None and self._reads is not None:
                self._reads.take(point, states)

        if place.reads_input:
            return place.module.register_forward_pre_hook(
                lambda _, a, k: read(first_input(a, k)), with_kwargs=True
            )
        return place.module.register_forward_hook(lambda _, __, output: read(first_tensor(output)))

    def _stop_hooks(self) -> list[Any]:
        """Ends the pass after the deepest block read, or where it begins if only its input is read."""
        blocks = self._loaded.layout.blocks
        deepest = max((place.block for place in self._places.values()), default=-1)
        if deepest >= len(blocks):
            return []

        def stop(module: nn.Module, *_: object) -> None:
            if self._reads is not None:
                raise _Enough

        if deepest < 0:
            return [blocks[0].register_forward_pre_hook(stop)]
        last = [p for p in self._places.values() if p.block == deepest]
        inputs_only = all(p.module is blocks[deepest] and p.reads_input for p in last)
        if inputs_only:
            return [blocks[deepest].register_forward_pre_hook(stop)]
        return [blocks[deepest].register_forward_hook(stop)]
