"""Vectors read from files: `load_vector`. What their headers say is held against the model they are meant for."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from steerlang.diagnostics import Diagnostic, Label, codes, error
from steerlang.diagnostics.codes import Severity
from steerlang.graph.facts import Trouble, VectorFacts
from steerlang.graph.node import Json
from steerlang.language.layers import spelled
from steerlang.language.lowering import Lowering
from steerlang.language.parameter_types import Flag, Number, Selector, Text, Value
from steerlang.language.signature import Call, Function, Parameter
from steerlang.language.types import MODEL, SITE, VECTOR
from steerlang.language.values import POISON, ModelValue, VectorValue

from .reports import report
from .selectors import SITE_WORDS
from .tasks import is_causal

# Weights up to this size are hashed by `validate` too; of larger ones the digest is compared when a run is planned.
_HASHED_AT_ONCE = 1 << 30


def _load(call: Call, low: Lowering) -> Any:
    found = low.facts.vector(call["path"], low.folder)
    if isinstance(found, Trouble):
        report(found, call.where("path"), low)
        return POISON
    model: ModelValue = call["model"]
    if not is_causal(model, call.where("model"), "a steering vector", low):
        return POISON
    layers = tuple(layer + call["shift"] for layer in found.layers)
    fits = _wide_enough(call, low, found, model) and _has_layers(call, low, layers, model)
    if not fits or not _its_model(call, low, found, model):
        return POISON
    site = _site(call, low, found)
    if site is None:
        return POISON
    for note in found.notes:
        low.report(Diagnostic(codes.UNKNOWN_ORIGIN, f"`{found.name}`: {note}", Label(call.where("path"))))
    identity = found.digest() if low.options.hashing else f"unhashed:{found.path}"
    options: dict[str, Json] = {"digest": identity, "format": found.format, "layers": list(layers), "site": site}
    locators = {"path": str(found.path), "name": call["path"]}
    node = low.node("vector.load", options, (model.base,), "vector", locators=locators, source=call["path"])
    place = (site, layers, model.width, model.layers, found.has_norms)
    return VectorValue(node, model.base.key, model.name, *place)


def _wide_enough(call: Call, low: Lowering, found: VectorFacts, model: ModelValue) -> bool:
    if found.width == model.width:
        return True
    message = f"`{found.name}` is {found.width} wide, `{model.name}` is {model.width} wide"
    low.report(error(codes.WIDTH_MISMATCH, call.where("path"), message, help="name the model it was read from"))
    return False


def _has_layers(call: Call, low: Lowering, layers: tuple[int, ...], model: ModelValue) -> bool:
    wrong = [layer for layer in layers if not 0 <= layer < model.layers]
    if not wrong:
        return True
    shifted = f" with a shift of {call['shift']}" if call["shift"] else ""
    low.report(
        error(
            codes.LAYER_OUT_OF_RANGE,
            call.where("shift"),
            f"`{call['path']}` has layers {spelled(layers)}{shifted}, `{model.name}` has 0..{model.layers - 1}",
            help="name the model it was read from; `shift` is added to the numbers of its layers",
        )
    )
    return False


def _its_model(call: Call, low: Lowering, found: VectorFacts, model: ModelValue) -> bool:
    """Whether a vector belongs to a model, as far as its file says; where it says nothing, a note says that."""
    said = found.document["model"] if found.document is not None else None
    if not isinstance(said, dict) or not isinstance(said.get("identity"), str):
        return _of_unknown_model(call, low, found, model)
    if call["across"]:
        return True
    theirs, ours = said["identity"], _identity(model, low)
    if ours is None or theirs == ours:
        return True
    low.report(
        error(
            codes.PROVENANCE_MISMATCH,
            call.where("model"),
            f"the vector in `{found.name}` was read from `{said.get('id')}` ({str(theirs)[:12]}), and this is "
            f"`{model.name}` ({ours[:12]})",
            help="name the model it was read from, or say `across = true` if it is meant",
        )
    )
    return False


def _of_unknown_model(call: Call, low: Lowering, found: VectorFacts, model: ModelValue) -> bool:
    """A note that says what is taken for granted; a warning where the file names another kind of model."""
    kind = model.facts.model_type
    message, help, level = f"`{found.name}` does not say which model it was read from; it is taken to be", "", None
    where, message = "path", f"{message} `{model.name}`"
    if found.hint and found.hint != kind and not call["across"]:
        where, level, help = "model", Severity.WARNING, "say `across = true` if it is meant"
        message = f"`{found.name}` was made for a model of the kind `{found.hint}`, and `{model.name}` is a `{kind}`"
    diagnostic = Diagnostic(codes.UNKNOWN_ORIGIN, message, Label(call.where(where)), level=level)
    low.report(replace(diagnostic, help=(help,)) if help else diagnostic)
    return True


def _identity(model: ModelValue, low: Lowering) -> str | None:
    """The digest of a model's weights; None where finding it out now would take too long."""
    if model.base.operation != "model.load":
        return model.base.key if low.options.hashing else None
    if low.options.hashing:
        return str(model.base.options["identity"])
    return model.facts.digest() if model.facts.size <= _HASHED_AT_ONCE else None


def _site(call: Call, low: Lowering, found: VectorFacts) -> Json:
    """The site: what the file says, or what the program says of a file that does not know better."""
    if not call.is_written("site") or call["site"] == found.site:
        return found.site
    if found.document is not None and not call["across"]:
        low.report(
            error(
                codes.PROVENANCE_MISMATCH,
                call.where("site"),
                f"the vector in `{found.name}` was read at {_word(found.site)}, and this says {_word(call['site'])}",
                help="leave `site` out, or say `across = true` if it is meant",
            )
        )
        return None
    site: Json = call["site"]
    return site


def _word(site: Json) -> str:
    return f"`{site['select']}`" if isinstance(site, dict) else str(site)




FUNCTIONS = (
    Function(
        "load_vector",
        "a vector from a file: ours, GGUF control vectors, CAST's `.svec`, `.pt` files of tensors by layer",
        "files",
        (
            Parameter("path", Text(holds="file"), "the file, relative to the program"),
            Parameter("model", Value((MODEL,)), "the model it was read from"),
        ),
        (
            Parameter("shift", Number(integer=True), "added to the file's numbers of layers", 0),
            Parameter(
                "site",
                Selector(SITE, SITE_WORDS, ("module",)),
                "where in the block its directions are; what the file says when left out",
                {"select": "residual"},
            ),
            Parameter("across", Flag(), "allows a vector that was read from another model", False),
        ),
        VECTOR,
        _load,
    ),
)
