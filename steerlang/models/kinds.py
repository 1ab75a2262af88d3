"""Which of the library's classes a checkpoint is loaded with, by what its configuration is registered for."""

from __future__ import annotations

from typing import Any

from transformers import AutoConfig, AutoModelForCausalLM, AutoModelForImageTextToText, AutoModelForSeq2SeqLM


def auto_class(path: str, options: dict[str, Any]) -> Any:
    """The class for text generation: with an encoder where there is one, with eyes where text alone has no class.

    A configuration that cannot be read is left to the loading itself to complain about.
    """
    try:
        config = AutoConfig.from_pretrained(path, **options)
    except Exception:  # said again, with advice, when the weights are loaded
        return AutoModelForCausalLM
    if getattr(config, "is_encoder_decoder", False):
        return AutoModelForSeq2SeqLM
    kinds = (AutoModelForCausalLM, AutoModelForImageTextToText)
    return next((kind for kind in kinds if _knows(kind, config)), AutoModelForCausalLM)


def _knows(kind: Any, config: Any) -> bool:
    remote = getattr(config, "auto_map", None) or {}
    return type(config) in kind._model_mapping or kind.__name__ in remote
