"""Models of a run: entered, they are ordinary Hugging Face models, steered; generated with, they give plain texts."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any, Union

from steerlang.graph.facts.task import CLASSIFIERS
from steerlang.language.values import ModelValue

from .steering import RunSteering, as_steerlang_errors, row_recipes

if TYPE_CHECKING:
    from steerlang.models.actions import Recipe
    from steerlang.models.loading import LoadedModel

    from .results import Run

    Steering = Union[None, RunSteering, "RunModel", Recipe]


class RunModel:
    """A model of a run. `with run["kind"] as model: …` gives the Hugging Face model, steered while inside; the weights
    are those of the base and are never changed."""

    def __init__(self, value: ModelValue, run: Run) -> None:
        self.value = value
        self.run = run
        self._stack: ExitStack | None = None

    def __enter__(self) -> Any:
        if self._stack is not None:
            raise RuntimeError("this model is entered already")
        if self.value.task in CLASSIFIERS:
            classifier = self.run.resources.classifier(self.value.base, self.run.result)
            self._stack = ExitStack()
            return classifier.model
        from steerlang.models.overlay import Overlay

        loaded, recipe = self._loaded(), self.recipe
        self._stack = ExitStack()
        self._stack.enter_context(Overlay(loaded, (recipe,)))
        return loaded.model

    def __exit__(self, *exception: object) -> None:
        stack, self._stack = self._stack, None
        if stack is not None:
            stack.close()

    @property
    def tokenizer(self) -> Any:
        """The Hugging Face tokenizer, padding on the left; of a classifier as its files say, None for images alone."""
        if self.value.task in CLASSIFIERS:
            return self.run.resources.classifier(self.value.base, self.run.result).encoder.tokenizer
        return self._loaded().tokenizer

    @property
    def recipe(self) -> Recipe:
        """What the model does to its states: a tuple of `SteeringAction`, empty for a model that is not steered."""
        return self.recipe_of(self.value)

    def recipe_of(self, value: ModelValue) -> Recipe:
        """The recipe of a model of this run."""
        from steerlang.operations.recipes import recipe_of

        with as_steerlang_errors():
            return recipe_of(value.node, self.run.result)[1]

    def generate(
        self,
        prompts: str | Sequence[str],
        max_new_tokens: int = 32,
        *,
        images: str | Path | Sequence[str | Path] | None = None,
        steering: Steering | list[Steering] = None,
        scales: float | list[float] | None = None,
    ) -> list[str]:
        """Greedy continuations of prompts, without the prompts themselves, in one batch. `images` are paths, one a
        prompt or one for all, for a model that sees: each prompt is then written by its processor's chat template.

        Each row may be steered its own way, on top of what the model does itself: `steering` is a list with one entry a
        prompt (None, a `steering` or a model of this run, or a tuple of `SteeringAction`), or one entry for all;
        `scales` multiplies the scales of each row's steering. Every row is as if it were alone. Raises SteerlangError,
        and TypeError for a classifier.
        """
        if self.value.task in CLASSIFIERS:
            raise TypeError(f"{self.value.name} is a classifier and writes no text")
        from steerlang.operations.generating import continue_texts

        texts = [prompts] if isinstance(prompts, str) else list(prompts)
        paths = None if images is None else _paths(images, len(texts))
        found = row_recipes(self, len(texts), steering, scales)
        with as_steerlang_errors():
            return continue_texts(self._loaded(), found.recipes, found.rows, texts, max_new_tokens, paths)

    def _loaded(self) -> LoadedModel:
        return self.run.resources.model(self.value.base, self.run.result)

    def __repr__(self) -> str:
        return f"<model {self.value.name}>"


def _paths(images: str | Path | Sequence[str | Path], count: int) -> list[str]:
    """One path a prompt."""
    given = [images] * count if isinstance(images, (str, Path)) else list(images)
    if len(given) != count:
        raise ValueError(f"{len(given)} images for {count} prompts: give one for each, or one for all")
    return [str(path) for path in given]
