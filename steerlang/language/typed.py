"""The typed program: what an expression means once its names are resolved and its arguments are bound.

Every typed expression carries its type and its axes. Lowering evaluates it at one point of those axes.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Union

from steerlang.source import Span

from .types import Axes, Axis, Type

if TYPE_CHECKING:
    from .modules import Symbol
    from .signature import Function, Operator


@dataclass(frozen=True, eq=False)
class Constant:
    """A value known at once. `default` marks one the author did not write."""

    value: object
    type: Type
    span: Span
    default: bool = False
    axes: Axes = ()


@dataclass(frozen=True, eq=False)
class Reference:
    """The value of another definition."""

    symbol: Symbol
    type: Type
    axes: Axes
    span: Span


@dataclass(frozen=True, eq=False)
class Invocation:
    """A call with every parameter bound; parameters left out hold their defaults."""

    function: Function
    arguments: Mapping[str, Typed]
    type: Type
    axes: Axes
    span: Span


@dataclass(frozen=True, eq=False)
class Applied:
    """An operator between typed operands."""

    operator: Operator
    operands: tuple[Typed, ...]
    type: Type
    axes: Axes
    span: Span


@dataclass(frozen=True, eq=False)
class Sequence:
    items: tuple[Typed, ...]
    type: Type
    axes: Axes
    span: Span


@dataclass(frozen=True, eq=False)
class RangeOf:
    """`start .. end` with ends that may be expressions."""

    start: Typed
    end: Typed
    closed: bool
    type: Type
    axes: Axes
    span: Span


@dataclass(frozen=True, eq=False)
class Choose:
    """Another item at each point of `axis`: a sweep, or a list where one value is expected."""

    axis: Axis
    items: tuple[Typed, ...]
    type: Type
    axes: Axes
    span: Span


@dataclass(frozen=True, eq=False)
class Select:
    """`subject` at one point of `axis`; the point is known (`index`) or found while running (`point`)."""

    subject: Typed
    axis: Axis
    index: int | None
    point: Typed | None
    type: Type
    axes: Axes
    span: Span


@dataclass(frozen=True, eq=False)
class Poison:
    """Already reported; fits everywhere and reports nothing further."""

    type: Type
    span: Span
    axes: Axes = field(default=())


Typed = Union[Constant, Reference, Invocation, Applied, Sequence, RangeOf, Choose, Select, Poison]


def is_broken(items: Iterable[Typed]) -> bool:
    """Whether one of them is poison, which makes poison of what holds it."""
    return any(isinstance(i, Poison) for i in items)


def children(typed: Typed) -> tuple[Typed, ...]:
    """The typed expressions directly inside another (a reference has none: its definition stands elsewhere)."""
    if isinstance(typed, Invocation):
        return tuple(typed.arguments.values())
    if isinstance(typed, Applied):
        return typed.operands
    if isinstance(typed, (Sequence, Choose)):
        return typed.items
    if isinstance(typed, RangeOf):
        return (typed.start, typed.end)
    if isinstance(typed, Select):
        return (typed.subject,) if typed.point is None else (typed.subject, typed.point)
    return ()
