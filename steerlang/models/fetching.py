"""Fetching models from the Hugging Face hub: the only place where the network is asked, and only when told."""

from __future__ import annotations

from collections.abc import Iterable

from steerlang.diagnostics import Diagnostic, codes, error
from steerlang.graph.facts import ModelReference

# Weights are wanted as safetensors only; pickles are never fetched.
_WANTED = ["*.json", "*.safetensors", "*.model", "*.txt", "*.jinja", "*.md"]


def fetch(references: Iterable[ModelReference]) -> tuple[Diagnostic, ...]:
    """Fetch models into the Hugging Face cache; gives an error for each that could not be had."""
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import HfHubHTTPError, LocalEntryNotFoundError

    problems: list[Diagnostic] = []
    for reference in references:
        try:
            snapshot_download(reference.id, revision=reference.revision, allow_patterns=_WANTED)
        except (HfHubHTTPError, LocalEntryNotFoundError, OSError, ValueError) as refused:
            reason = str(refused).strip().splitlines()
            problems.append(
                error(
                    codes.MODEL_NOT_ON_DISK,
                    None,
                    f"`{reference.id}` could not be fetched",
                    place=reference.id,
                    notes=(reason[0][:200],) if reason else (),
                    help="look at the id and the network; a folder on this machine may be named instead",
                )
            )
    return tuple(problems)
