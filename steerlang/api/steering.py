"""Steering from Python: the recipes of the rows of a batch, each of its own."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from steerlang.diagnostics import codes, error
from steerlang.engine.errors import OperationError
from steerlang.functions.applying import steered
from steerlang.language.lowering import Lowering, Options
from steerlang.language.values import ActionValue, ModelValue

from .settings import SteerlangError

if TYPE_CHECKING:
    from steerlang.models.actions import Recipe

    from .models import RunModel
    from .results import Run


@dataclass(frozen=True, eq=False)
class RunSteering:
    """A `steering` of a run: a list of actions, to be used on any model they fit. `run["gentle"]` gives one."""

    name: str
    actions: tuple[ActionValue, ...]
    run: Run

    def __len__(self) -> int:
        return len(self.actions)

    def __repr__(self) -> str:
        return f"<steering {self.name}>"


@dataclass(frozen=True, eq=False)
class RowRecipes:
    """The different recipes of a batch, and which of them each row takes."""

    recipes: tuple[Recipe, ...]
    rows: tuple[int, ...]


def row_recipes(model: RunModel, count: int, steering: Any, scales: Any) -> RowRecipes:
    """The recipe of each of `count` rows: what the model does itself, then the row's own steering times its scale.

    `steering` is one for all rows or a list with one a row, each None, a `steering` or model of the run, or a recipe
    (a tuple of `SteeringAction`); `scales` likewise numbers. Raises SteerlangError where their numbers differ from the
    rows', or a steering does not fit the model.
    """
    given = _one_each(steering, count, "steering")
    factors = _one_each(1.0 if scales is None else scales, count, "scales")
    own = model.recipe
    known: dict[tuple[int, float], int] = {}
    recipes: list[Recipe] = []
    rows = []
    for row, (wanted, factor) in enumerate(zip(given, factors, strict=True)):
        key = (id(wanted), float(factor))
        if key not in known:
            known[key] = len(recipes)
            recipes.append((*own, *(action.times(float(factor)) for action in _recipe(model, wanted, row))))
        rows.append(known[key])
    return RowRecipes(tuple(recipes), tuple(rows))


def _one_each(given: Any, count: int, name: str) -> list[Any]:
    """One entry a row: a list as it is, anything else for every row."""
    if not isinstance(given, list):
        return [given] * count
    if len(given) != count:
        raise SteerlangError(
            (
                error(
                    codes.ROWS_AND_RECIPES,
                    None,
                    f"`{name}` has {len(given)} entries for {count} prompts",
                    help="give one for each prompt (`None` leaves a row unsteered), or a single one for all",
                    place="generate",
                ),
            )
        )
    return given


def _recipe(model: RunModel, wanted: Any, row: int) -> Recipe:
    from steerlang.models.actions import SteeringAction

    if wanted is None:
        return ()
    if isinstance(wanted, RunSteering):
        return _applied(model, wanted)
    if isinstance(wanted, tuple) and all(isinstance(action, SteeringAction) for action in wanted):
        return wanted
    return _of_model(model, wanted, row)


def _applied(model: RunModel, wanted: RunSteering) -> Recipe:
    """A list of actions on this model, checked as the program would check it."""
    compiled = model.run.program.compiled
    low = Lowering(compiled.program, model.run.program.settings.facts(), Options())
    base = replace(model.value, node=model.value.base, actions=())
    value = steered(base, list(wanted.actions), low)
    if not isinstance(value, ModelValue):
        raise SteerlangError(tuple(low.diagnostics))
    return model.recipe_of(value)


def _of_model(model: RunModel, wanted: Any, row: int) -> Recipe:
    from .models import RunModel

    if isinstance(wanted, RunModel) and wanted.value.base == model.value.base:
        return wanted.recipe
    # An array says all its numbers of itself: texts and numbers are shown, of the rest what they are.
    shown = repr(wanted)[:60] if isinstance(wanted, (str, int, float)) else f"a `{type(wanted).__name__}`"
    what = f"`{wanted.value.name}` is another model" if isinstance(wanted, RunModel) else f"{shown} is no steering"
    raise SteerlangError(
        (
            error(
                codes.ARGUMENT_TYPE,
                None,
                f"row {row}: {what}",
                help=f"give None, a steering or a model of the run on `{model.value.name}`'s weights, or a tuple of "
                "`SteeringAction`",
                place="generate",
            ),
        )
    )


@contextmanager
def as_steerlang_errors() -> Iterator[None]:
    """What models and operations refuse, as the error this package raises."""
    from steerlang.operations.model_errors import as_diagnostics

    try:
        with as_diagnostics():
            yield
    except OperationError as refused:
        raise SteerlangError((refused.diagnostic,)) from refused
