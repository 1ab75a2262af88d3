"""Calling a model's modules without what lies around a call.

A step of decoding on a small model is mostly Python: `nn.Module` looks for hooks at every call, and for its parts in
three dictionaries at every use. While `light` is entered, modules are called straight as their `forward` (and then
their hooks), and parts are plain attributes. The same operations run in the same order on the same tensors.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache
from typing import Any

from torch import nn
from torch.nn.modules import module as registry
from transformers import PreTrainedConfig

_GLOBAL = tuple(
    f"_global{name}"
    for name in ("_forward_hooks", "_forward_pre_hooks", "_backward_hooks", "_backward_pre_hooks")
)
# Ways to watch a module that are left to torch.
_OTHER = (
    "_forward_pre_hooks",
    "_backward_hooks",
    "_backward_pre_hooks",
    "_forward_hooks_with_kwargs",
    "_forward_hooks_always_called",
)


@contextmanager
def light(model: nn.Module) -> Iterator[None]:
    """Inside, the parts of ``model`` are called directly. Enter it with hooks in place; leave it before they change.

    Buffers stay where they are: forwards replace them (rotary frequencies that follow the length).
    """
    if any(getattr(registry, name, None) for name in _GLOBAL):
        yield
        return
    parts = list(model.modules())
    shown: list[tuple[dict[str, Any], list[str]]] = []
    classes: list[tuple[Any, type[Any]]] = []
    try:
        for part in parts:
            inside = {**part._parameters, **part._modules}
            if inside and part.__dict__.keys().isdisjoint(inside):
                shown.append((part.__dict__, list(inside)))
                part.__dict__.update(inside)
            if part is not model and _is_plain(part):
                classes.append((part, type(part)))
                # Past `Module.__setattr__`, which looks at every value it is given.
                object.__setattr__(part, "__class__", _quick(part))
        for config in _configurations(parts):
            classes.append((config, type(config)))
            made: Any = _bare
            object.__setattr__(config, "__class__", made(type(config)))
        yield
    finally:
        for thing, kind in reversed(classes):
            object.__setattr__(thing, "__class__", kind)
        for place, names in shown:
            for name in names:
                place.pop(name, None)


def _quick(part: nn.Module) -> type[nn.Module]:
    kind = type(part)
    if kind is nn.ModuleList:
        return _List
    make = _heard if part._forward_hooks else _direct
    return make(kind, kind.forward)  # type: ignore[arg-type]


class _List(nn.ModuleList):
    """A list of parts whose slices, which forwards take at every pass, are no new modules."""

    def __getitem__(self, at: Any) -> Any:
        return list(self._modules.values())[at] if isinstance(at, slice) else super().__getitem__(at)


def _configurations(parts: list[nn.Module]) -> list[Any]:
    """The configurations that the parts ask at every call, where each name means the attribute of that name."""
    found = {id(c): c for part in parts if (c := part.__dict__.get("config")) is not None}
    return [
        c
        for c in found.values()
        if _looks_up(type(c)) is _looks_up(PreTrainedConfig)
        and not type(c).attribute_map
        and "_heterogeneity_spec" not in c.__dict__
    ]


def _looks_up(kind: type[Any]) -> Any:
    return kind.__getattribute__


@cache
def _bare(kind: type[Any]) -> type[Any]:
    """The same class of configuration, its attributes looked up as those of any object."""
    return type(
        kind.__name__, (kind,), {"__getattribute__": object.__getattribute__, "__module__": kind.__module__}
    )


def _is_plain(part: nn.Module) -> bool:
    """Whether a call of the part is a call of its class's `forward`, and then of its hooks on outputs, if any."""
    own = part.__dict__
    return (
        type(part).__call__ is nn.Module.__call__
        and "forward" not in own
        and own.get("_compiled_call_impl") is None
        and not any(own.get(name) for name in _OTHER)
    )


@cache
def _direct(kind: type[nn.Module], forward: Callable[..., Any]) -> type[nn.Module]:
    """The same class, called as its `forward`."""
    return type(kind.__name__, (kind,), {"__call__": forward, "__module__": kind.__module__})


@cache
def _heard(kind: type[nn.Module], forward: Callable[..., Any]) -> type[nn.Module]:
    """The same class, called as its `forward` and then its hooks on outputs, which may give another output."""

    def call(self: nn.Module, *args: Any, **kwargs: Any) -> Any:
        output = forward(self, *args, **kwargs)
        for hook in self._forward_hooks.values():
            changed = hook(self, args, output)
            if changed is not None:
                output = changed
        return output

    return type(kind.__name__, (kind,), {"__call__": call, "__module__": kind.__module__})
