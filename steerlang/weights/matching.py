"""Which tensors a task vector has on a base: matched by name, equal in shape, floats on both sides."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from math import prod

from steerlang.diagnostics import codes

from .adapters import Adapter
from .checkpoint import Checkpoint, Info
from .dtypes import is_float, is_quantised
from .errors import WeightsError, listed, near
from .expression import Difference, FactorSum, Lora, adapters_of

# States that modules keep beside their parameters, by the last segment of the name. A checkpoint does not say which of
# its tensors are parameters; these names are the ones that torch's own modules and rotary embeddings use.
_BUFFERS = re.compile(
    r"(?:.*\.)?(?:inv_freq|running_mean|running_var|num_batches_tracked|position_ids|token_type_ids|masked_bias)"
)


@dataclass(frozen=True, slots=True)
class LeftOut:
    """A tensor of an input that takes no part, and why."""

    source: str
    tensor: str
    reason: str


@dataclass(frozen=True)
class Match:
    """What one task vector reaches.

    lengths   for each tensor of the base, how many of its leading elements the task vector has (all, but for another
              number of tokens)
    modules   for adapters: the module of each tensor
    """

    lengths: Mapping[str, int] = field(repr=False)
    left_out: tuple[LeftOut, ...] = ()
    modules: Mapping[str, Mapping[str, str]] = field(default_factory=dict, repr=False)


def editable(base: Checkpoint) -> tuple[str, ...]:
    """The tensors of a model that can have a task vector: floats that are no buffers, in the order of the files."""
    return tuple(info.name for info in base.tensors.values() if is_float(info.dtype) and not is_buffer(info.name))


def is_buffer(name: str) -> bool:
    """Whether a tensor is state of a module rather than a parameter, by its name."""
    return _BUFFERS.fullmatch(name) is not None


def match_leaf(
    leaf: Difference | Lora | FactorSum,
    target: Checkpoint,
    checkpoints: Mapping[str, Checkpoint],
    adapters: Mapping[str, Adapter],
    notes: list[str],
) -> Match:
    """What a task vector reaches on the model that is edited. Raises WeightsError."""
    if isinstance(leaf, Difference):
        return _match_difference(leaf, target, checkpoints, notes)
    keys = adapters_of(leaf)
    modules = {key: adapters[key].on(target) for key in keys}
    if isinstance(leaf, FactorSum):
        _check_factors(leaf, modules, adapters)
    reached = modules[keys[0]]
    tied = target.tied_embedding
    if tied in reached and any(adapters[key].pairs[modules[key][tied]].embedding for key in keys):
        notes.append(f"`{tied}` is tied to the head: the edit changes both, as merging with PEFT does")
    left = tuple(
        LeftOut(adapters[key].name, f"{module}.weight", "the base's own layer, saved beside the factors")
        for key in dict.fromkeys(keys)
        for module in adapters[key].facts.frozen
    )
    return Match({tensor: target.info(tensor).count for tensor in reached}, left, modules)


def match_models(first: Checkpoint, second: Checkpoint, notes: list[str]) -> Match:
    """What two models have in common, for interpolation. Raises WeightsError."""
    return _compare(Difference("second", "first"), second, first, first, notes)


def _match_difference(
    leaf: Difference, target: Checkpoint, checkpoints: Mapping[str, Checkpoint], notes: list[str]
) -> Match:
    tuned, base = checkpoints[leaf.tuned], checkpoints[leaf.base]
    own = _compare(leaf, tuned, base, base, notes)
    if base is target:
        return own
    other = _compare(leaf, base, target, target, notes)
    lengths = {name: min(n, own.lengths[name]) for name, n in other.lengths.items() if name in own.lengths}
    return Match(lengths, (*own.left_out, *other.left_out))


def _compare(leaf: Difference, tuned: Checkpoint, base: Checkpoint, named: Checkpoint, notes: list[str]) -> Match:
    """The tensors of `base` that `tuned` has too."""
    _check_whole(tuned, base, notes)
    lengths: dict[str, int] = {}
    left: list[LeftOut] = []
    missing: list[str] = []
    for info in base.tensors.values():
        if not is_float(info.dtype) or is_buffer(info.name):
            _check_integer(info, tuned, base)
            left.append(
                LeftOut(base.name, info.name, "buffer" if is_float(info.dtype) else f"{info.dtype}, not a float")
            )
        elif info.name not in tuned:
            missing.append(info.name)
        else:
            length = _length(leaf, info, tuned, base, left)
            if length:
                lengths[info.name] = length
    extra = [name for name in tuned.names if name not in base and _is_parameter(tuned.info(name))]
    _check_names(leaf, tuned, named, missing, extra)
    left += [LeftOut(tuned.name, name, f"`{base.name}` does not have it") for name in extra]
    left += [LeftOut(base.name, name, f"`{tuned.name}` does not have it") for name in missing]
    return Match(lengths, tuple(left))


def _is_parameter(info: Info) -> bool:
    return not is_buffer(info.name) and (is_float(info.dtype) or is_quantised(info.dtype))


def _check_whole(tuned: Checkpoint, base: Checkpoint, notes: list[str]) -> None:
    for model in (tuned, base):
        quantised = model.config.get("quantization_config")
        if quantised or any(is_quantised(info.dtype) for info in model.tensors.values()):
            how = quantised.get("quant_method", "quantised") if isinstance(quantised, dict) else "float8"
            message = f"`{model.name}` is quantised ({how}): its stored numbers are not its weights"
            raise WeightsError(
                message, "take the unquantised checkpoint", codes.UNSUPPORTED_MODEL, place=str(model.folder)
            )
    kinds = [model.config.get("model_type") for model in (tuned, base)]
    if all(kinds) and kinds[0] != kinds[1]:
        message = f"`{tuned.name}` is a {kinds[0]} and `{base.name}` a {kinds[1]}: their weights mean different things"
        raise WeightsError(message, "take models of one architecture", codes.PROVENANCE_MISMATCH)
    if tuned.folder.resolve() == base.folder.resolve():
        notes.append(f"`{tuned.name}` and `{base.name}` are one folder: their difference is 0")


def _check_integer(info: Info, tuned: Checkpoint, base: Checkpoint) -> None:
    if not is_float(info.dtype) and info.name in tuned and is_float(tuned.info(info.name).dtype):
        raise _mixed(info.name, tuned, base)


def _mixed(name: str, tuned: Checkpoint, base: Checkpoint) -> WeightsError:
    first, second = tuned.info(name).dtype, base.info(name).dtype
    message = f"`{name}` is {first} in `{tuned.name}` and {second} in `{base.name}`: integers are not weights"
    return WeightsError(message, "take the unquantised checkpoint", codes.UNSUPPORTED_MODEL, place=str(tuned.folder))


def _length(leaf: Difference, info: Info, tuned: Checkpoint, base: Checkpoint, left: list[LeftOut]) -> int:
    """How many leading elements both have; 0 where the tensor is left out."""
    other = tuned.info(info.name)
    if not is_float(other.dtype):
        raise _mixed(info.name, tuned, base)
    if other.shape == info.shape:
        return info.count
    if _is_vocabulary(info, other, tuned, base):
        if leaf.vocabulary == "common":
            rows = min(info.shape[0], other.shape[0])
            left.append(
                LeftOut(tuned.name, info.name, f"rows from {rows:,} on: only one of the models has these tokens")
            )
            return rows * prod(info.shape[1:])
        message = f"`{tuned.name}` has {other.shape[0]:,} tokens and `{base.name}` {info.shape[0]:,} (`{info.name}`)"
        help = "say `vocabulary = common` if the first tokens of both are the same"
        raise WeightsError(message, help, codes.WIDTH_MISMATCH, place=str(tuned.folder))
    if leaf.missing == "skip":
        left.append(LeftOut(tuned.name, info.name, f"it is {list(other.shape)}, not {list(info.shape)}"))
        return 0
    turned = other.shape == info.shape[::-1]
    message = f"`{info.name}` is {list(other.shape)} in `{tuned.name}`, but {list(info.shape)} in `{base.name}`" + (
        ": it is transposed" if turned else ""
    )
    help = "take models of one architecture, or say `missing = skip` to leave such tensors alone"
    raise WeightsError(message, help, codes.WIDTH_MISMATCH, place=str(tuned.folder))


def _is_vocabulary(info: Info, other: Info, tuned: Checkpoint, base: Checkpoint) -> bool:
    """Whether two tensors differ only in how many tokens they have: in their rows, as both configurations say."""
    if not info.shape or len(info.shape) != len(other.shape) or info.shape[1:] != other.shape[1:]:
        return False
    ours, theirs = base.vocabulary, tuned.vocabulary
    # The weights may be padded beyond the configured number of tokens, and the configuration may not have been kept up.
    return (
        ours is not None
        and theirs is not None
        and (info.shape[0] >= ours > info.shape[0] // 2)
        and (info.shape[0] == ours or other.shape[0] == theirs)
    )


def _check_names(leaf: Difference, tuned: Checkpoint, base: Checkpoint, missing: list[str], extra: list[str]) -> None:
    if leaf.missing == "skip":
        return
    if missing:
        message = f"`{tuned.name}` lacks {listed(missing)}, which `{base.name}` has"
        help = (*near(missing[0], extra), "say `missing = skip` to leave such tensors as the base has them")
        notes = (f"{len(missing):,} of {len(base.names):,} tensors are missing",)
        raise WeightsError(message, help, codes.PROVENANCE_MISMATCH, notes=notes, place=str(tuned.folder))
    if extra:
        message = f"`{tuned.name}` has {listed(extra)}, which `{base.name}` does not have"
        help = (*near(extra[0], base.names), "say `missing = skip` to leave such tensors out")
        notes = (f"{len(extra):,} of {len(tuned.names):,} tensors have no counterpart",)
        raise WeightsError(message, help, codes.PROVENANCE_MISMATCH, notes=notes, place=str(tuned.folder))


def _check_factors(leaf: FactorSum, modules: Mapping[str, Mapping[str, str]], adapters: Mapping[str, Adapter]) -> None:
    first, *others = adapters_of(leaf)
    for key in others:
        if set(modules[key]) != set(modules[first]):
            odd = sorted(set(modules[key]) ^ set(modules[first]))
            message = f"`{adapters[key].name}` and `{adapters[first].name}` edit different tensors: {listed(odd)}"
            raise WeightsError(message, "add them as products", codes.WIDTH_MISMATCH)
        for tensor, module in modules[key].items():
            ranks = adapters[key].pairs[module].rank, adapters[first].pairs[modules[first][tensor]].rank
            if ranks[0] != ranks[1]:
                message = f"factors of rank {ranks[0]} and {ranks[1]} at `{tensor}` cannot be added"
                raise WeightsError(message, "add the adapters as products", codes.WIDTH_MISMATCH)
