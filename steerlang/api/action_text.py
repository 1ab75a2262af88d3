"""Actions in one line, as plans show them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from steerlang.language.layers import spelled
from steerlang.reports.findings import selector_text


def action_text(document: Mapping[str, Any], depth: int) -> str:
    """What an action does on a model of `depth` layers."""
    scales = ", ".join(f"{s:g}" for s in document["scales"])
    options = "".join(f", {k} = {v}" for k, v in document["options"].items())
    return (
        f"{document['operator']} at layers {spelled(tuple(document['layers']))} of {depth}, "
        f"site {selector_text(document['site'])}, tokens {selector_text(document['tokens'])}, scale {scales}{options}"
        f"{_schedule(document.get('schedule'))}{_gate(document.get('when'))}"
    )


def _schedule(document: Mapping[str, Any] | None) -> str:
    if document is None:
        return ""
    options = ", ".join(f"{k} = {v:g}" for k, v in document["options"].items())
    return f", schedule {document['name']}({options})"


def _gate(document: Mapping[str, Any] | None) -> str:
    return "" if document is None else f", when {gate_text(document)}"


def gate_text(document: Mapping[str, Any]) -> str:
    """`cosine at layer 3 (mean of the prompt) > 0.1`; what gates are combined of stands in parentheses."""
    if document["is"] == "compare":
        return f"{_reading(document['reading'])} {document['operator']} {document['number']:g}"
    inner = [gate_text(gate) for gate in document["gates"]]
    return f"not ({inner[0]})" if document["is"] == "not" else f"({inner[0]}) {document['is']} ({inner[1]})"


def _reading(document: Mapping[str, Any]) -> str:
    states = {"mean": "mean of the prompt", "last": "last of the prompt", "all": "each token"}[document["tokens"]]
    form = "" if document["form"] == "plain" else f", form {document['form']}"
    site = selector_text(document["site"])
    where = "" if site == "residual" else f", site {site}"
    return f"{document['quantity']} at layer {document['layer']}{where} ({states}{form})"
