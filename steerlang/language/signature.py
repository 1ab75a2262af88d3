"""What the vocabulary is made of: functions, their parameters, methods and operators.

A function is declared once, in `steerlang/functions/`; the checker, the messages, the documentation and the lowering
all read the same entry.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol, Union

from steerlang.source import Span

from .types import Type

if TYPE_CHECKING:
    from .lowering import Lowering
    from .parameter_types import ParameterType
    from .scope import Scope
    from .typed import Typed


class Required:
    """Marks a parameter without a default."""

    def __repr__(self) -> str:
        return "required"


REQUIRED = Required()


@dataclass(frozen=True, slots=True)
class Parameter:
    """One parameter: `type` says what it takes, `unit` in which unit, `help` what it means in one line.

    `many` marks a subject that may be repeated (`apply(model, action, action)`).
    """

    name: str
    type: ParameterType
    help: str
    default: object = REQUIRED
    unit: str = ""
    many: bool = False

    @property
    def required(self) -> bool:
        return self.default is REQUIRED


@dataclass(frozen=True, slots=True)
class Method:
    """A named way of doing what a function does, with options of its own: `pca(center = mean)`.

    `subjects` are options that may stand by position: `linear(1.0, 0.0, 64)`. `version` rises whenever the formula
    changes; it is stored in every artifact. `source` cites the paper.
    """

    name: str
    help: str
    parameters: tuple[Parameter, ...] = ()
    version: int = 1
    source: str = ""
    formula: str = ""
    subjects: tuple[Parameter, ...] = ()


@dataclass(frozen=True, slots=True)
class MethodChoice:
    """A method as chosen in a program, with all its options bound."""

    method: Method
    options: Mapping[str, object]

    def document(self) -> dict[str, Any]:
        """The JSON form that stands in node options and artifacts."""
        return {"name": self.method.name, "version": self.method.version, "options": dict(self.options)}


class ResultRule(Protocol):
    """The type of a call's result, where it depends on what was given."""

    def __call__(self, given: Mapping[str, Typed]) -> Type | Mismatch: ...


@dataclass(frozen=True, slots=True)
class Mismatch:
    """Why a combination of arguments has no result type."""

    message: str
    help: str
    argument: str | None = None


@dataclass(frozen=True, eq=False)
class Call:
    """A call at one point of its axes: argument values, and where each was written."""

    function: Function
    values: Mapping[str, Any]
    spans: Mapping[str, Span]
    written: frozenset[str]
    span: Span
    entries: Mapping[str, tuple[Span, ...]] = field(default_factory=dict)

    def __getitem__(self, name: str) -> Any:
        return self.values[name]

    def where(self, name: str) -> Span:
        """The span of an argument, or of the whole call where it was left to its default."""
        return self.spans[name] if name in self.written else self.span

    def entry(self, name: str, index: int) -> Span:
        """The span of an entry of a list that is written in place, or of the whole argument."""
        entries = self.entries.get(name, ())
        return entries[index] if index < len(entries) else self.where(name)

    def is_alone(self, name: str) -> bool:
        """Whether an argument that may be a list is one value, which then stands for each; `[x]` is a list."""
        entries = self.entries.get(name, ())
        return name not in self.written or (len(entries) == 1 and entries[0] == self.spans[name])

    def is_written(self, name: str) -> bool:
        return name in self.written


Expand = Callable[["Scope", Mapping[str, "Typed"], "Typed"], "Typed"]
Lower = Callable[[Call, "Lowering"], Any]


@dataclass(frozen=True, slots=True)
class Function:
    """An entry of the vocabulary.

    subjects    the first one or two parameters, which may stand by position
    parameters  all others, always named
    result      a type, or a rule that gives one
    lower       turns a call at one point into a value (constants, or handles of graph nodes)
    reduces     name of a parameter that takes a sweep: the function sees all points of it at once, and the result
                lacks that axis
    gives       the types that a rule for `result` may give; empty where they are not told
    expand      gives other typed expressions that a call means, or the call itself, which alone is then lowered
    """

    name: str
    help: str
    family: str
    subjects: tuple[Parameter, ...]
    parameters: tuple[Parameter, ...]
    result: Union[Type, ResultRule]
    lower: Lower
    version: int = 1
    source: str = ""
    reduces: str = ""
    expand: Expand | None = None
    examples: tuple[str, ...] = field(default=())
    gives: tuple[Type, ...] = ()

    @property
    def all_parameters(self) -> tuple[Parameter, ...]:
        return self.subjects + self.parameters

    def parameter(self, name: str) -> Parameter | None:
        return next((p for p in self.all_parameters if p.name == name), None)


@dataclass(frozen=True, slots=True)
class Operator:
    """An operator between operands of given types; unary ones have one operand."""

    symbol: str
    operands: tuple[Type, ...]
    result: Type
    lower: Callable[[tuple[Any, ...], Span, Lowering], Any]
    help: str = ""
