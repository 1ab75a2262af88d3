"""What results say of the model they were made with. Needs no torch, so that a page of stored results is quick."""

from __future__ import annotations

import json
from contextlib import suppress
from pathlib import Path

from steerlang.graph.node import Node, walk


def identity_of(base: Node) -> str:
    """What names the weights at the bottom of a model: the digest of a checkpoint, or the key of an edit."""
    return str(base.options["identity"]) if base.operation == "model.load" else base.key


def model_type_of(node: Node) -> str:
    """The kind of the model (`llama`) a result was made with, by the configuration beside its weights, or empty."""
    for found in walk([node]):
        path = found.locators.get("path") if found.operation == "model.load" else None
        if path is not None:
            with suppress(OSError, ValueError, AttributeError):
                return str(json.loads((Path(path) / "config.json").read_bytes()).get("model_type", ""))
    return ""
