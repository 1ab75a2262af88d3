"""What a definition is made of: every option with its value and where the value comes from."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from steerlang.diagnostics import codes, error
from steerlang.diagnostics.suggest import did_you_mean
from steerlang.language import typed as t
from steerlang.language.compiling import Compiled
from steerlang.language.meaning import spelled as constant
from steerlang.language.modules import Symbol, every
from steerlang.language.signature import MethodChoice, Parameter
from steerlang.source import Span
from steerlang.syntax.expressions import expression_text
from steerlang.syntax.literals import quoted

from .planning import Explanation
from .program import Program
from .settings import SteerlangError


@dataclass(frozen=True)
class Setting:
    """One option of a definition.

    path    where in the definition: `layers`, `method.center`, `actions[0].scale`
    value   as a program would write it
    origin  `written`, `default`, or what set it: `param strength, its default`, `--set`, `let middle`, `sweep s`
    place   file, line and column where the value is written; empty for defaults of the language
    unit, help   of the parameter
    """

    path: str
    value: str
    origin: str
    place: str
    unit: str = ""
    help: str = ""


@dataclass(frozen=True)
class Explained:
    """A definition: what is written, its options, and what it resolves to at each point of its axes."""

    name: str
    kind: str
    description: str
    place: str
    text: str
    settings: tuple[Setting, ...]
    resolved: tuple[Explanation, ...]
    uses: tuple[str, ...]
    used_by: tuple[str, ...]


def explain(program: Program, names: Collection[str] = (), given: Collection[str] = ()) -> tuple[Explained, ...]:
    """The definitions called `names`, or all of the program's own. `given` are the parameters that were set outside.

    Raises SteerlangError for a name that the program does not define.
    """
    compiled = program.compiled
    symbols = {s.label: s for s in every(compiled.module) if s.kind != "import"}
    own = [s for s in symbols.values() if s.module is compiled.module]
    for name in names:
        if name not in symbols:
            raise SteerlangError((error(
                codes.UNKNOWN_NAME, None, f"the program defines nothing named `{name}`", place=name,
                help=did_you_mean(name, list(symbols)) or f"its definitions are {', '.join(symbols)}",
            ),))
    chosen = [symbols[n] for n in dict.fromkeys(names)] if names else own
    resolved = _resolved(program, chosen)
    users = users_of(compiled)
    return tuple(_explained(s, compiled, given, resolved, users) for s in chosen)


def _resolved(program: Program, symbols: list[Symbol]) -> Mapping[str, list[Explanation]]:
    """What the plan says of each definition, whether a run would need it or not."""
    view = program.plan([s.label for s in symbols])
    found: dict[str, list[Explanation]] = {}
    for explanation in view.explanations:
        found.setdefault(explanation.label.partition("[")[0], []).append(explanation)
    return found


def _explained(
    symbol: Symbol, compiled: Compiled, given: Collection[str], resolved: Mapping[str, list[Explanation]],
    users: Mapping[Symbol, list[Symbol]],
) -> Explained:
    meaning = compiled.program.meanings[symbol]
    return Explained(
        symbol.label, symbol.kind, symbol.definition.description, place_of(symbol.span),
        expression_text(symbol.definition.value),
        settings_of(compiled, symbol, given),
        tuple(e for e in resolved.get(symbol.label, ()) if e.lines or e.details),
        tuple(dict.fromkeys(s.label for s in names_in(meaning))),
        tuple(s.label for s in users.get(symbol, ())),
    )  # fmt: skip


def settings_of(compiled: Compiled, symbol: Symbol, given: Collection[str] = ()) -> tuple[Setting, ...]:
    """The options of one definition; `given` are the parameters that were set outside."""
    return tuple(_Settings(compiled, given, symbol).of(compiled.program.meanings[symbol], ""))


def users_of(compiled: Compiled) -> dict[Symbol, list[Symbol]]:
    """Who names each definition, in the order written."""
    found: dict[Symbol, list[Symbol]] = {}
    for user, meaning in compiled.program.meanings.items():
        for used in dict.fromkeys(names_in(meaning)):
            found.setdefault(used, []).append(user)
    return found


def names_in(meaning: t.Typed) -> Iterator[Symbol]:
    """The definitions that an expression names, in the order written."""
    todo = [meaning]
    while todo:
        node = todo.pop()
        if isinstance(node, t.Reference):
            yield node.symbol
        todo.extend(reversed(t.children(node)))


@dataclass(frozen=True)
class _Settings:
    """Walks the meaning of one definition."""

    compiled: Compiled
    given: Collection[str]
    symbol: Symbol

    def of(self, typed: t.Typed, path: str) -> Iterator[Setting]:
        """The settings of every call within an expression."""
        if isinstance(typed, t.Invocation):
            for name, argument in typed.arguments.items():
                inner = f"{path}.{name}" if path else name
                yield from self._argument(inner, typed.function.parameter(name), argument)
            return
        for i, child in enumerate(t.children(typed)):
            if isinstance(typed, (t.Sequence, t.Choose)):
                yield from self.of(child, f"{path}[{i}]")
            else:
                yield from self.of(child, f"{path}.{_callee(child)}" if path else _callee(child))

    def _argument(self, path: str, parameter: Parameter | None, argument: t.Typed) -> Iterator[Setting]:
        unit, help = (parameter.unit, parameter.help) if parameter is not None else ("", "")
        if isinstance(argument, t.Constant) and argument.default:
            value = argument.value
            yield Setting(path, spelled(value), "default", "", unit, help)
            if isinstance(value, MethodChoice):
                for name, inner in value.options.items():
                    yield Setting(f"{path}.{name}", spelled(inner), "default", "", "", _help(value, name))
            return
        if isinstance(argument, t.Sequence) and len(argument.items) == 1:
            only = argument.items[0]  # one value where several may stand
            argument = only if only.span == argument.span and not isinstance(only, t.Invocation) else argument
        yield Setting(path, self._value(argument), self._origin(argument), place_of(argument.span), unit, help)
        yield from self.of(argument, path)

    def _value(self, argument: t.Typed) -> str:
        if isinstance(argument, t.Invocation):
            return argument.function.name
        if isinstance(argument, t.Reference) and argument.symbol.kind in ("param", "let"):
            cells = self.compiled.tables[argument.symbol.label].cells
            plain = [c.value for c in cells if isinstance(c.value, (bool, int, float, str))]
            if len(cells) == len(plain) == 1:
                return _plain(plain[0])
        written = argument.span.text
        return " ".join(written.split()) or spelled(getattr(argument, "value", None))

    def _origin(self, argument: t.Typed) -> str:
        if not isinstance(argument, t.Reference):
            return "written"
        symbol = argument.symbol
        if symbol.kind == "param":
            return f"param {symbol.label}, " + ("set for this run" if symbol.label in self.given else "its default")
        return f"{symbol.kind} {symbol.label}"


def _callee(typed: t.Typed) -> str:
    return typed.function.name if isinstance(typed, t.Invocation) else ""


def _help(choice: MethodChoice, name: str) -> str:
    options = (*choice.method.subjects, *choice.method.parameters)
    return next((p.help for p in options if p.name == name), "")


def place_of(span: Span) -> str:
    first = span.first
    return f"{span.source.name}:{first.line}:{first.column}"


def spelled(value: Any) -> str:
    """A default as a program would write it: a method by its name alone, since its options have lines of their own."""
    if isinstance(value, MethodChoice):
        return value.method.name
    if isinstance(value, (list, tuple)) and len(value) == 1:
        return spelled(value[0])
    return constant(value)


def _plain(value: object) -> str:
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    return quoted(value) if isinstance(value, str) else spelled(value)
