"""What every parameter type does, and the two plainest: a value of some types, and data."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from steerlang.diagnostics import codes, error
from steerlang.language import typed as t
from steerlang.language.signature import Mismatch
from steerlang.language.types import CONCEPTS, DATA, SHIFT, TEXT, TEXTS, VECTOR, Type, list_of
from steerlang.syntax import tree
from steerlang.syntax.printing import expression_text

if TYPE_CHECKING:
    from steerlang.language.scope import Scope


class ParameterType(ABC):
    """Reads one argument. `phrase` completes "takes …"."""

    @property
    @abstractmethod
    def phrase(self) -> str: ...

    @abstractmethod
    def check(self, expr: tree.Expr, scope: Scope) -> t.Typed: ...

    @property
    def bare_words(self) -> Mapping[str, str]:
        """The words it reads before names are looked up, each with a line of help."""
        return {}

    @property
    def parts(self) -> tuple[ParameterType, ...]:
        """Other types that it lets read what is given, or its entries."""
        return ()

    def is_one(self, expr: tree.Expr) -> bool:
        """Whether a list that is written in place is one value of this type."""
        return False

    def problem(self, value: Any) -> Mismatch | None:
        """What is wrong with a known value, or None."""
        return None

    def settled(self, value: Any) -> Any:
        """A value without a problem in the one form it has in options: `1` and `1.0` mean the same and key the same."""
        return value


def wrong(scope: Scope, given: t.Typed, wanted: str, help: str = "") -> t.Poison:
    if not isinstance(given, t.Poison):
        where = given.symbol.span if isinstance(given, t.Reference) else None
        scope.report(
            error(
                codes.ARGUMENT_TYPE,
                given.span,
                f"this is {given.type}, where {scope.parameter} takes {wanted}",
                help=help or f"give {wanted}",
                secondary=scope.labels((where, "defined here")),
            )
        )
    return t.Poison(given.type, given.span)


@dataclass(frozen=True, slots=True)
class Value(ParameterType):
    """A value of one of some types: `Value((MODEL,))`."""

    types: tuple[Type, ...]
    words: str = ""

    @property
    def phrase(self) -> str:
        return self.words or " or ".join(x.phrase for x in self.types)

    def check(self, expr: tree.Expr, scope: Scope) -> t.Typed:
        given = scope.infer(expr, self.types)
        if any(x.accepts(given.type) for x in self.types):
            return given
        of_concepts = given.type in (CONCEPTS, SHIFT) and VECTOR in self.types
        help = f"take one concept of it: `{expression_text(expr)}[0]`" if of_concepts else ""
        return wrong(scope, given, self.phrase, help)


@dataclass(frozen=True, slots=True)
class Data(ParameterType):
    """Rows of the given forms; where texts will do, a list of texts may be written in place."""

    forms: tuple[Type, ...] = (TEXTS,)

    @property
    def phrase(self) -> str:
        return " or ".join(x.phrase for x in self.forms)

    def is_one(self, expr: tree.Expr) -> bool:
        texts = isinstance(expr, tree.ListOf) and all(isinstance(item, tree.String) for item in expr.items)
        return texts and TEXTS in self.forms

    def check(self, expr: tree.Expr, scope: Scope) -> t.Typed:
        given = scope.infer(expr, (*self.forms,))
        if any(x.accepts(given.type) for x in self.forms):
            return given
        if TEXTS in self.forms and list_of(TEXT).accepts(given.type):
            return scope.invoke("texts", {"rows": given}, given.span)
        help = ""
        if given.type in DATA:
            help = _data_help(given.type, self.forms)
        return wrong(scope, given, self.phrase, help)


def _data_help(given: Type, wanted: tuple[Type, ...]) -> str:
    if TEXTS in wanted:
        return f'this holds {given}: read one column with `text = "…"`'
    return 'name the two columns where the data is read: `source = "…", target = "…"`'


@dataclass(frozen=True, slots=True)
class Words(ParameterType):
    """A list of texts, or data of texts, or (where bare words are meant) words such as selectors."""

    @property
    def phrase(self) -> str:
        return "a list of words, or text data"

    def check(self, expr: tree.Expr, scope: Scope) -> t.Typed:
        return Data((TEXTS,)).check(expr, scope)
