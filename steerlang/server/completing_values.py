"""What a parameter type takes, as offers: words first, then names of fitting type, then functions that give one."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from enum import Enum, auto

from steerlang.language.calling import DECLARING
from steerlang.language.modules import Symbol
from steerlang.language.parameter_types import (
    AxisOf,
    Data,
    Flag,
    Layers,
    Methods,
    Number,
    ParameterType,
    Selector,
    Text,
    Value,
    WordOr,
    Words,
)
from steerlang.language.signature import Function, Method
from steerlang.language.typed import Poison
from steerlang.language.types import (
    BOOL,
    LAYERS,
    METRIC,
    NUMBER,
    RANGE,
    TEXT,
    TEXTS,
    ListType,
    Type,
    list_of,
)

from .analysis import Analysis


class Offered(Enum):
    WORD = auto()
    METHOD = auto()
    FUNCTION = auto()
    NAME = auto()
    CONSTANT = auto()
    TEXT = auto()
    FILE = auto()
    FOLDER = auto()
    COLUMN = auto()
    MODULE = auto()
    ARGUMENT = auto()
    KIND = auto()


@dataclass(frozen=True)
class Offer:
    """Something that may be written. `insert` is what is, where it is not the label; `start` is where it begins, where
    that is not the word under the cursor."""

    kind: Offered
    label: str
    detail: str = ""
    insert: str = ""
    text: str = ""
    function: Function | Method | None = None
    symbol: Symbol | None = None
    start: int | None = None


def offers_for(analysis: Analysis, type: ParameterType | None, within: str = "") -> Iterator[Offer]:
    """What `type` takes; everything that has a value where nothing is known of it. `within` is the definition that is
    being written, which cannot name itself."""
    if type is None:
        yield from _names(analysis, None, within)
        yield from _functions(analysis, None)
        return
    if not isinstance(type, Methods):
        yield from (Offer(Offered.WORD, word, help) for word, help in type.bare_words.items())
    offers = next((OFFERS[c] for c in type.__class__.__mro__ if c in OFFERS), None)
    if offers is not None:
        yield from offers(analysis, type, within)
    for part in type.parts:
        yield from offers_for(analysis, part, within)


def _word_or(analysis: Analysis, type: WordOr, within: str) -> Iterator[Offer]:
    yield from (Offer(Offered.WORD, word, help) for word, help in type.words.items())
    yield from offers_for(analysis, type.other, within)


def _methods(_: Analysis, type: Methods, within: str) -> Iterator[Offer]:
    yield from (Offer(Offered.METHOD, m.name, m.help, function=m) for m in type.methods)


def _selector(analysis: Analysis, type: Selector, within: str) -> Iterator[Offer]:
    functions = (analysis.compiled.program.registry.function(name) for name in type.calls)
    yield from (Offer(Offered.FUNCTION, f.name, f.help, function=f) for f in functions if f is not None)


def _layers(analysis: Analysis, type: Layers, within: str) -> Iterator[Offer]:
    yield Offer(Offered.TEXT, "25%..75%", "the middle half of the layers")
    yield from _names(analysis, (LAYERS, RANGE, NUMBER), within)


def _typed(analysis: Analysis, types: tuple[Type, ...], within: str) -> Iterator[Offer]:
    yield from _names(analysis, types, within)
    if BOOL in types:
        yield from _constants()
    yield from _functions(analysis, types)


def _value(analysis: Analysis, type: Value, within: str) -> Iterator[Offer]:
    yield from _typed(analysis, type.types, within)


def _data(analysis: Analysis, type: Data, within: str) -> Iterator[Offer]:
    lists: tuple[Type, ...] = (list_of(TEXT),) if TEXTS in type.forms else ()
    yield from _typed(analysis, (*type.forms, *lists), within)


def _words(analysis: Analysis, type: Words, within: str) -> Iterator[Offer]:
    yield from _typed(analysis, (TEXTS, list_of(TEXT)), within)


def _number(analysis: Analysis, type: Number, within: str) -> Iterator[Offer]:
    if type.optional:
        yield Offer(Offered.CONSTANT, "none", "no number")
    yield from _typed(analysis, (NUMBER,), within)


def _text(analysis: Analysis, type: Text, within: str) -> Iterator[Offer]:
    if type.optional:
        yield Offer(Offered.CONSTANT, "none", "no text")
    yield from _names(analysis, (TEXT,), within)


def _constants() -> Iterator[Offer]:
    yield Offer(Offered.CONSTANT, "true")
    yield Offer(Offered.CONSTANT, "false")


def _flag(analysis: Analysis, type: Flag, within: str) -> Iterator[Offer]:
    yield from _constants()
    yield from _names(analysis, (BOOL,), within)


def _axis(analysis: Analysis, type: AxisOf, within: str) -> Iterator[Offer]:
    for symbol in _symbols(analysis):
        if symbol.kind == "sweep":
            yield _name(analysis, symbol)


OFFERS: Mapping[type, Callable[..., Iterator[Offer]]] = {
    Methods: _methods, Selector: _selector, Layers: _layers, Value: _value, Data: _data, Words: _words,
    Number: _number, Text: _text, Flag: _flag, AxisOf: _axis,
}  # fmt: skip


def _symbols(analysis: Analysis) -> Iterator[Symbol]:
    """Definitions of the program, and those of files it imports."""
    module = analysis.module
    yield from (s for s in module.symbols.values() if s.kind != "import")
    for child in module.imports.values():
        yield from (s for s in child.symbols.values() if s.kind != "import")


def _names(analysis: Analysis, types: tuple[Type, ...] | None, within: str) -> Iterator[Offer]:
    for symbol in _symbols(analysis):
        itself = symbol.module is analysis.module and symbol.name == within
        if not itself and (types is None or _fits(analysis, symbol, types)):
            yield _name(analysis, symbol)
    for name in analysis.module.imports:
        yield Offer(Offered.MODULE, name, f"definitions of `{analysis.module.imports[name].source.name}`")


def _name(analysis: Analysis, symbol: Symbol) -> Offer:
    meaning = analysis.compiled.program.meanings.get(symbol)
    known = meaning is not None and not isinstance(meaning, Poison)
    detail = meaning.type.phrase if known and meaning is not None else symbol.kind
    label = symbol.name if symbol.module is analysis.module else _through(analysis, symbol)
    return Offer(Offered.NAME, label, detail, symbol=symbol)


def _through(analysis: Analysis, symbol: Symbol) -> str:
    """An imported definition as a program writes it."""
    name = next((n for n, m in analysis.module.imports.items() if m is symbol.module), "")
    return f"{name}.{symbol.name}"


def _fits(analysis: Analysis, symbol: Symbol, types: tuple[Type, ...]) -> bool:
    """Whether a definition has one of some types; one with mistakes, whether its kind may."""
    program = analysis.compiled.program
    meaning = program.meanings.get(symbol)
    if meaning is None or isinstance(meaning, Poison):
        kind = program.registry.kinds.get(symbol.kind)
        return kind is not None and any(_accepts(w, k) for w in types for k in kind.types)
    return any(_accepts(w, meaning.type) for w in types)


def _accepts(wanted: Type, given: Type) -> bool:
    if wanted.accepts(given) or (wanted == NUMBER and given == METRIC):
        return True
    return isinstance(wanted, ListType) and wanted.element == given


def _functions(analysis: Analysis, types: Iterable[Type] | None) -> Iterator[Offer]:
    """Functions that give one of some types; those whose result depends on their arguments where they may."""
    registry = analysis.compiled.program.registry
    wanted = None if types is None else tuple(t.element if isinstance(t, ListType) else t for t in types)
    for function in registry.functions.values():
        if function.family == DECLARING and wanted is not None:
            continue
        given = (function.result,) if isinstance(function.result, Type) else function.gives
        if wanted is None or not given or any(w.accepts(g) for w in wanted for g in given):
            yield Offer(Offered.FUNCTION, function.name, function.help, function=function)
