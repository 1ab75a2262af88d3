# ruff: noqa: N818 - these are named for what is wrong, not for being errors.
"""Errors of the model room. Each says what is wrong (`message`) and how to mend it (`help`)."""

from __future__ import annotations

from collections.abc import Sequence


class ModelError(Exception):
    """Base of all errors here. `message` is one sentence, `help` another."""

    def __init__(self, message: str, help: str = "") -> None:
        super().__init__(message if not help else f"{message}. {help}")
        self.message = message
        self.help = help


class LoadFailure(ModelError):
    """The checkpoint cannot be loaded: missing, truncated, pickled, incomplete, or unreadable."""


class BadWeights(LoadFailure):
    """A tensor of the checkpoint holds NaN or infinite numbers."""

    def __init__(self, tensors: Sequence[str]) -> None:
        named = ", ".join(tensors[:5]) + (f" and {len(tensors) - 5} more" if len(tensors) > 5 else "")
        super().__init__(
            f"the weights hold numbers that are not finite, in {named}",
            "the checkpoint is damaged or was saved from a run that diverged: download or convert it again",
        )
        self.tensors = tuple(tensors)


class UnsupportedModel(ModelError):
    """The decoder's parts were not found. `found` lists what was."""

    def __init__(self, message: str, found: Sequence[str], help: str = "") -> None:
        listing = "; ".join(found) if found else "nothing"
        super().__init__(
            f"{message} (found: {listing})",
            help or 'say where the blocks are, for instance LayoutOverride(blocks="model.layers")',
        )
        self.found = tuple(found)


class SiteUnavailable(ModelError):
    """This model has no such site, or no module whose output is what the site means."""


class LayerOutOfRange(ModelError):
    """A block number the model does not have."""

    def __init__(self, layer: int, depth: int) -> None:
        super().__init__(
            f"layer {layer} does not exist: the model has {depth} blocks", f"use 0 to {depth - 1}"
        )
        self.layer, self.depth = layer, depth


class WidthMismatch(ModelError):
    """A direction's length is not the width of the place it is used at."""

    def __init__(self, given: int, width: int, where: str) -> None:
        super().__init__(
            f"a direction of width {given} cannot act on {where}, which has width {width}",
            "the direction was extracted from another model or site: extract it from this one",
        )
        self.given, self.width = given, width


class NonFinite(ModelError):
    """A state that was read holds NaN or infinite numbers."""

    def __init__(self, site: str, layer: int, row: int) -> None:
        super().__init__(
            f"the state read at {site} of layer {layer} for row {row} is not finite",
            "the model overflows in this dtype: load it as bfloat16 or float32, or look at that row's text",
        )
        self.site, self.layer, self.row = site, layer, row


class UnusableLogits(ModelError):
    """The model gave NaN or infinite logits, so nothing follows from them."""

    def __init__(self, row: int) -> None:
        super().__init__(
            f"the logits for row {row} are not finite",
            "steer less, load the model as bfloat16 or float32, or look at that row's text",
        )
        self.row = row


class TooLong(ModelError):
    """More tokens than the model has positions for."""

    def __init__(self, row: int, length: int, limit: int) -> None:
        super().__init__(
            f"row {row} needs {length} tokens, the model has positions for {limit}",
            "shorten the text, or ask for fewer new tokens",
        )
        self.row, self.length, self.limit = row, length, limit


class NeedsOffsets(ModelError):
    """A selector by text, on tokens without character offsets."""

    def __init__(self) -> None:
        super().__init__(
            "selecting tokens by text needs to know which characters each token covers",
            "use a fast tokenizer (tokenizer.json), or select by position",
        )


class BadBatch(ModelError):
    """Rows, recipes or prompts that do not fit together."""


class BadSettings(ModelError):
    """Generation settings of a checkpoint that mean nothing; `reason` is what is wrong with them."""

    def __init__(self, reason: object) -> None:
        super().__init__(
            f"the generation settings of the model cannot be used: {str(reason).rstrip('.')}",
            "mend its generation_config.json",
        )


class NoTokens(ModelError):
    """A text that gives no token at all."""

    def __init__(self, row: int) -> None:
        super().__init__(
            f"row {row} has no tokens", "leave out empty texts, or let the tokenizer add its first token"
        )
        self.row = row


class BadImage(ModelError):
    """A file that is no image, or one that cannot be decoded. `place` is the row that names it."""

    def __init__(self, path: str, reason: str, place: str = "") -> None:
        named = f"{place}: " if place else ""
        super().__init__(
            f"{named}the image {path} cannot be read: {reason}", "save it again as PNG or JPEG, or take its row out"
        )
        self.path, self.reason = path, reason


class ImageTokens(ModelError):
    """The places for an image in a prompt do not fit the image, or the model."""


class MissingPackage(ModelError):
    """A package that is not installed."""


class ClassMismatch(ModelError):
    """Classes of data that are not among those of a model."""


class CannotBake(ModelError):
    """No weights of this architecture do exactly what the steering does. `by_adapter`: an adapter can."""

    def __init__(self, message: str, help: str = "", *, by_adapter: bool = False) -> None:
        super().__init__(message, help)
        self.by_adapter = by_adapter
