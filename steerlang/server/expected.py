"""What may stand where the cursor is: the parameter that is being given, and the type of what is read there."""

from __future__ import annotations

from dataclasses import dataclass

from steerlang.language.parameter_types import Layers, ListOf, Methods, ParameterType, Text, Value
from steerlang.language.registry import Registry
from steerlang.language.signature import Function, Method, Parameter
from steerlang.language.text_places import inner, item_type
from steerlang.language.types import TEXT, Type

from .cursor import Cursor, Frame, operator_before


@dataclass(frozen=True)
class Slot:
    """A place for a value.

    owner      the function or method whose bracket it is in; `parameters` those that may still be named there
    parameter  the parameter that is being given, where it is known
    type       what reads the value; None where anything may stand
    """

    owner: Function | Method | None = None
    parameter: Parameter | None = None
    type: ParameterType | None = None


def slot_at(cursor: Cursor, registry: Registry) -> Slot:
    """The innermost place around the cursor."""
    kind = registry.kinds.get(cursor.kind)
    slot = Slot(type=Value(kind.types) if kind is not None and kind.types else None)
    if cursor.kind == "import":
        slot = Slot(type=Text(holds="file"))
    for frame in cursor.frames:
        slot = _inside(frame, slot, registry)
    symbol = operator_before(cursor)
    return Slot(slot.owner, slot.parameter, _right_of(symbol, slot.type, registry)) if symbol else slot


def owners(cursor: Cursor, registry: Registry) -> list[tuple[Frame, Function | Method]]:
    """The calls around the cursor with what they call, from the outside in."""
    kind = registry.kinds.get(cursor.kind)
    slot = Slot(type=Value(kind.types) if kind is not None and kind.types else None)
    found = []
    for frame in cursor.frames:
        slot = _inside(frame, slot, registry)
        if frame.callee and slot.owner is not None:
            found.append((frame, slot.owner))
    return found


def _inside(frame: Frame, around: Slot, registry: Registry) -> Slot:
    if frame.callee:
        return _of_call(frame, around, registry)
    if frame.is_index:
        return Slot(type=Layers())
    if frame.opener.type == "LSQB":
        return Slot(around.owner, around.parameter, item_type(around.type))
    if frame.opener.type == "LBRACE":
        return Slot()
    return around


def _of_call(frame: Frame, around: Slot, registry: Registry) -> Slot:
    reading = inner(around.type)
    owner: Function | Method | None = reading.find(frame.callee) if isinstance(reading, Methods) else None
    owner = owner or registry.function(frame.callee)
    if owner is None:
        return Slot()
    parameter = _parameter(owner, frame)
    return Slot(owner, parameter, parameter.type if parameter is not None else None)


def _parameter(owner: Function | Method, frame: Frame) -> Parameter | None:
    if frame.argument is not None:
        return next((p for p in (*owner.subjects, *owner.parameters) if p.name == frame.argument), None)
    if frame.position < len(owner.subjects):
        return owner.subjects[frame.position]
    return owner.subjects[-1] if owner.subjects and owner.subjects[-1].many else None


def _right_of(symbol: str, type: ParameterType | None, registry: Registry) -> ParameterType | None:
    """What may stand to the right of an operator; within layers, layers."""
    if isinstance(inner(type), Layers) or symbol in ("..", "..<"):
        return Layers()
    types: list[Type] = [o.operands[-1] for o in registry.operators_for(symbol)]
    return Value(tuple(dict.fromkeys(types))) if types else None


def takes_text(type: ParameterType | None) -> Text | None:
    """How a text that stands here is read; None where no text can stand."""
    reading = inner(type)
    while isinstance(reading, ListOf):
        reading = inner(reading.element)
    if isinstance(reading, Text):
        return reading
    return Text() if isinstance(reading, Value) and TEXT in reading.types else None
