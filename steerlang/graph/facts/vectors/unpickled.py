"""What a pickle *describes*, without carrying it out: numbers, texts, lists, dictionaries and torch tensors.

A pickle is a program for a stack machine that may call anything. Here its opcodes are read one by one (`pickletools`
does that without running them) and only those that build plain values are followed. A call is never made: the few that
`torch.save` writes for tensors are recognised by name and become a description of where their numbers lie; any other is
an error that names it.
"""

from __future__ import annotations

import pickletools
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from .problems import COPY, VectorFileError


@dataclass(frozen=True)
class Global:
    """A name that the pickle refers to; nothing is imported."""

    module: str
    name: str

    def __str__(self) -> str:
        return f"{self.module}.{self.name}"


@dataclass(frozen=True)
class Storage:
    """Numbers in the archive: their file, and the word for what they are (`FloatStorage`)."""

    key: str
    kind: str


@dataclass(frozen=True)
class PickledTensor:
    storage: Storage
    offset: int
    shape: tuple[int, ...]
    stride: tuple[int, ...]


@dataclass
class PickledObject:
    """An object of a class that is not loaded: its name and what it holds."""

    type: Global
    state: dict[Any, Any] = field(default_factory=dict)


class Refused(Exception):  # noqa: N818
    """The pickle asks for something that is not described but done."""


_MARK = object()


def describe(code: bytes, objects: frozenset[str]) -> Any:
    """The value a pickle describes. `objects` are the classes (dotted) whose contents are wanted.

    Raises Refused for a call that is none of the known ones, VectorFileError for a pickle that is damaged.
    """
    machine = _Machine(objects)
    try:
        for opcode, argument, _ in pickletools.genops(code):
            if opcode.name == "STOP":
                return machine.stack.pop()
            step = _STEPS.get(opcode.name)
            if step is None:
                raise Refused(f"the opcode {opcode.name}")
            step(machine, argument)
    except (ValueError, IndexError, KeyError, TypeError, AttributeError) as problem:
        raise VectorFileError(f"is damaged: its pickle cannot be read ({problem})", COPY) from None
    raise VectorFileError("is truncated: its pickle does not end", COPY)


class _Machine:
    """The stack and the memo of a pickle."""

    def __init__(self, objects: frozenset[str]) -> None:
        self.objects = objects
        self.stack: list[Any] = []
        self.memo: dict[int, Any] = {}

    def push(self, value: Any) -> None:
        self.stack.append(value)

    def marked(self) -> list[Any]:
        """What stands above the last mark, taken off together with it."""
        at = len(self.stack) - 1
        while self.stack[at] is not _MARK:
            at -= 1
            if at < 0:
                raise IndexError("a mark is missing")
        found = self.stack[at + 1 :]
        del self.stack[at:]
        return found

    def call(self, function: Any, arguments: Any) -> Any:
        known = _CALLS.get(str(function)) if isinstance(function, Global) else None
        if known is None:
            raise Refused(f"`{function}`")
        return known(*arguments)


def _tensor(storage: Any, offset: int, shape: Any, stride: Any, *_: Any) -> PickledTensor:
    if not isinstance(storage, Storage):
        raise TypeError("a tensor without its numbers")
    if len(shape) != len(stride) or any(type(n) is not int or n < 0 for n in (offset, *shape, *stride)):
        raise TypeError("a tensor whose shape is none")
    return PickledTensor(storage, offset, tuple(shape), tuple(stride))


_CALLS: dict[str, Callable[..., Any]] = {
    "torch._utils._rebuild_tensor_v2": _tensor,
    "torch._utils._rebuild_parameter": lambda data, *_: data,
    "collections.OrderedDict": lambda *_: {},
}


def _persistent(m: _Machine, _: Any) -> None:
    """`('storage', type, key, device, count)`: numbers that stand beside the pickle."""
    kind, storage, key, *_rest = m.stack.pop()
    if kind != "storage" or not isinstance(storage, Global) or not isinstance(key, str):
        raise TypeError("an unknown reference")
    m.push(Storage(key, storage.name))


def _object(m: _Machine, _: Any) -> None:
    m.stack.pop()  # arguments of the constructor: a dataclass is filled by what follows
    kind = m.stack.pop()
    if not isinstance(kind, Global) or str(kind) not in m.objects:
        raise Refused(f"`{kind}`")
    m.push(PickledObject(kind))


def _build(m: _Machine, _: Any) -> None:
    state = m.stack.pop()
    target = m.stack[-1]
    if isinstance(target, PickledObject) and isinstance(state, dict):
        target.state.update(state)
    elif not isinstance(target, (dict, PickledTensor)):  # attributes of these (metadata, hooks) mean nothing here
        raise Refused("setting the state of an object")


def _reduce(m: _Machine, _: Any) -> None:
    arguments = m.stack.pop()
    m.push(m.call(m.stack.pop(), arguments))


def _stack_global(m: _Machine, _: Any) -> None:
    name = m.stack.pop()
    m.push(Global(str(m.stack.pop()), str(name)))


def _set_items(m: _Machine, _: Any) -> None:
    items = m.marked()
    m.stack[-1].update(zip(items[::2], items[1::2], strict=True))


def _set_item(m: _Machine, _: Any) -> None:
    value, key = m.stack.pop(), m.stack.pop()
    m.stack[-1][key] = value


def _append(m: _Machine, _: Any) -> None:
    value = m.stack.pop()
    m.stack[-1].append(value)


def _appends(m: _Machine, _: Any) -> None:
    items = m.marked()
    m.stack[-1].extend(items)


def _tuple(count: int) -> Callable[[_Machine, Any], None]:
    def make(m: _Machine, _: Any) -> None:
        found = tuple(m.stack[len(m.stack) - count :])
        del m.stack[len(m.stack) - count :]
        m.push(found)

    return make


def _value(value: Any) -> Callable[[_Machine, Any], None]:
    return lambda m, _: m.push(value() if callable(value) else value)


def _argument(m: _Machine, argument: Any) -> None:
    m.push(argument)


def _put(m: _Machine, at: Any) -> None:
    m.memo[int(at)] = m.stack[-1]


def _get(m: _Machine, at: Any) -> None:
    m.push(m.memo[int(at)])


_ARGUMENTS = (
    "BININT", "BININT1", "BININT2", "INT", "LONG", "LONG1", "LONG4", "BINFLOAT", "FLOAT", "BINUNICODE",
    "SHORT_BINUNICODE", "BINUNICODE8", "UNICODE",
)  # fmt: skip
_STEPS: dict[str, Callable[[_Machine, Any], None]] = {
    **dict.fromkeys(_ARGUMENTS, _argument),
    "PROTO": lambda *_: None, "FRAME": lambda *_: None,
    "NONE": _value(None), "NEWTRUE": _value(True), "NEWFALSE": _value(False),
    "EMPTY_DICT": _value(dict), "EMPTY_LIST": _value(list), "EMPTY_TUPLE": _value(tuple), "MARK": _value(_MARK),
    "TUPLE": lambda m, _: m.push(tuple(m.marked())), "TUPLE1": _tuple(1), "TUPLE2": _tuple(2), "TUPLE3": _tuple(3),
    "DICT": lambda m, _: m.push(dict(zip((i := m.marked())[::2], i[1::2], strict=True))),
    "LIST": lambda m, _: m.push(m.marked()),
    "SETITEM": _set_item, "SETITEMS": _set_items, "APPEND": _append, "APPENDS": _appends,
    "BINPUT": _put, "LONG_BINPUT": _put, "PUT": _put, "MEMOIZE": lambda m, _: _put(m, len(m.memo)),
    "BINGET": _get, "LONG_BINGET": _get, "GET": _get,
    "GLOBAL": lambda m, a: m.push(Global(*str(a).split(" ", 1))), "STACK_GLOBAL": _stack_global,
    "REDUCE": _reduce, "NEWOBJ": _object, "BUILD": _build, "BINPERSID": _persistent,
}  # fmt: skip
