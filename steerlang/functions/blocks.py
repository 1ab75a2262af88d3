"""Blocks: which pieces of a model get a coefficient each (`steerlang/weights/blocks.py` says what each means)."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from steerlang.diagnostics import codes, error
from steerlang.graph.node import Json
from steerlang.language.lowering import Lowering
from steerlang.language.parameter_types import ListOf, Number, Value
from steerlang.language.signature import Call, Function, Parameter
from steerlang.language.types import BLOCKS, PATTERN, RULE
from steerlang.language.values import POISON

from .terms import Term


def blocks_term(by: str, **given: Json) -> Term:
    """A `weights.blocks.Blocks` as JSON. What is not given is left out, so that equal blocks have one form."""
    return {"is": "Blocks", "by": by, **{name: value for name, value in sorted(given.items()) if value}}


def is_blocks_term(term: object) -> bool:
    """Whether a value that a file holds is such a term."""
    if not isinstance(term, dict) or term.get("is") != "Blocks" or term.get("by") not in KINDS:
        return False
    given = {name: value for name, value in term.items() if name not in ("is", "by")}
    return all(name in _FIELDS and _FIELDS[name](value) for name, value in given.items())


def _is_pattern(value: object) -> bool:
    return (
        isinstance(value, dict)
        and value.keys() == {"is", "kind", "text"}
        and value["is"] == "Pattern"
        and value["kind"] in ("glob", "regex")
        and isinstance(value["text"], str)
    )


def _are_patterns(value: object) -> bool:
    return isinstance(value, list) and all(_is_pattern(pattern) for pattern in value)


def _are_splits(value: object) -> bool:
    return isinstance(value, list) and all(
        isinstance(rule, list) and len(rule) == 2 and _is_pattern(rule[0]) and _is_count(rule[1]) for rule in value
    )


def _is_count(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= 0


KINDS = ("tensor", "layer", "module", "row", "column", "all")
_FIELDS: Mapping[str, Callable[[object], bool]] = {
    "include": _are_patterns,
    "exclude": _are_patterns,
    "tie": _are_patterns,
    "split": _are_splits,
    "random": _is_count,
    "seed": _is_count,
}
EVERY_TENSOR = blocks_term("tensor")
ONE_BLOCK = blocks_term("all")


def _by(what: str) -> Any:
    def lower(call: Call, _: Lowering) -> Term:
        return blocks_term(what, include=list(call["include"]), exclude=list(call["exclude"]))

    return lower


def _by_tensor(call: Call, low: Lowering) -> Any:
    split: list[Json] = []
    for pattern, parts in call["split"]:
        if parts < 2 or parts != int(parts):
            message = f"a tensor cannot be split into {parts:g} parts"
            help = "write `set(pattern, parts)` with a whole number of parts, at least 2: query, key and value are 3"
            low.report(error(codes.OUT_OF_BOUNDS, call.where("split"), message, help=help))
            return POISON
        split.append([pattern, int(parts)])
    return blocks_term(
        "tensor", include=list(call["include"]), exclude=list(call["exclude"]), tie=list(call["tie"]), split=split
    )


def _random_parts(call: Call, _: Lowering) -> Term:
    return blocks_term(
        "tensor", include=list(call["include"]), exclude=list(call["exclude"]), random=call["k"], seed=call["seed"]
    )


_PATTERNS = ListOf(Value((PATTERN,)), single=True)
_INCLUDE = Parameter("include", _PATTERNS, "the tensors that have a coefficient; all when left out", ())
_EXCLUDE = Parameter("exclude", _PATTERNS, "tensors that have none, and stay as the base has them", ())


def _plain(name: str, what: str, help: str) -> Function:
    return Function(name, help, "blocks", (), (_INCLUDE, _EXCLUDE), BLOCKS, _by(what))


FUNCTIONS = (
    Function(
        "by_tensor",
        "a block for each tensor",
        "blocks",
        (),
        (
            _INCLUDE,
            _EXCLUDE,
            Parameter("tie", _PATTERNS, "tensors that fit one pattern with equal wildcards are one block", ()),
            Parameter(
                "split",
                ListOf(Value((RULE,)), single=True),
                "fused tensors cut along their rows, a block each: `set(pattern, parts)`",
                (),
            ),
        ),
        BLOCKS,
        _by_tensor,
        source="Zhang et al., 2024",
    ),
    _plain("by_layer", "layer", "a block for each layer; tensors outside the layers by module"),
    _plain("by_module", "module", "a block for each module: its weight and bias together"),
    _plain("by_row", "row", "a block for each row of each tensor: an output of the module"),
    _plain("by_column", "column", "a block for each column of each tensor: an input of the module"),
    _plain("one_block", "all", "one block: a single coefficient for each task vector"),
    Function(
        "random_parts",
        "each entry of a tensor falls in one of K parts at random, a block each",
        "blocks",
        (Parameter("k", Number(2, integer=True), "how many parts each tensor has"),),
        (_INCLUDE, _EXCLUDE, Parameter("seed", Number(0, integer=True), "which random parts", 0)),
        BLOCKS,
        _random_parts,
        source="Zhang et al., 2024, aTLAS x K",
    ),
)
