"""The words of the vocabulary that stand bare in programs: names of methods, options, selectors, layers."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from steerlang.language.parameter_types import Choice, Layers, ListOf, Methods, ParameterType, Selector, Single, Spread
from steerlang.language.parameter_types.depth import LAYER_WORDS
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
    if isinstance(type, (Choice, Selector)):
        yield from type.words
    elif isinstance(type, Layers):
        yield from LAYER_WORDS
    elif isinstance(type, (ListOf, Single, Spread)):
        yield from words_of(type.element)
    elif isinstance(type, Methods):
        for method in type.methods:
            yield method.name
            yield from words_of_all((*method.subjects, *method.parameters))
