"""A definition of a program with its results, as those need it who put together what a run found."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol

from steerlang.graph.node import Node

from .findings import Labels


class Defined(Protocol):
    """A metric that was defined, with its results and the nodes behind them, by their labels."""

    @property
    def name(self) -> str: ...

    @property
    def axes(self) -> tuple[str, ...]: ...

    @property
    def cells(self) -> Mapping[Labels, Any]: ...

    @property
    def nodes(self) -> Mapping[Labels, Node]: ...
