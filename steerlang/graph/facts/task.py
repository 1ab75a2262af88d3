"""Whether the files of a model fit the task it is loaded for, as configuration, tensor names and file names tell."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from steerlang.diagnostics import codes

from .config import FILE, Config
from .promise import TensorFacts, TokenizerFacts, Trouble

PROCESSOR_FILES = ("preprocessor_config.json", "processor_config.json")
CLASSIFIERS = ("image_classification", "clip", "sequence_classification")
_SCALE = "logit_scale"  # what two-tower models multiply cosines by; nothing else stores it at the top


@dataclass(frozen=True, slots=True)
class _Folder:
    config: Config
    tensors: Mapping[str, TensorFacts]
    tokenizer: TokenizerFacts
    has_processor: bool


def found_task(config: Config, tensors: Mapping[str, TensorFacts]) -> str | None:
    """What a model is for: two towers with a scale between them are `clip`, else what its architecture's name says."""
    if config.sees_images and config.reads_text and _SCALE in tensors:
        return "clip"
    return config.task


def check_task(
    asked: str | None, folder: Path, name: str, config: Config, tensors: Mapping[str, TensorFacts],
    tokenizer: TokenizerFacts,
) -> Trouble | None:  # fmt: skip
    """Why the model in `folder` cannot be loaded for the task the program asks for, or None."""
    has_processor = any((folder / file).is_file() for file in PROCESSOR_FILES)
    files = _Folder(config, tensors, tokenizer, has_processor)
    check = _CHECKS.get(asked or "")
    wrong = check(files) if check is not None else None
    if wrong is None:
        return None
    message, help = wrong
    return Trouble(codes.UNFIT_TASK, f"`{name}` {message}", (help,), place=str(folder / FILE))


def missing_part(task: str, tokenizer: TokenizerFacts, processor: bool) -> tuple[str, str] | None:
    """What a model needs to read its rows and does not have: the message after its name, and help."""
    if task in ("image_classification", "clip", "image_text_to_text") and not processor:
        return (
            f"has no image processor (`{PROCESSOR_FILES[0]}`), so it is not known how images are cut and scaled",
            "copy the file from the model it was made from",
        )
    if task in ("sequence_classification", "clip", "image_text_to_text", "text_embedding") and not tokenizer.present:
        return (
            "has no tokenizer (`tokenizer.json`), so the model cannot read text",
            "copy the tokenizer files of the model it was made from into its folder",
        )
    return None


Wrong = tuple[str, str]


def _causal(files: _Folder) -> Wrong | None:
    task = found_task(files.config, files.tensors)
    return _is(files, "causal", f"leave `task` out, or say `task = {task}`") if task in CLASSIFIERS else None


def _of_one_kind(task: str) -> Callable[[_Folder], Wrong | None]:
    def check(files: _Folder) -> Wrong | None:
        found = found_task(files.config, files.tensors)
        if found == task or (found is None and not files.config.architectures):
            return missing_part(task, files.tokenizer, files.has_processor)
        known = (*CLASSIFIERS, "causal")
        help = f"say `task = {found}`" if found in known else "give a model that was saved with a classifier"
        return _is(files, task, help)

    return check


def _seeing(files: _Folder) -> Wrong | None:
    config = files.config
    found = found_task(config, files.tensors)
    if not config.sees_images:
        help = f"leave `task` out, or say `task = {found}`" if found is not None else "leave `task` out"
        return f"has no `vision_config` in its `{FILE}`: the model sees no images", help
    if found is not None and found != "image_text_to_text":
        return _is(files, "image_text_to_text", f"leave `task` out, or say `task = {found}`")
    return missing_part("image_text_to_text", files.tokenizer, files.has_processor)


def _clip(files: _Folder) -> Wrong | None:
    config = files.config
    if not config.sees_images or not config.reads_text:
        absent = "`vision_config`" if not config.sees_images else "`text_config`"
        found = found_task(config, files.tensors)
        help = f"say `task = {found}`" if found in CLASSIFIERS else "give a model with an image and a text encoder"
        return f"has no {absent} in its `{FILE}`, and `clip` needs an image and a text encoder", help
    if _SCALE not in files.tensors:
        help = "give a model whose two encoders were trained together"
        return f"has no tensor `{_SCALE}`, which scales the match of image and text", help
    return missing_part("clip", files.tokenizer, files.has_processor)


def _is(files: _Folder, task: str, help: str) -> Wrong:
    named = ", ".join(f"`{a}`" for a in files.config.architectures) or f"a `{files.config.model_type}`"
    return f"is {named}, which is no model for `{task}`", help


_CHECKS: Mapping[str, Callable[[_Folder], Wrong | None]] = {
    "causal": _causal,
    "image_text_to_text": _seeing,
    "image_classification": _of_one_kind("image_classification"),
    "sequence_classification": _of_one_kind("sequence_classification"),
    "clip": _clip,
    "text_embedding": lambda files: missing_part("text_embedding", files.tokenizer, files.has_processor),
}
