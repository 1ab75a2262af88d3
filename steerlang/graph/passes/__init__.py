"""Passes over the graph: one file each, pure functions from nodes to nodes or steps."""

from .cached import Cut, cut
from .fuse import Step, dependencies, fuse, model_of
from .unused import used

__all__ = ["Cut", "Step", "cut", "dependencies", "fuse", "model_of", "used"]
