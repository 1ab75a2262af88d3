"""The probe pass: runs a model once on fifteen tokens and proves where its parts are by what they compute.

Three rows of five tokens: row 1 differs from row 0 in the first token only (what differs later was mixed in by
attention), row 2 in the last only (nothing earlier may differ: the model is causal).
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

import torch
from torch import Tensor, nn
from transformers.pytorch_utils import Conv1D

from steerlang.models.block_parts import find_parts
from steerlang.models.cache import make_cache
from steerlang.models.closeness import close
from steerlang.models.errors import ModelError, UnsupportedModel
from steerlang.models.heads import through_model
from steerlang.models.layout import BlockParts, Layout, LayoutOverride
from steerlang.models.sites import first_input, first_tensor
from steerlang.models.tokens import position_ids

ROWS, LENGTH = 3, 5


class NotTheBlocks(ModelError):  # noqa: N818 - a finding, tried next is another list
    """These modules are not the decoder's blocks."""


@dataclass(frozen=True, eq=False)
class Subject:
    """The model under probe, its decoder, and what is known of it beforehand."""

    model: Any
    decoder: nn.Module
    decoder_name: str
    width: int
    override: LayoutOverride
    encoder: nn.Module | None = None

    def run(self, ids: Tensor) -> Any:
        """The whole model on text. An encoder reads the same text whatever the decoder reads."""
        if self.encoder is None:
            return self.model(input_ids=ids, use_cache=False)
        seen = ids[:1].expand_as(ids)
        return self.model(input_ids=seen, decoder_input_ids=ids, use_cache=False)


@dataclass(eq=False)
class Record:
    """What the pass showed. Tensors are ``[ROWS, LENGTH, width]`` copies."""

    entered: list[Tensor] = field(default_factory=list)
    left: list[Tensor] = field(default_factory=list)
    parts: list[BlockParts] = field(default_factory=list)
    after: list[tuple[nn.Module, Tensor, Tensor]] = field(default_factory=list)
    decoder_output: Any = None


def prove(subject: Subject, blocks_name: str, blocks: tuple[nn.Module, ...]) -> Layout:
    """The layout with these blocks. Raises NotTheBlocks when they do not carry the residual stream."""
    ids = _probe_ids(subject)
    record = Record()
    logits = _observe(subject, blocks, ids, record)
    _check_chain(record, blocks, subject.width)
    last = record.decoder_output[0]
    out = record.left[-1]
    alone = subject.encoder is None
    return Layout(
        root=subject.model,
        decoder=subject.decoder,
        decoder_name=subject.decoder_name,
        blocks=blocks,
        blocks_name=blocks_name,
        parts=tuple(record.parts),
        final_norm=next(
            (m for m, i, o in record.after if _is_norm(m) and close(i, out) and close(o, last)), None
        ),
        unembedding=subject.model.get_output_embeddings(),
        head_is_linear=_is_linear_head(subject, record, logits),
        output_type=type(record.decoder_output),
        width=subject.width,
        dtype=out.dtype,
        # An encoder sees all of its text: its padding is not harmless.
        causal=alone and close(out[0, :-1], out[2, :-1]),
        left_padding=alone and _padding_is_harmless(subject, ids, last),
        takes_position_ids="position_ids" in inspect.signature(subject.decoder.forward).parameters,
        plain_inputs=alone and _goes_on(subject, ids, last, None),
        roomy=alone and _goes_on(subject, ids, last, LENGTH + 2),
        encoder=subject.encoder,
    )


def _probe_ids(subject: Subject) -> Tensor:
    vocabulary = int(subject.model.config.get_text_config(decoder=True).vocab_size)
    row = [(11 + 7 * i) % vocabulary for i in range(LENGTH)]
    other = (row[0] + 3) % vocabulary
    rows = [row, [other, *row[1:]], [*row[:-1], other]]
    return torch.tensor(rows, device=next(subject.model.parameters()).device)


def _observe(subject: Subject, blocks: tuple[nn.Module, ...], ids: Tensor, record: Record) -> Tensor | None:
    """One pass of the whole model with hooks on everything in the decoder; returns its logits, if it has any."""
    handles = [subject.decoder.register_forward_hook(_keep_decoder_output(record))]
    inside = {id(module) for block in blocks for module in block.modules()}
    for block in blocks:
        handles += _watch_block(block, subject, record)
    for module in subject.decoder.modules():
        if module is not subject.decoder and id(module) not in inside:
            handles.append(module.register_forward_hook(_keep_after(record, len(blocks)), with_kwargs=True))
    try:
        with torch.no_grad():
            output = subject.run(ids)
    except Exception as error:
        raise UnsupportedModel(
            f"a pass over {ids.numel()} text tokens failed: {error}",
            [type(subject.model).__name__],
            "the model may need inputs other than text",
        ) from error
    finally:
        for handle in handles:
            handle.remove()
    logits = getattr(output, "logits", None)
    return logits if isinstance(logits, Tensor) else None


def _keep_decoder_output(record: Record) -> Callable[..., None]:
    def keep(module: nn.Module, args: Any, output: Any) -> None:
        record.decoder_output = output

    return keep


def _keep_after(record: Record, depth: int) -> Callable[..., None]:
    """Keeps input and output of modules that run after the last block."""

    def keep(module: nn.Module, args: Any, kwargs: Any, output: Any) -> None:
        given, made = first_input(args, kwargs), first_tensor(output)
        if len(record.left) == depth and given is not None and made is not None:
            record.after.append((module, given.clone(), made.clone()))

    return keep


def _watch_block(block: nn.Module, subject: Subject, record: Record) -> list[Any]:
    """Hooks that keep what enters and leaves a block, find its parts, and forget the rest at once."""
    seen: dict[str, Tensor] = {}
    shape = (ROWS, LENGTH, subject.width)

    def enter(module: nn.Module, args: Any, kwargs: Any) -> None:
        given = first_input(args, kwargs)
        if given is not None and given.shape == shape:
            record.entered.append(given.clone())

    def keep(name: str) -> Callable[..., None]:
        def hook(module: nn.Module, args: Any, output: Any) -> None:
            made = first_tensor(output)
            # Cloned: some blocks add to a module's output in place afterwards.
            if (
                made is not None
                and made.shape[-1:] == shape[-1:]
                and made.numel() == ROWS * LENGTH * subject.width
            ):
                seen[name] = made.reshape(shape).clone()

        return hook

    def leave(module: nn.Module, args: Any, output: Any) -> None:
        made = first_tensor(output)
        if made is None or made.shape != shape or len(record.entered) != len(record.left) + 1:
            return
        record.left.append(made.clone())
        before = record.parts[-1] if record.parts else None
        found = find_parts(record.entered[-1], record.left[-1], seen, before, subject.override)
        record.parts.append(_with_projections(block, found, seen))
        seen.clear()

    handles: list[Any] = [
        sub.register_forward_hook(keep(name)) for name, sub in block.named_modules() if sub is not block
    ]
    handles.append(block.register_forward_pre_hook(enter, with_kwargs=True))
    handles.append(block.register_forward_hook(leave))
    return handles


def _with_projections(block: nn.Module, parts: BlockParts, seen: dict[str, Tensor]) -> BlockParts:
    """Which projections give the outputs of the parts, and which part ended last."""
    ended = [name for name in seen if name in (parts.attention, parts.mlp)]
    if len(ended) < 2:
        return parts
    attention, mlp = (_projection(block, str(part), seen) for part in (parts.attention, parts.mlp))
    return replace(parts, attention_projection=attention, mlp_projection=mlp, last=ended[-1])


def _projection(block: nn.Module, part: str, seen: dict[str, Tensor]) -> str | None:
    module = block.get_submodule(part)
    # A dropout is nothing here: what it hands on was made elsewhere.
    hands_on = next(module.parameters(), None) is None and next(module.children(), None) is None
    inside = [name for name in seen if hands_on or name == part or name.startswith(f"{part}.")]
    return next(
        (
            name
            for name in reversed(inside)
            if isinstance(block.get_submodule(name), nn.Linear | Conv1D) and torch.equal(seen[name], seen[part])
        ),
        None,
    )


def _check_chain(record: Record, blocks: tuple[nn.Module, ...], width: int) -> None:
    if len(record.left) != len(blocks) or len(record.entered) != len(blocks):
        raise NotTheBlocks(
            f"{len(record.left)} of {len(blocks)} modules take and give states of width {width}"
        )
    for layer, (out, following) in enumerate(zip(record.left, record.entered[1:], strict=False)):
        if not torch.equal(out, following):
            raise NotTheBlocks(f"what leaves module {layer} is not what enters module {layer + 1}")


def _is_norm(module: nn.Module) -> bool:
    """A norm scales and shifts: it has no matrix."""
    return all(parameter.ndim <= 1 for parameter in module.parameters())


def _is_linear_head(subject: Subject, record: Record, logits: Tensor | None) -> bool:
    """Whether the unembedding alone gives the logits, also of states so large that a soft cap would show."""
    unembedding, last = subject.model.get_output_embeddings(), record.decoder_output[0]
    if unembedding is None or logits is None or not subject.decoder_name or subject.encoder is not None:
        return False
    large = last[0] * (100.0 / logits.float().abs().max().clamp_min(1e-6)).to(last.dtype)
    with torch.no_grad():
        by_model = through_model(
            subject.model, subject.decoder, subject.decoder_name, type(record.decoder_output), large
        )
        return close(unembedding(last), logits) and close(unembedding(large), by_model)


def _goes_on(subject: Subject, ids: Tensor, last: Tensor, room: int | None) -> bool:
    """Whether the decoder gives the same states when the last two tokens come one by one after the others."""
    positions = torch.arange(LENGTH, device=ids.device).expand(ROWS, LENGTH)
    takes = "position_ids" in inspect.signature(subject.decoder.forward).parameters
    start = 0
    try:
        cache = make_cache(subject.model.config, room, small=0)
        with torch.no_grad():
            for end in (LENGTH - 2, LENGTH - 1, LENGTH):
                extra = {"position_ids": positions[:, start:end]} if takes else {}
                part = ids[:, start:end]
                output = subject.decoder(input_ids=part, past_key_values=cache, use_cache=True, **extra)
                if not close(output[0], last[:, start:end]):
                    return False
                start = end
    except Exception:  # whatever a model's own code raises: it wants something else
        return False
    return bool(start == cache.get_seq_length())


def _padding_is_harmless(subject: Subject, ids: Tensor, last: Tensor) -> bool:
    """Whether two tokens of padding on the left leave the states of row 0 as they are."""
    padded = torch.cat([ids[:1, :1].expand(1, 2), ids[:1]], dim=1)
    mask = torch.ones_like(padded)
    mask[:, :2] = 0
    extra = {}
    if "position_ids" in inspect.signature(subject.decoder.forward).parameters:
        extra["position_ids"] = position_ids(mask)
    with torch.no_grad():
        output = subject.decoder(input_ids=padded, attention_mask=mask, use_cache=False, **extra)
    return close(output[0][0, 2:], last[0])
