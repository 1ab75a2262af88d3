"""Binding the arguments of a call to the parameters of a function."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from steerlang.diagnostics import Edit, Fix, Label, codes, error
from steerlang.diagnostics.suggest import nearest
from steerlang.source import Span
from steerlang.syntax import tree

from . import typed as t
from .notes import Given
from .signature import Parameter
from .types import ERROR, WORD, list_of, union

if TYPE_CHECKING:
    from .scope import Scope


@dataclass(frozen=True)
class Binder:
    """Binds one call. `what` names the function in messages."""

    scope: Scope
    what: str
    subjects: tuple[Parameter, ...]
    parameters: tuple[Parameter, ...]
    span: Span

    def bind(self, arguments: tuple[tree.Argument, ...]) -> dict[str, t.Typed]:
        """Every parameter with its typed argument or default; what is wrong is reported and bound to poison."""
        given: dict[str, list[tree.Expr]] = {}
        spans: dict[str, Span] = {}
        position, understood = 0, True
        for argument in arguments:
            name = argument.name.id if argument.name is not None else None
            if argument.name is None:
                parameter = self._positional(position, argument, first=understood)
                position += 1
            else:
                parameter = self._named(argument.name, first=understood)
            if parameter is None:
                understood = False
                continue
            where = argument.name.span if argument.name is not None else None
            self.scope.notes.arguments.append(Given(where, argument.value.span, parameter, self.what))
            if parameter.name in given and not (parameter.many and name is None):
                self._twice(parameter, argument, spans[parameter.name])
                continue
            given.setdefault(parameter.name, []).append(argument.value)
            spans.setdefault(parameter.name, argument.span)
        known = (*self.subjects, *self.parameters)
        return {p.name: self._value(p, given.get(p.name), understood) for p in known}

    def _positional(self, position: int, argument: tree.Argument, first: bool) -> Parameter | None:
        if position < len(self.subjects):
            return self.subjects[position]
        if self.subjects and self.subjects[-1].many:
            return self.subjects[-1]
        if not first:
            return None
        words = ", ".join(f"`{p.name}`" for p in self.parameters)
        count = len(self.subjects)
        rule = {0: "takes no argument by position", 1: "takes one argument by position"}.get(
            count, f"takes {count} arguments by position"
        )
        self.scope.report(
            error(
                codes.MUST_BE_NAMED,
                argument.span,
                f"{self.what} {rule}; this one must be named",
                help=f"write its name before it, one of {words}"
                if words
                else f"{self.what} takes no further arguments",
            )
        )
        return None

    def _named(self, name: tree.Name, first: bool) -> Parameter | None:
        """The parameter of a name. Of several that the function lacks, only the first and near misses are reported:
        it may be the function that is the wrong one."""
        known = (*self.subjects, *self.parameters)
        for parameter in known:
            if parameter.name == name.id:
                return parameter
        close = nearest(name.id, [p.name for p in known])
        if not (close or first):
            return None
        if close:
            help = f"did you mean `{close[0]}`?"
        elif known:
            help = f"{self.what} takes " + ", ".join(f"`{p.name}`" for p in known)
        else:
            help = f"{self.what} takes no arguments"
        fixes = (Fix(f"use `{close[0]}`", (Edit(name.span, close[0]),)),) if close else ()
        self.scope.report(
            error(
                codes.UNKNOWN_ARGUMENT, name.span, f"{self.what} has no parameter `{name.id}`", help=help, fixes=fixes
            )
        )
        return None

    def _twice(self, parameter: Parameter, argument: tree.Argument, first: Span) -> None:
        self.scope.report(
            error(
                codes.DUPLICATE_ARGUMENT,
                argument.span,
                f"`{parameter.name}` is given twice",
                help="leave one of them out",
                secondary=(Label(first, "first given here"),),
            )
        )

    def _value(self, parameter: Parameter, exprs: list[tree.Expr] | None, understood: bool) -> t.Typed:
        """One parameter's value. `understood`: every argument was; else one left out may be there, misspelt."""
        scope = self.scope.inside(f"`{parameter.name}` of {self.what}")
        if exprs is None:
            if not understood:
                return t.Poison(ERROR, self.span)
            if parameter.required:
                self.scope.report(
                    error(
                        codes.MISSING_ARGUMENT,
                        self.span,
                        f"{self.what} needs `{parameter.name}`: {parameter.help}",
                        help=f"give {parameter.type.phrase}",
                    )
                )
                return t.Poison(ERROR, self.span)
            return t.Constant(parameter.default, WORD, self.span, default=True)
        if parameter.many:
            items = tuple(parameter.type.check(e, scope) for e in exprs)
            if t.is_broken(items):
                return t.Poison(ERROR, self.span)
            return t.Sequence(items, list_of(WORD), union(*(i.axes for i in items)), exprs[0].span)
        return parameter.type.check(exprs[0], scope)
