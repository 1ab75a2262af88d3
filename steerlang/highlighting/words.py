"""The words of the vocabulary that stand bare in programs: names of methods, options, selectors, layers."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from steerlang.language.parameter_types import Methods, ParameterType
from steerlang.language.registry import Registry
from steerlang.language.signature import Parameter


def bare_words(registry: Registry) -> frozenset[str]:
    """Every word that some parameter reads as an option: `last`, `icv`, `residual`."""
    parameters = (p for f in registry.functions.values() for p in f.all_parameters)
    return frozenset(words_of_all(parameters))


def words_of_all(parameters: Iterable[Parameter]) -> Iterator[str]:
    for parameter in parameters:
        yield from words_of(parameter.type)


def words_of(type: ParameterType) -> Iterator[str]:
    """The words a parameter of this type reads, those of options of its methods included."""
    yield from type.bare_words
    for part in type.parts:
        yield from words_of(part)
    if isinstance(type, Methods):
        for method in type.methods:
            yield from words_of_all((*method.subjects, *method.parameters))
