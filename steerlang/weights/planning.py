"""Deciding from headers alone what an edit does to every tensor: copied, cast, computed, or left out by name."""

from __future__ import annotations

import dataclasses
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from steerlang.diagnostics import codes

from .adapters import Adapter, factor_names
from .checkpoint import Checkpoint, Info
from .coefficients import Factors, resolve
from .dtypes import STORAGE, dtype_code, is_float, itemsize
from .errors import WeightsError, listed
from .expression import (
    Composed,
    Difference,
    Edit,
    Expression,
    FactorSum,
    LowRank,
    Scaled,
    Slerp,
    Sum,
    Top,
    Vector,
    adapters_of,
    canonical,
    leaves,
    to_json,
)
from .matching import LeftOut, Match, editable, match_leaf, match_models
from .methods import check_options
from .patterns import matching


@dataclass(frozen=True, slots=True)
class Output:
    """One tensor of the result. action: `copied` (bit-identical), `cast` (to another dtype), or `computed`."""

    name: str
    dtype: str
    shape: tuple[int, ...]
    action: str

    @property
    def size(self) -> int:
        """Bytes written."""
        count = 1
        for length in self.shape:
            count *= length
        return count * itemsize(self.dtype)


@dataclass(frozen=True)
class EditPlan:
    """All that an edit will do. Every tensor of the base is in `outputs` or in `excluded`.

    left_out   tensors that are read from no input, and why: extra ones, integers, buffers, other shapes
    unedited   tensors of the base that can have no task vector (integers, buffers) and are copied
    notes      worth showing, not wrong
    """

    expression: Expression
    checkpoints: Mapping[str, Checkpoint] = field(repr=False)
    adapters: Mapping[str, Adapter] = field(repr=False)
    outputs: tuple[Output, ...] = field(repr=False)
    excluded: tuple[str, ...]
    left_out: tuple[LeftOut, ...]
    unedited: tuple[str, ...]
    notes: tuple[str, ...]
    matches: Mapping[Any, Match] = field(repr=False)
    factors: Mapping[int, Factors] = field(repr=False)

    @property
    def base(self) -> Checkpoint:
        """The model whose tensors the result has."""
        return self.checkpoints[self.expression.base]

    @property
    def counts(self) -> dict[str, int]:
        """How many tensors are copied, cast, computed, excluded, and left out of the inputs."""
        found = Counter(output.action for output in self.outputs)
        shown = {action: found[action] for action in ("copied", "cast", "computed")}
        return {**shown, "excluded": len(self.excluded), "left_out": len(self.left_out)}

    @property
    def bytes_written(self) -> int:
        """Bytes of the tensors of the result."""
        return sum(output.size for output in self.outputs)

    @property
    def editable(self) -> tuple[str, ...]:
        """The tensors of the base that can have a task vector."""
        return editable(self.base)

    def to_json(self) -> dict[str, Any]:
        """The plan as JSON values, the same on every machine."""
        return {
            "expression": to_json(self.expression),
            "counts": self.counts,
            "bytes_written": self.bytes_written,
            "tensors": [[o.name, o.dtype, list(o.shape), o.action] for o in self.outputs],
            "excluded": list(self.excluded),
            "left_out": [[out.source, out.tensor, out.reason] for out in self.left_out],
            "unedited": list(self.unedited),
            "notes": list(self.notes),
        }

    def reaches(self, vector: Vector, tensor: str) -> bool:
        """Whether a task vector can be other than 0 on a tensor."""
        if isinstance(vector, Scaled):
            factor = self.factors[id(vector.by)].of(tensor)
            return (callable(factor) or factor != 0.0) and self.reaches(vector.vector, tensor)
        if isinstance(vector, Top):
            return self.reaches(vector.vector, tensor)
        if isinstance(vector, LowRank):
            return len(self.base.info(tensor).shape) == 2 and self.reaches(vector.vector, tensor)
        if isinstance(vector, Sum):
            return any(self.reaches(part, tensor) for part in vector.vectors)
        if isinstance(vector, Composed):
            return any(self.reaches_scaled(vector, i, tensor) for i in range(len(vector.vectors)))
        return tensor in self.matches[vector].lengths

    def reaches_scaled(self, vector: Composed, number: int, tensor: str) -> bool:
        """Whether one of composed task vectors, with its coefficient, can be other than 0 on a tensor."""
        factor = self.factors[id(vector.coefficients[number])].of(tensor)
        return (callable(factor) or factor != 0.0) and self.reaches(vector.vectors[number], tensor)


def plan_edit(
    expression: Expression,
    checkpoints: Mapping[str, Checkpoint],
    adapters: Mapping[str, Adapter] | None = None,
    *,
    dtype: str | None = None,
) -> EditPlan:
    """What an edit does, decided before any weight is read.

    checkpoints, adapters  what the keys of the expression mean
    dtype                  of the float tensors of the result (`bfloat16`, …); as in the base where it is None

    Raises WeightsError that names tensor, checkpoint, pattern or block.
    """
    known = dict(adapters or {})
    _check_keys(expression, checkpoints, known)
    base = checkpoints[expression.base]
    notes: list[str] = []
    if isinstance(expression, Edit):
        _check_bases(expression, checkpoints)
        matches: dict[Any, Match] = {
            leaf: match_leaf(leaf, base, checkpoints, known, notes) for leaf in leaves(expression.change)
        }
    else:
        matches = {expression: match_models(checkpoints[expression.first], checkpoints[expression.second], notes)}
    editables = editable(base)
    excluded = {name for pattern in expression.exclude for name in matching(pattern, base.names)}
    code = dtype_code(dtype) if dtype is not None else None
    left = tuple(dict.fromkeys(out for match in matches.values() for out in match.left_out))
    edited = set(editables)
    unedited = tuple(name for name in base.names if name not in edited)
    factors: dict[int, Factors] = {}
    draft = EditPlan(
        expression, checkpoints, known, (), tuple(sorted(excluded)), left, unedited, tuple(notes), matches, factors
    )
    _resolve_all(expression, draft, editables, factors)
    draft = dataclasses.replace(draft, left_out=(*left, *_no_matrices(expression, draft)))
    outputs = tuple(_output(draft, info, code) for info in base.tensors.values() if info.name not in excluded)
    if not outputs:
        raise WeightsError("every tensor is excluded: nothing would be written", (), codes.PATTERN_EMPTY)
    return dataclasses.replace(draft, outputs=outputs)


def _no_matrices(term: Any, plan: EditPlan) -> Iterator[LeftOut]:
    """What vectors of low rank cannot hold."""
    if isinstance(term, LowRank):
        for name in plan.editable:
            if len(plan.base.info(name).shape) != 2 and plan.reaches(term.vector, name):
                yield LeftOut("the vector of low rank", name, "it is no matrix")
    for part in _inner(term):
        yield from _no_matrices(part, plan)


def _output(plan: EditPlan, info: Info, dtype: str | None) -> Output:
    if info.dtype not in STORAGE:
        raise WeightsError(f"`{info.name}` of `{plan.base.name}` is stored as {info.dtype}, which is not understood")
    wanted = dtype if dtype is not None and is_float(info.dtype) else info.dtype
    if isinstance(plan.expression, Slerp):
        factor = plan.factors[id(plan.expression.t)].of(info.name)
        computed = info.name in plan.matches[plan.expression].lengths and (callable(factor) or factor != 0.0)
    else:
        computed = plan.reaches(plan.expression.change, info.name)
    action = "computed" if computed else "copied" if wanted == info.dtype else "cast"
    return Output(info.name, wanted, info.shape, action)


def _check_keys(expression: Expression, checkpoints: Mapping[str, Checkpoint], adapters: Mapping[str, Adapter]) -> None:
    wanted, wanted_adapters = keys_of(expression)
    if absent := [key for key in wanted if key not in checkpoints]:
        raise WeightsError(f"no model was given for {listed(absent)}", (), codes.UNKNOWN_NAME)
    if absent := [key for key in wanted_adapters if key not in adapters]:
        raise WeightsError(f"no adapter was given for {listed(absent)}", (), codes.UNKNOWN_NAME)


def keys_of(expression: Expression) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """The keys of the models and of the adapters that an expression names, in order, each once."""
    if isinstance(expression, Slerp):
        return tuple(dict.fromkeys((expression.first, expression.second))), ()
    models, adapters = [expression.base], list[str]()
    for leaf in leaves(expression.change):
        if isinstance(leaf, Difference):
            models += [leaf.tuned, leaf.base]
        else:
            adapters += adapters_of(leaf)
    return tuple(dict.fromkeys(models)), tuple(dict.fromkeys(adapters))


def _check_bases(edit: Edit, checkpoints: Mapping[str, Checkpoint]) -> None:
    for leaf in leaves(edit.change):
        other = leaf.base if isinstance(leaf, Difference) else edit.base
        if other != edit.base and not edit.across:
            message = (
                f"a task vector was taken from `{checkpoints[other].name}`, but is added to "
                f"`{checkpoints[edit.base].name}`"
            )
            raise WeightsError(message, "say `across = true` if that is meant", codes.PROVENANCE_MISMATCH)


def _resolve_all(term: Any, plan: EditPlan, tensors: tuple[str, ...], factors: dict[int, Factors]) -> None:
    # By identity, not by value: a coefficient may hold thousands of numbers, and its term lives as long as the plan.
    given: tuple[Any, ...] = ()
    if isinstance(term, Scaled):
        given = (term.by,)
    elif isinstance(term, Slerp):
        given = (term.t,)
    elif isinstance(term, Composed):
        check_options(term)
        given = term.coefficients
    elif isinstance(term, FactorSum):
        _resolve_factors(term, plan, factors)
    for coefficient in given:
        if id(coefficient) not in factors:
            factors[id(coefficient)] = resolve(coefficient, plan.base, tensors)
    for part in _inner(term):
        _resolve_all(part, plan, tensors, factors)


def _resolve_factors(term: FactorSum, plan: EditPlan, factors: dict[int, Factors]) -> None:
    """What multiplies the factors of adapters, by the names of the factors."""
    for part in term.parts:
        if part.by == 1.0:
            continue
        modules = plan.matches[term].modules[part.adapter].values()
        infos = {
            name: Info(name, "F32", (), "", 0, 0) for module in modules for name in factor_names(f"{module}.weight")
        }
        held = Checkpoint(plan.base.folder, plan.adapters[part.adapter].name, infos)
        found = factors[id(part)] = resolve(part.by, held, infos)
        if any(callable(found.of(name)) for name in infos):
            message = f"the factors of `{held.name}` are scaled by parts of them, which have no place in a product"
            raise WeightsError(message, "scale each factor by one number", codes.SCALE_OF_FACTORS)


def _inner(term: Any) -> tuple[Any, ...]:
    if isinstance(term, (Sum, Composed)):
        return term.vectors
    if isinstance(term, (Scaled, Top, LowRank)):
        return (term.vector,)
    return (term.change,) if isinstance(term, Edit) else ()


def plan_text(plan: EditPlan) -> str:
    """The canonical text of what a plan will write: two plans with one text write the same bytes from equal inputs."""
    outputs = [[o.name, o.dtype, list(o.shape), o.action] for o in plan.outputs]
    return canonical(plan.expression) + repr(outputs)
