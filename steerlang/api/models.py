"""Models of a run: entered, they are ordinary Hugging Face models, steered; generated with, they give plain texts."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any

from steerlang.language.values import ModelValue

if TYPE_CHECKING:
    from .results import Run


class RunModel:
    """A model of a run. `with run["kind"] as model: …` gives the Hugging Face model, steered while inside; the weights
    are those of the base and are never changed."""

    def __init__(self, value: ModelValue, run: Run) -> None:
        self._value = value
        self._run = run
        self._stack: ExitStack | None = None

    def __enter__(self) -> Any:
        if self._stack is not None:
            raise RuntimeError("this model is entered already")
        if self._value.task != "causal":
            classifier = self._run.resources.classifier(self._value.base, self._run.result)
            self._stack = ExitStack()
            return classifier.model
        from steerlang.models.overlay import Overlay
        from steerlang.operations.recipes import recipe_of

        loaded = self._run.resources.model(self._value.base, self._run.result)
        _, recipe = recipe_of(self._value.node, self._run.result)
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
        if self._value.task != "causal":
            return self._run.resources.classifier(self._value.base, self._run.result).encoder.tokenizer
        return self._run.resources.model(self._value.base, self._run.result).tokenizer

    def generate(self, prompts: str | Sequence[str], max_new_tokens: int = 32) -> list[str]:
        """Greedy continuations of prompts, without the prompts themselves. Raises TypeError for a classifier."""
        if self._value.task != "causal":
            raise TypeError(f"{self._value.name} is a classifier and writes no text")
        from steerlang.operations.generating import continue_texts

        texts = [prompts] if isinstance(prompts, str) else list(prompts)
        loaded = self._run.resources.model(self._value.base, self._run.result)
        return continue_texts(loaded, self._value.node, self._run.result, texts, max_new_tokens)

    def __repr__(self) -> str:
        return f"<model {self._value.name}>"
