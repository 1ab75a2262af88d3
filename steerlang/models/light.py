"""Calling a model's modules without what lies around a call.

A step of decoding on a small model is mostly Python: `nn.Module` looks for hooks at every call, and for its parts in
three dictionaries at every use. While `light` is entered, modules that nobody watches are called straight as their
`forward`, and parts are plain attributes. The same operations run in the same order on the same tensors.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache
from typing import Any

from torch import nn
from torch.nn.modules import module as registry

_OWN = ("_forward_hooks", "_forward_pre_hooks", "_backward_hooks", "_backward_pre_hooks")
_GLOBAL = tuple(f"_global{name}" for name in _OWN)


@contextmanager
def light(model: nn.Module) -> Iterator[None]:
    """Inside, the parts of ``model`` are called directly. Enter it after hooks are in place; leave it before they change.

    Buffers stay where they are: forwards replace them (rotary frequencies that follow the length).
    """
    if any(getattr(registry, name, None) for name in _GLOBAL):
        yield
        return
    parts = list(model.modules())
    shown: list[tuple[dict[str, Any], list[str]]] = []
    classes: list[tuple[nn.Module, type[nn.Module]]] = []
    try:
        for part in parts:
            inside = {**part._parameters, **part._modules}
            if inside and part.__dict__.keys().isdisjoint(inside):
                shown.append((part.__dict__, list(inside)))
                part.__dict__.update(inside)
            if part is not model and _unwatched(part):
                kind = type(part)
                classes.append((part, kind))
                part.__class__ = _direct(kind, kind.forward)
        yield
    finally:
        for part, kind in classes:
            part.__class__ = kind
        for place, names in shown:
            for name in names:
                place.pop(name, None)


def _unwatched(part: nn.Module) -> bool:
    """Whether a call of the part is a call of its class's `forward` and nothing else."""
    own = part.__dict__
    return (
        type(part).__call__ is nn.Module.__call__
        and "forward" not in own
        and own.get("_compiled_call_impl") is None
        and not any(own.get(name) for name in _OWN)
    )


@cache
def _direct(kind: type[nn.Module], forward: Callable[..., Any]) -> type[nn.Module]:
    """The same class, called as its `forward`."""
    return type(kind.__name__, (kind,), {"__call__": forward, "__module__": kind.__module__})
