"""LoRA adapters in PEFT's format as their configuration and header describe them: pairs of factors, τ = s · B A.

s = α / r, or α / √r with `use_rslora` (Kalajdzievski, 2023), α and r also by `alpha_pattern` and `rank_pattern`.
Embeddings are stored as A [r, tokens], B [width, r]: τ = s · (B A)ᵀ; so are layers with `fan_in_fan_out`.
Whatever else an adapter can hold changes the model in another way and is refused.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from steerlang.diagnostics import codes

from .config import read_json_object
from .digests import FileDigests
from .hub import Located, blob_digest
from .paths import names_in
from .promise import Absent, AdapterFacts, FactorPair, TensorFacts, Trouble
from .safetensors_header import read_header
from .troubles import bad_model

CONFIG, WEIGHTS = "adapter_config.json", "adapter_model.safetensors"
_FACTOR = re.compile(r"(?:base_model\.model\.)?(.+)\.lora_(embedding_)?([AB])(?:\.default)?(?:\.weight)?")
# PEFT saves the layer itself beside the factors of an embedding or a head. It is the base's own, and is not trained.
_FROZEN = re.compile(r"(?:base_model\.model\.)?(.+)\.base_layer\.weight")
_MERGE = "merge it into its base with PEFT and take `merged - base`"
_REFUSED = {
    "modules_to_save": "it replaces whole modules",
    "bias": "it changes biases of the base",
    "lora_bias": "its factors have biases of their own",
    "layer_replication": "it repeats layers of the base",
    "target_parameters": "it edits parameters inside modules",
    "trainable_token_indices": "it replaces rows of the embedding",
    "megatron_config": "its layers are cut for Megatron",
    "alora_invocation_tokens": "it acts on some tokens only",
    "use_qalora": "it pools its inputs in groups",
    "use_bdlora": "its factors are block-diagonal",
    "kasa_config": "it has singular values of its own",
    "monteclora_config": "it samples its factors",
    "arrow_config": "it routes between adapters",
}
# These take something out of the base's weights before training starts, which a saved adapter does not put back.
_RESIDUAL = ("pissa", "olora", "corda", "loftq", "lora_ga")


def read_adapter(located: Located, digests: FileDigests) -> AdapterFacts | Absent | Trouble:
    """What the files of an adapter say. An unfinished download is `Absent`."""
    folder, name = located.folder, located.name
    found = _files(folder, name)
    if isinstance(found, Trouble):
        if located.commit is not None and found.code is not codes.PICKLED_CHECKPOINT:
            return Absent(name, (str(folder),), "only a part of it is on this machine, or it is no adapter")
        return found
    config, tensors = found
    pairs = _pairs(name, folder, config, tensors)
    if isinstance(pairs, Trouble):
        return pairs
    trained_on = config.get("base_model_name_or_path")
    return AdapterFacts(
        name=name,
        path=folder,
        revision=located.commit,
        trained_on=trained_on if isinstance(trained_on, str) and trained_on else None,
        task=config["task_type"] if isinstance(config.get("task_type"), str) else None,
        pairs=pairs,
        frozen={match[1]: tensors[n].shape for n in tensors if (match := _FROZEN.fullmatch(n))},
        tensors=tensors,
        identity=lambda: digests.together(
            (n, blob_digest(folder / n) or digests.of(folder / n)) for n in (CONFIG, WEIGHTS)
        ),
    )


def _files(folder: Path, name: str) -> tuple[dict[str, Any], dict[str, TensorFacts]] | Trouble:
    """The configuration and the header, both checked."""
    if not (folder / CONFIG).is_file():
        message = f"`{name}` holds no adapter: `{CONFIG}` is missing"
        return bad_model(folder, message, "name the folder that PEFT's `save_pretrained` wrote", *_meant(folder))
    if not (folder / WEIGHTS).is_file():
        return _no_weights(folder, name)
    config = read_json_object(folder / CONFIG, f"{name}/{CONFIG}")
    if isinstance(config, Trouble):
        return replace(config, help=config.help or ("save or download the adapter again",))
    if (wrong := _refused(name, folder, config)) is not None:
        return wrong
    header = read_header(folder / WEIGHTS, f"{name}/{WEIGHTS}")
    return header if isinstance(header, Trouble) else (config, header)


def _meant(folder: Path) -> tuple[str, ...]:
    """A checkpoint of a trainer holds the adapter one folder further down."""
    below = [n for n in names_in(folder) if (folder / n / CONFIG).is_file()]
    if below:
        return (f"there is one in `{below[0]}`",)
    return ("a whole model is read with `hf(…)`",) if (folder / "config.json").is_file() else ()


def _no_weights(folder: Path, name: str) -> Trouble:
    if (folder / "adapter_model.bin").is_file():
        message = f"`{name}` has its weights only as a pickle (`adapter_model.bin`), which can run code when it is read"
        help = "convert it once, where you trust it: load it with PEFT and `save_pretrained` it again"
        return Trouble(codes.PICKLED_CHECKPOINT, message, (help,), place=str(folder / "adapter_model.bin"))
    return bad_model(folder, f"`{name}` has no `{WEIGHTS}`", "copy or download the whole folder of the adapter")


def _refused(name: str, folder: Path, config: Mapping[str, Any]) -> Trouble | None:
    """What is no sum with the base's weights."""

    def no(message: str, help: str = _MERGE) -> Trouble:
        said = f"the adapter `{name}` {message}"
        return Trouble(codes.UNSUPPORTED_ADAPTER, said, (help,), place=str(folder / CONFIG))

    kind = config.get("peft_type", "LORA")
    if kind != "LORA":
        return no(f"is of the kind {kind}, not LoRA")
    if config.get("use_dora"):
        return no("is DoRA, which is no sum with the base's weights")
    for option, meaning in _REFUSED.items():
        if config.get(option) not in (None, False, [], {}, "none"):
            return no(f"has `{option}` set: {meaning}")
    start = config.get("init_lora_weights")
    if isinstance(start, str) and start.startswith(_RESIDUAL):
        help = "save it again with PEFT's `path_initial_model_for_weight_conversion`, which makes it a plain LoRA"
        return no(f"was started with `{start}`, which changes the base's weights too", help)
    return None


def _pairs(
    name: str, folder: Path, config: Mapping[str, Any], tensors: Mapping[str, TensorFacts]
) -> dict[str, FactorPair] | Trouble:
    halves: dict[str, dict[str, str]] = {}
    embeddings: set[str] = set()
    for tensor in tensors:
        match = _FACTOR.fullmatch(tensor)
        if match is None:
            if _FROZEN.fullmatch(tensor):
                continue
            message = f"the adapter `{name}` holds `{tensor}`, which is no factor of a LoRA"
            return Trouble(codes.UNSUPPORTED_ADAPTER, message, (_MERGE,), place=str(folder / WEIGHTS))
        halves.setdefault(match[1], {})[match[3]] = tensor
        if match[2]:
            embeddings.add(match[1])
    if not halves:
        return bad_model(folder / WEIGHTS, f"the adapter `{name}` is empty", "save it again after training")
    found: dict[str, FactorPair] = {}
    for module, half in halves.items():
        pair = _pair(name, config, tensors, module, half, module in embeddings)
        if isinstance(pair, str):
            return bad_model(folder / WEIGHTS, f"the adapter `{name}` {pair}", "save the adapter again")
        found[module] = pair
    return found


def _pair(
    name: str, config: Mapping[str, Any], tensors: Mapping[str, TensorFacts], module: str, half: Mapping[str, str],
    embedding: bool,
) -> FactorPair | str:  # fmt: skip
    """The pair, or what is wrong with it."""
    if len(half) < 2:
        return f"has only one of the two factors of `{module}`"
    first, second = tensors[half["A"]].shape, tensors[half["B"]].shape
    if len(first) != 2 or len(second) != 2:
        return f"has factors of {max(len(first), len(second))} dimensions at `{module}`, as a convolution has"
    rank = first[0]
    if second[1] != rank:
        return f"has factors {list(second)} and {list(first)} at `{module}`, which do not multiply"
    if rank == 0:
        return f"has factors of rank 0 at `{module}`"
    if floats := [n for n in half.values() if tensors[n].dtype not in ("F64", "F32", "F16", "BF16")]:
        return f"stores `{floats[0]}` as {tensors[floats[0]].dtype}, not as floats"
    said = _by_pattern(config.get("rank_pattern"), module, config.get("r"))
    if said is not None and said != rank:
        return f"says rank {said} at `{module}`, but its factors have rank {rank}"
    alpha = _by_pattern(config.get("alpha_pattern"), module, config.get("lora_alpha", rank))
    if not isinstance(alpha, (int, float)) or isinstance(alpha, bool) or not math.isfinite(alpha):
        return f"has no number as `lora_alpha` ({json.dumps(alpha)} at `{module}`)"
    scale = alpha / (math.sqrt(rank) if config.get("use_rslora") else rank)
    transposed = embedding or bool(config.get("fan_in_fan_out"))
    shape = (first[1], second[0]) if transposed else (second[0], first[1])
    return FactorPair(half["A"], half["B"], rank, scale, transposed, embedding, shape)


def _by_pattern(patterns: Any, module: str, default: Any) -> Any:
    """PEFT's rule: the first pattern that the module's name ends with."""
    for pattern, value in (patterns or {}).items() if isinstance(patterns, dict) else ():
        try:
            if re.match(rf"(.*\.)?({pattern})$", module):
                return value
        except re.error:
            continue
    return default
