"""Exporting an edited model as a complete Hugging Face folder that `from_pretrained` loads."""

from __future__ import annotations

import hashlib
import json
import shutil
from collections import Counter
from collections.abc import Mapping
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

from steerlang.weights.dtypes import CONFIG_WORDS, is_float
from steerlang.weights.errors import disk_errors
from steerlang.weights.layout import MAX_SHARD
from steerlang.weights.planning import EditPlan
from steerlang.weights.staging import TEMPLATES, Staging, busy_errors, check_target
from steerlang.weights.writer import FORMAT, Progress, identity, receipt, write_shards

from .model_card import coefficients_file, model_card

RECEIPT = "receipt.json"
# What makes up a model beside its weights. Logs, optimiser states and cards of the base stay behind.
_COMPANIONS = (
    "generation_config.json", "tokenizer*", "special_tokens_map.json", "added_tokens.json", "vocab.*", "merges.txt",
    "*.model", "*.tiktoken", "chat_template*", "*.jinja", "preprocessor_config.json", "processor_config.json",
    "image_processor*.json", "video_preprocessor_config.json", "feature_extractor*.json", "LICENSE*",
)  # fmt: skip


def export_checkpoint(
    plan: EditPlan,
    to: str | Path,
    *,
    max_shard_size: int = MAX_SHARD,
    overwrite: bool = False,
    program: str = "",
    coefficients: Mapping[str, Mapping[str, float]] | None = None,
    digests: Mapping[str, str] | None = None,
    base: str = "",
    change: str = "",
    progress: Progress | None = None,
) -> dict[str, Any]:
    """Writes the folder beside `to` and renames it; gives its receipt.

    max_shard_size  bytes of tensors in one file
    overwrite       whether a folder that is not empty and was not written by an export may be replaced
    program         the text of the program, for the model card
    coefficients    by task vector, by block, for the card and `coefficients.json`
    digests         of the inputs, by their keys in the plan
    base, change    the model it was made of and what was added, for the card

    A run that was killed is taken up tensor by tensor when the same export is asked for again. Raises WeightsError;
    then nothing is left behind.
    """
    target = Path(to)
    inputs = {c.name: c.folder for c in (*plan.checkpoints.values(), *(a.file for a in plan.adapters.values()))}
    check_target(target, overwrite or is_ours(target), inputs)
    with busy_errors(), disk_errors(target), Staging(target, identity(plan, max_shard_size)).opened() as staging:
        written = write_shards(plan, staging, max_shard_size, progress)
        found = receipt(written, digests)
        card = model_card(found, target.name, program, coefficients, base, change)
        for name, data in _documents(plan, card, coefficients).items():
            staging.write(name, data)
        copy_companions(plan.base.folder, staging.folder, bool(plan.base.config.get("auto_map")))
        found["files"] = file_digests(staging.folder, {*found["shards"], RECEIPT})
        staging.write(RECEIPT, (json.dumps(found, indent=1, ensure_ascii=False) + "\n").encode())
        staging.publish()
    return found


def is_ours(target: Path) -> bool:
    """Whether a folder was written by an export, as a file of results may be that a run replaces."""
    try:
        found = json.loads((target / RECEIPT).read_bytes())
    except (OSError, ValueError, RecursionError):
        return False
    return isinstance(found, dict) and found.get("format") == FORMAT


def _documents(
    plan: EditPlan, card: str, coefficients: Mapping[str, Mapping[str, float]] | None
) -> dict[str, bytes]:
    files = {"README.md": card.encode()}
    if plan.base.config:
        files["config.json"] = (json.dumps(_config(plan), indent=2, ensure_ascii=False) + "\n").encode()
    if coefficients:
        files["coefficients.json"] = coefficients_file(coefficients)
    return files


def _config(plan: EditPlan) -> dict[str, Any]:
    """The base's configuration with the dtype that most numbers are now stored in."""
    counts: Counter[str] = Counter()
    for output in plan.outputs:
        if is_float(output.dtype):
            counts[output.dtype] += output.size
    config = json.loads(json.dumps(dict(plan.base.config)))
    if counts:
        word = CONFIG_WORDS[counts.most_common(1)[0][0]]
        for part in (config, *(v for v in config.values() if isinstance(v, dict))):
            for key in ("dtype", "torch_dtype"):
                if isinstance(part.get(key), str):
                    part[key] = word
        if "torch_dtype" not in config:
            config["dtype"] = word
    return dict(config)


def copy_companions(source: Path, target: Path, with_code: bool) -> None:
    """Copies what makes up a model beside its weights."""
    patterns = (*_COMPANIONS, "*.py") if with_code else _COMPANIONS
    for path in sorted(source.iterdir()):
        if path.is_file() and any(fnmatchcase(path.name, pattern) for pattern in patterns):
            shutil.copyfile(path, target / path.name)
    templates = source / TEMPLATES
    if templates.is_dir():
        shutil.copytree(templates, target / templates.name, dirs_exist_ok=True)


def file_digests(folder: Path, but: set[str]) -> dict[str, str]:
    """SHA-256 of every file but the shards (their tensors have digests of their own), the journal and the receipt."""
    names = sorted(str(p.relative_to(folder)) for p in folder.rglob("*") if p.is_file())
    return {
        name: hashlib.sha256((folder / name).read_bytes()).hexdigest()
        for name in names
        if name not in but and not name.startswith(".journal")
    }
