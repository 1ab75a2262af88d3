"""Where the vocabulary takes texts, for the YAML form: a plain string is a text there and an expression elsewhere."""

from __future__ import annotations

from dataclasses import dataclass

from steerlang.syntax.forms.places import ANYWHERE, Place

from .parameter_types import Data, ListOf, Methods, ParameterType, Single, Spread, Text, Value, Words
from .registry import Registry
from .signature import Parameter
from .types import TEXT as TEXT_TYPE
from .types import TEXTS, ListType

TEXT = Text()
#: Kinds whose value is written rather than computed: an import holds a path, a list of data holds texts.
OF_KINDS: dict[str, ParameterType] = {"import": TEXT, "data": Data((TEXTS,))}


@dataclass(frozen=True)
class TextPlaces:
    """The vocabulary of `registry`, as far as it says where texts stand."""

    registry: Registry

    def value_of(self, kind: str) -> Place:
        return TypedPlace(self.registry, OF_KINDS.get(kind))


@dataclass(frozen=True)
class TypedPlace:
    """A place of a known parameter type; None where nothing is known of it."""

    registry: Registry
    type: ParameterType | None

    @property
    def takes_text(self) -> bool:
        found = inner(self.type)
        return isinstance(found, Text) or (isinstance(found, Value) and set(found.types) == {TEXT_TYPE})

    def item(self) -> Place:
        return TypedPlace(self.registry, item_type(self.type))

    def argument(self, function: str, name: str | None, position: int) -> Place:
        parameter = self._parameter(function, name, position)
        return TypedPlace(self.registry, parameter.type) if parameter is not None else ANYWHERE

    def _parameter(self, function: str, name: str | None, position: int) -> Parameter | None:
        kind = inner(self.type)
        found = kind.find(function) if isinstance(kind, Methods) else self.registry.function(function)
        if found is None:
            return None
        subjects, named = found.subjects, found.parameters
        if name is not None:
            return next((p for p in (*subjects, *named) if p.name == name), None)
        if position < len(subjects):
            return subjects[position]
        return subjects[-1] if subjects and subjects[-1].many else None


def inner(type: ParameterType | None) -> ParameterType | None:
    """What a single value is read by, where a list may stand too."""
    while isinstance(type, (Single, Spread)) or (isinstance(type, ListOf) and type.single):
        type = type.element
    return type


def item_type(type: ParameterType | None) -> ParameterType | None:
    """What an entry of a list is read by."""
    if isinstance(type, (ListOf, Spread)):
        return type.element
    if isinstance(type, Single):
        return item_type(type.element)
    if isinstance(type, Value):
        elements = tuple(t.element for t in type.types if isinstance(t, ListType))
        return Value(elements) if elements else None
    return TEXT if isinstance(type, Words) or (isinstance(type, Data) and TEXTS in type.forms) else None
