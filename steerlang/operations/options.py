"""Selectors and sites as they stand in node options, turned into what the model code takes."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from steerlang.models import positions as read
from steerlang.models import scopes as steer
from steerlang.models.sites import Point, Site, module_site


def _sought(document: Mapping[str, Any]) -> read.Sought:
    """A text as it stands, or words."""
    return document["text"] if "text" in document else tuple(document["words"])


_READ: Mapping[str, Callable[[Mapping[str, Any]], read.Selector]] = {
    "last": lambda _: read.Last(),
    "first": lambda _: read.First(),
    "mean": lambda _: read.Mean(),
    "all": lambda _: read.All(),
    "index": lambda o: read.Index(o["position"]),
    "from_end": lambda o: read.FromEnd(o["position"]),
    "span": lambda o: read.Span(o["start"], o["end"]),
    "at": lambda o: read.At(_sought(o)),
    "predicting": lambda o: read.Predicting(_sought(o)),
    "before": lambda o: read.Before(_sought(o)),
    "assistant": lambda _: read.Assistant(),
    "generated": lambda _: read.Assistant(),
    "image": lambda _: read.ImageMean(),
}
_STEER: Mapping[str, Callable[[Mapping[str, Any]], steer.TokenScope]] = {
    "all": lambda _: steer.AllTokens(),
    "prompt": lambda _: steer.PromptTokens(),
    "generated": lambda _: steer.GeneratedTokens(),
    "last_prompt": lambda _: steer.LastPromptToken(),
    "from_token": lambda o: steer.FromToken(o["position"]),
    "at": lambda o: steer.AtText(_sought(o)),
    "index": lambda o: steer.TokenAt(o["position"]),
    "span": lambda o: steer.TokenSpan(o["start"], o["end"]),
    "assistant": lambda _: steer.AssistantTokens(),
    "image": lambda _: steer.ImageTokens(),
}


def tokens_read(options: Any) -> read.Selector:
    return _READ[options["select"]](options)


def tokens_steered(options: Any) -> steer.TokenScope:
    return _STEER[options["select"]](options)


def site(options: Any) -> Site:
    return module_site(options["name"]) if options["select"] == "module" else Site(options["select"])


def points(options: Any) -> tuple[Point, ...]:
    return tuple(Point(site(p["site"]), p["layer"]) for p in options)
