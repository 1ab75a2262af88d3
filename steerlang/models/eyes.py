"""The processor of a model that sees images, made of its image processor and its tokenizer alone.

The library's processors of models that also see videos ask for packages that only videos need; and the image processor
is the one that works on Pillow images, so that the same numbers come out on every machine.
"""

from __future__ import annotations

import hashlib
import inspect
from pathlib import Path
from typing import Any

from transformers import AutoImageProcessor, AutoProcessor, AutoTokenizer
from transformers.models.auto.processing_auto import PROCESSOR_MAPPING

from steerlang.models.errors import LoadFailure
from steerlang.models.seeing import Eyes

_FILES = "processor_config.json or preprocessor_config.json, and the tokenizer's files, must lie beside the weights"


def eyes_of(path: str, model: Any, options: dict[str, Any]) -> Eyes:
    """What makes images ready for a model that was loaded from `path` with these options. Raises LoadFailure."""
    try:
        processor = _processor(path, model, options)
    except LoadFailure:
        raise
    except Exception as error:
        lines = [line.strip() for line in str(error).splitlines() if line.strip()] or [type(error).__name__]
        raise LoadFailure(f"the processor of {path} cannot be loaded: {lines[0]}", _FILES) from error
    named = (getattr(model.config, name, None) for name in ("image_token_id", "image_token_index"))
    known = [i for i in (*named, *getattr(processor, "image_token_ids", ())) if isinstance(i, int)]
    if not known:
        raise LoadFailure(
            f"neither the configuration nor the processor of {path} says which token stands for an image",
            "set image_token_id in config.json",
        )
    return Eyes(processor, known[0], _fingerprint(Path(path)))


def _processor(path: str, model: Any, options: dict[str, Any]) -> Any:
    kind: Any = PROCESSOR_MAPPING.get(type(model.config), None)
    auto: dict[str, Any] = {"processor": AutoProcessor, "images": AutoImageProcessor, "texts": AutoTokenizer}
    if kind is None:  # code of the model's own
        found = auto["processor"].from_pretrained(path, **options)
        if getattr(found, "tokenizer", None) is None or getattr(found, "image_processor", None) is None:
            raise LoadFailure(f"{path} has no processor of images and texts", _FILES)
        return found
    images = auto["images"].from_pretrained(path, backend="pil", **options)
    tokenizer = auto["texts"].from_pretrained(path, **options)
    values, _ = kind.get_processor_dict(path, **options)
    return of_parts(kind, images, tokenizer, **values)


def of_parts(kind: Any, images: Any, tokenizer: Any, **values: Any) -> Any:
    """A processor of class `kind` without its part for videos; what of `values` it does not take is left out."""
    still = type(kind.__name__, (kind,), {"get_attributes": classmethod(_still_parts)})
    takes = inspect.signature(kind.__init__).parameters
    parts = {"image_processor": images, "tokenizer": tokenizer}
    missing = {name: None for name in kind.get_attributes() if name not in parts}
    given = {name: value for name, value in values.items() if name in takes and name not in (*parts, *missing)}
    return still(**given, **parts, **missing)


def _still_parts(_: type[Any]) -> list[str]:
    return ["image_processor", "tokenizer"]


def _fingerprint(folder: Path) -> str:
    """The same for folders whose processors make the same of every row."""
    total = hashlib.sha256()
    for path in sorted(folder.glob("*")):
        if path.suffix in (".json", ".jinja", ".model", ".txt") and ".index." not in path.name:
            total.update(path.name.encode() + hashlib.sha256(path.read_bytes()).digest())
    return total.hexdigest()
