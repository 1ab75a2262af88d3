"""Finding the layout by structure, never by class names or patterns on module names.

The library says which part is the decoder. Its blocks are the module list whose length is the configured number of
layers and whose elements hand the residual stream on to each other in a probe pass (`probe`). What is not found is said
with what was.
"""

from __future__ import annotations

from typing import Any

from torch import nn

from steerlang.models.errors import UnsupportedModel
from steerlang.models.layout import Layout, LayoutOverride
from steerlang.models.probe import NotTheBlocks, Subject, prove

Candidates = list[tuple[str, tuple[nn.Module, ...]]]


def find_layout(model: Any, override: LayoutOverride | None = None) -> Layout:
    """The layout of a transformers model, proven by a probe pass of three rows of five tokens.

    Raises UnsupportedModel with what was found.
    """
    override = override or LayoutOverride()
    encoder = model.get_encoder() if getattr(model.config, "is_encoder_decoder", False) else None
    depth, width = _dimensions(model.config if encoder is not None else model.config.get_text_config(decoder=True))
    decoder = model.get_decoder()
    name = next((name for name, module in model.named_modules() if module is decoder), None)
    if name is None:
        raise UnsupportedModel("the decoder is not a part of the model", [type(decoder).__name__])
    subject = Subject(model, decoder, name, width, override, encoder)
    failures: list[str] = []
    for blocks_name, blocks in _candidates(model, decoder, name, depth, override):
        try:
            return prove(subject, blocks_name, blocks)
        except NotTheBlocks as failure:
            failures.append(f"{blocks_name}: {failure.message}")
    raise UnsupportedModel(
        f"no list of {depth} decoder blocks of width {width} was found", failures or _lists(model)
    )


def _dimensions(text: Any) -> tuple[int, int]:
    # Of a model with an encoder, the depth of the decoder is meant.
    names = ("decoder_layers", "num_decoder_layers", "num_hidden_layers")
    depth = next((n for name in names if isinstance(n := getattr(text, name, None), int)), None)
    width = getattr(text, "hidden_size", None)
    if not isinstance(depth, int) or not isinstance(width, int):
        raise UnsupportedModel(
            "the configuration does not say how many layers there are, or how wide they are",
            sorted(key for key in text.to_dict() if "layer" in key or "size" in key),
            "set num_hidden_layers and hidden_size in config.json",
        )
    return depth, width


def _candidates(
    model: nn.Module, decoder: nn.Module, decoder_name: str, depth: int, override: LayoutOverride
) -> Candidates:
    """Module lists of the configured length inside the decoder, the outermost first; or the one given by hand."""
    if override.blocks is not None:
        try:
            chosen = model.get_submodule(override.blocks)
        except AttributeError as error:
            raise UnsupportedModel(f"no module is called {override.blocks}", _lists(model)) from error
        return [(override.blocks, tuple(chosen.children()))]
    prefix = f"{decoder_name}." if decoder_name else ""
    found = [
        (prefix + name, tuple(module))
        for name, module in decoder.named_modules()
        if isinstance(module, nn.ModuleList) and len(module) == depth
    ]
    return sorted(found, key=lambda entry: entry[0].count("."))


def _lists(model: nn.Module) -> list[str]:
    return [
        f"{name} ({len(m)} modules)" for name, m in model.named_modules() if isinstance(m, nn.ModuleList)
    ][:12]
