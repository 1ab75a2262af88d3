"""The JSON Schema of programs in the YAML and JSON form, derived from the registry: for editors, and for writers.

It is wider than the checker: it knows shapes, names, words and bounds, and neither types of names nor files. What it
refuses, the checker refuses too; every value may also be an expression, which the schema does not look into.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from .parameter_types import (
    Choice,
    Flag,
    Layers,
    ListOf,
    Methods,
    Number,
    ParameterType,
    Selector,
    Single,
    Spread,
    Text,
    Value,
)  # fmt: skip
from .registry import Kind, Registry
from .signature import Function, Method, Parameter
from .text_places import OF_KINDS, inner, item_type
from .types import TEXT as TEXT_TYPE

Schema = dict[str, Any]

#: What an expression may stand for is known to the checker alone.
EXPRESSION = {"$ref": "#/$defs/expression"}
ANY = {"$ref": "#/$defs/value"}
TEXT = {"$ref": "#/$defs/text"}
LONG = 300


def program_schema(registry: Registry) -> Schema:
    """JSON Schema 2020-12."""
    kinds, shared = registry.kinds.values(), Shared()
    functions = {f"function.{f.name}": _function(f, shared) for f in registry.functions.values()}
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "A steerlang program in the YAML or JSON form",
        "type": "object",
        "required": ["steerlang"],
        "properties": {
            "steerlang": {"const": 1, "description": "the edition of the language"},
            "definitions": {
                "description": "what the program defines, by name; order means nothing",
                "anyOf": [{"type": "null"}, {
                    "type": "object",
                    "propertyNames": {"$ref": "#/$defs/name"},
                    "additionalProperties": {"$ref": "#/$defs/definition"},
                }],
            },
        },
        "additionalProperties": False,
        "$defs": {
            **_shapes(),
            "definition": {
                "type": "object",
                "minProperties": 1,
                "maxProperties": 1,
                "properties": {k.name: {"description": k.help, **_of_kind(k, registry, shared)} for k in kinds},
                "additionalProperties": False,
            },
            "call": {"anyOf": [{"$ref": f"#/$defs/function.{name}"} for name in registry.functions]},
            **functions,
            **dict(shared.schemas.values()),
        },
    }


@dataclass
class Shared:
    """Long schemas, by their text, each with a name: what several parameters take is written once."""

    schemas: dict[str, tuple[str, Schema]] = field(default_factory=dict)

    def reference(self, name: str, schema: Schema) -> Schema:
        text = json.dumps(schema)
        if len(text) < LONG:
            return schema
        alike = sum(known.startswith(f"{name}.") for known, _ in self.schemas.values())
        known, _ = self.schemas.setdefault(text, (f"{name}.{alike + 1}", schema))
        return {"$ref": f"#/$defs/{known}"}


def _shapes() -> dict[str, Schema]:
    text = {"type": "object", "properties": {"$text": {"type": "string"}}, "required": ["$text"],
            "additionalProperties": False, "description": "a text, where else an expression stands"}
    expr = {"type": "object", "properties": {"$expr": {"type": "string"}}, "required": ["$expr"],
            "additionalProperties": False, "description": "an expression, where else a text stands"}
    return {
        "name": {"type": "string", "pattern": "^(?!(and|or|not|true|false|none)$)[A-Za-z_][A-Za-z0-9_]*$"},
        "expression": {
            "description": "an expression in the language's own syntax",
            "anyOf": [{"type": "string", "minLength": 1}, {"$ref": "#/$defs/marked_expression"}],
        },
        "marked_expression": expr,
        "marked_text": text,
        "text": {
            "description": "a text",
            "anyOf": [{"type": "string"}, {"$ref": "#/$defs/marked_text"}, {"$ref": "#/$defs/marked_expression"}],
        },
        "value": {
            "description": "any value: an expression, a number, a list, a call",
            "anyOf": [
                {"type": ["string", "number", "boolean", "null"]},
                {"type": "array", "items": ANY},
                {"$ref": "#/$defs/marked_text"},
                {"$ref": "#/$defs/marked_expression"},
                {"$ref": "#/$defs/call"},
            ],
        },
    }


def _of_kind(kind: Kind, registry: Registry, shared: Shared) -> Schema:
    """What a definition of a kind may hold: an expression, a list, or a call that can give such a value."""
    declared = OF_KINDS.get(kind.name)
    if kind.name == "import":
        return dict(TEXT)
    names = registry.functions_giving(*kind.types)
    calls = [{"$ref": f"#/$defs/function.{name}"} for name in names]
    items = _taking(item_type(declared), shared) if declared is not None else ANY
    plain = [{"$ref": "#/$defs/expression"}, {"type": ["number", "boolean"]}, {"type": "array", "items": items}]
    return {"anyOf": [*plain, {"$ref": "#/$defs/marked_text"}, *calls]}


def _function(function: Function | Method, shared: Shared) -> Schema:
    """A call: the function is the key that holds the arguments by position."""
    positional = [_described(p, shared) for p in function.subjects]
    many = bool(function.subjects) and function.subjects[-1].many
    arguments: Schema = {"type": "array", "items": positional[-1] if many else False}
    if positional:
        arguments["prefixItems"] = positional
    single = {"type": ["string", "number", "boolean", "object"]}  # one argument may stand without a list
    named = {p.name: _described(p, shared) for p in (*function.subjects, *function.parameters)}
    head = {"description": function.help, "anyOf": [arguments, single]}
    required = [function.name, *(p.name for p in function.parameters if p.required)]
    properties = {**named, function.name: head}
    return {"type": "object", "properties": properties, "required": required, "additionalProperties": False}


def _described(parameter: Parameter, shared: Shared) -> Schema:
    unit = f" (in {parameter.unit})" if parameter.unit else ""
    taken = shared.reference(parameter.name, _taking(parameter.type, shared))
    found: Schema = {"description": f"{parameter.help}{unit}", **taken}
    if isinstance(parameter.default, (bool, int, float, str)):
        found["default"] = parameter.default
    return found


# ---- parameter types ------------------------------------------------------------------------------------------------


def _taking(type: ParameterType | None, shared: Shared) -> Schema:
    """What a parameter takes."""
    for known, schema in _BY_TYPE:
        if isinstance(type, known):
            return schema(type, shared)
    return dict(ANY)


def _text(_: Any, __: Shared) -> Schema:
    return {"anyOf": [TEXT, {"type": "null"}]}


def _number(type: Number, _: Shared) -> Schema:
    bounds: Schema = {"type": "integer" if type.integer else "number"}
    if type.minimum is not None:
        bounds["exclusiveMinimum" if type.exclusive else "minimum"] = type.minimum
    if type.maximum is not None:
        bounds["exclusiveMaximum" if type.below else "maximum"] = type.maximum
    none = [{"type": "null"}] if type.optional else []
    return {"anyOf": [bounds, EXPRESSION, *none, {"$ref": "#/$defs/call"}]}


def _flag(_: Flag, __: Shared) -> Schema:
    return {"anyOf": [{"type": "boolean"}, EXPRESSION]}


def _choice(type: Choice, _: Shared) -> Schema:
    none = [{"type": "null"}] if "none" in type.words else []
    return {"anyOf": [_words(type.words), *none, {"$ref": "#/$defs/marked_expression"}]}


def _methods(type: Methods, shared: Shared) -> Schema:
    names = _words({m.name: m.help for m in type.methods})
    return {"anyOf": [names, EXPRESSION, *(_function(m, shared) for m in type.methods)]}


def _selector(type: Selector, _: Shared) -> Schema:
    calls = [{"$ref": f"#/$defs/function.{name}"} for name in type.calls]
    return {"anyOf": [_words(type.words), EXPRESSION, {"type": "array"}, *calls]}


def _layers(_: Layers, __: Shared) -> Schema:
    one: list[Schema] = [{"type": "integer", "minimum": 0}, {"$ref": "#/$defs/expression"}]
    words = {"all": "every block", "first": "block 0", "last": "the last block"}
    return {"anyOf": [_words(words), *one, {"type": "array", "items": {"anyOf": one}}]}


def _list(type: ListOf, shared: Shared) -> Schema:
    one = _taking(type.element, shared)
    return {"anyOf": [{"type": "array", "items": one}, one if type.single else ANY]}


def _single(type: Single, shared: Shared) -> Schema:
    return _taking(type.element, shared)


def _spread(type: Spread, shared: Shared) -> Schema:
    one = _taking(type.element, shared)
    return {"anyOf": [{"type": "array", "items": one, "minItems": 1}, one]}


def _value(type: Value, shared: Shared) -> Schema:
    found = inner(type)
    is_text = isinstance(found, Value) and set(found.types) == {TEXT_TYPE}
    return _text(type, shared) if is_text else dict(ANY)


def _words(words: Mapping[str, str]) -> Schema:
    """Words with a line of help each, as editors show them."""
    return {"oneOf": [{"const": word, "description": help} for word, help in words.items()]}


def to_json(schema: Schema) -> str:
    """As text, with a line for each part that has a name."""
    parts = ",\n    ".join(f"{json.dumps(name)}: {json.dumps(part)}" for name, part in schema["$defs"].items())
    head = json.dumps({k: v for k, v in schema.items() if k != "$defs"}, indent=2)
    return f'{head[:-2]},\n  "$defs": {{\n    {parts}\n  }}\n}}\n'


_BY_TYPE: tuple[tuple[type, Callable[[Any, Shared], Schema]], ...] = (
    (Text, _text), (Number, _number), (Flag, _flag), (Choice, _choice), (Methods, _methods), (Selector, _selector),
    (Layers, _layers), (ListOf, _list), (Single, _single), (Spread, _spread), (Value, _value),
)  # fmt: skip
