"""The syntax tree: frozen dataclasses with spans. Two trees are equal when they say the same, wherever they stand."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Union

from steerlang.source import Span


@dataclass(frozen=True, slots=True)
class Name:
    id: str
    span: Span = field(compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class Integer:
    value: int
    span: Span = field(compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class Float:
    value: float
    span: Span = field(compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class Quantity:
    """`50%`, `2GiB`, `30min`: `value` as written, `unit` one of the known units."""

    value: float
    unit: str
    span: Span = field(compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class String:
    """A text; `value` is decoded. `style` is `plain`, `raw` or `block`: how it was written, which `fmt` keeps."""

    value: str
    style: str
    span: Span = field(compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class Boolean:
    value: bool
    span: Span = field(compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class Nothing:
    """The literal `none`."""

    span: Span = field(compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class Broken:
    """Stands where an expression could not be read; already reported, compatible with everything."""

    span: Span = field(compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class Unary:
    operator: str  # "-" or "not"
    operand: Expr
    span: Span = field(compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class Binary:
    operator: str  # + - * / == != <= >= < > and or
    left: Expr
    right: Expr
    operator_span: Span = field(compare=False, repr=False)
    span: Span = field(compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class Range:
    """`start .. end` (closed) or `start ..< end`."""

    start: Expr
    end: Expr
    closed: bool
    span: Span = field(compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class Argument:
    """`value` or `name = value`, in a call, an index or a record."""

    name: Name | None
    value: Expr
    span: Span = field(compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class Call:
    callee: Expr  # Name or Member
    arguments: tuple[Argument, ...]
    span: Span = field(compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class Index:
    """`subject[8..16]`, `subject[model]`, `subject[s = 0.1]`."""

    subject: Expr
    arguments: tuple[Argument, ...]
    span: Span = field(compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class Member:
    subject: Expr
    name: Name
    span: Span = field(compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class ListOf:
    items: tuple[Expr, ...]
    span: Span = field(compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class Record:
    entries: tuple[Argument, ...]
    span: Span = field(compare=False, repr=False)


Expr = Union[
    Name, Integer, Float, Quantity, String, Boolean, Nothing, Broken, Unary, Binary, Range, Call, Index, Member,
    ListOf, Record,
]


@dataclass(frozen=True, slots=True)
class Definition:
    """`kind name = value`; `description` is the run of comment lines directly above, without their `#`."""

    kind: Name
    name: Name
    value: Expr
    span: Span = field(compare=False, repr=False)
    description: str = field(default="", compare=False)


@dataclass(frozen=True, slots=True)
class Program:
    """A parsed file: its edition (None when the header is missing) and what it defines, in the order written."""

    edition: int | None
    definitions: tuple[Definition, ...]
    span: Span = field(compare=False, repr=False)
