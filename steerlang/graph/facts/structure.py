"""What the names and shapes of a checkpoint's tensors tell: blocks, widths, tied embeddings."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass

from steerlang.diagnostics import codes

from .config import FILE, Config
from .promise import TensorFacts, Trouble

_BLOCK = re.compile(r"((?:[^.]*[^.\d][^.]*\.)+)(\d+)\.")
_OTHER_TOWERS = ("vision", "visual", "image", "audio")


@dataclass(frozen=True, slots=True)
class Blocks:
    """A numbered run of modules: `prefix` and a number from 0 to `count` - 1."""

    prefix: str
    count: int
    numbers: int


def block_groups(tensors: Mapping[str, TensorFacts]) -> list[Blocks]:
    """The numbered runs of modules, the one with most numbers (parameters) first. Only outermost runs count: experts
    and other parts numbered inside a block do not."""
    indices: dict[str, set[int]] = {}
    sizes: Counter[str] = Counter()
    for name, tensor in tensors.items():
        match = _BLOCK.match(name)
        if match is not None:
            indices.setdefault(match[1], set()).add(int(match[2]))
            sizes[match[1]] += tensor.count
    return [
        Blocks(prefix, len(indices[prefix]), size)
        for prefix, size in sizes.most_common()
        if indices[prefix] == set(range(len(indices[prefix])))
    ]


def decoder_blocks(tensors: Mapping[str, TensorFacts]) -> Blocks | None:
    """The largest run of blocks that is no image or audio tower; the largest at all where there is no other."""
    groups = [group for group in block_groups(tensors) if group.count > 1]
    text = [group for group in groups if not any(word in group.prefix.lower() for word in _OTHER_TOWERS)]
    return next(iter(text or groups), None)


def check_layers(config: Config, tensors: Mapping[str, TensorFacts], name: str) -> Trouble | None:
    """A checkpoint with fewer blocks than its configuration says: the others would be filled with random numbers.

    More blocks than the configuration says are no trouble (some models carry blocks for training only), and models
    whose layers share weights have fewer by design.
    """
    if config.layers is None or config.shares_layers:
        return None
    groups = block_groups(tensors)
    if any(group.count >= config.layers for group in groups):
        return None
    found = decoder_blocks(tensors)
    if found is None:
        return None
    last = found.count - 1
    return Trouble(
        codes.UNREADABLE_MODEL,
        f"`{name}/{FILE}` says {config.layers} layers, but the weights have {found.count}",
        ("take the configuration and the weights from the same save",),
        (f"the weights have `{found.prefix}0` to `{found.prefix}{last}`",),
    )


def surplus_note(config: Config, tensors: Mapping[str, TensorFacts]) -> str | None:
    """A note on blocks beyond those the configuration says."""
    found = decoder_blocks(tensors)
    if config.layers is None or found is None or config.shares_layers:
        return None
    if any(group.count == config.layers for group in block_groups(tensors)) or found.count <= config.layers:
        return None
    held = f"the weights have {found.count} blocks at `{found.prefix}`"
    return f"{held}, the configuration says {config.layers}: the rest is not used"


def width_of(vocabulary: int | None, tensors: Mapping[str, TensorFacts]) -> int | None:
    """The width of the embedding, found by its height, for configurations that leave out what they inherit."""
    tall = (t.shape for t in tensors.values() if len(t.shape) == 2 and t.shape[0] == vocabulary)
    return next((shape[1] for shape in tall), None)


def is_tied(vocabulary: int | None, width: int | None, tensors: Mapping[str, TensorFacts]) -> bool | None:
    """Whether input and output embeddings are one tensor, by how many of their shape are stored."""
    stored = sum(1 for t in tensors.values() if t.shape == (vocabulary, width))
    return None if stored == 0 else stored == 1


def main_dtype(tensors: Mapping[str, TensorFacts]) -> str | None:
    """The dtype that most numbers are stored in, in torch's words."""
    counts: Counter[str] = Counter()
    for tensor in tensors.values():
        counts[tensor.dtype] += tensor.count
    if not counts:
        return None
    dtype = counts.most_common(1)[0][0]
    return {"F32": "float32", "F16": "float16", "BF16": "bfloat16", "F64": "float64"}.get(dtype, dtype.lower())
