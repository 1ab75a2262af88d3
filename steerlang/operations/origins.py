"""What results say of the model they were made with. Needs no torch, so that a page of stored results is quick."""

from __future__ import annotations

import json
from contextlib import suppress
from pathlib import Path

from steerlang.graph.node import Json, Node, walk


def identity_of(base: Node) -> str:
    """What names the weights at the bottom of a model: the digest of a checkpoint, or the key of an edit."""
    return str(base.options["identity"]) if base.operation == "model.load" else base.key


def origin_of(model: Node) -> dict[str, Json]:
    """The weights at the bottom of a model that states were read from: id and digest."""
    while model.operation in ("model.steer", "model.prompted"):
        model = model.inputs[0]
    return {"id": model.locators["name"], "identity": identity_of(model)}


def model_type_of(node: Node) -> str:
    """The kind of the model (`llama`) a result was made with, by the configuration beside its weights, or empty."""
    for found in walk([node]):
        path = found.locators.get("path") if found.operation == "model.load" else None
        if path is not None:
            with suppress(OSError, ValueError, AttributeError):
                return str(json.loads((Path(path) / "config.json").read_bytes()).get("model_type", ""))
    return ""


def loads_from(model: Node) -> str:
    """What a `model.load` node's model is loaded by from anywhere: its id where it comes from the Hugging Face cache,
    else the whole path of its folder."""
    place = Path(model.locators["path"])
    return model.locators["name"] if place.parent.name == "snapshots" else str(place)


def base_of_adapter(adapter: Node) -> str:
    """What an `adapter.load` node's base is loaded by from anywhere. A name in its configuration that is a folder is
    looked for beside the adapter and above: it is relative to wherever the adapter was trained."""
    name = adapter.locators["trained_on"]
    folders = (above / name for above in Path(adapter.locators["path"]).parents) if name else ()
    return next((str(folder) for folder in folders if (folder / "config.json").is_file()), name)
