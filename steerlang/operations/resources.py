"""What operations share: the model that is loaded, and where it runs."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from steerlang.graph.node import Node

from .editing import Value, materialised

if TYPE_CHECKING:
    from steerlang.models.classifiers import Classifier
    from steerlang.models.embedding import TextEncoder
    from steerlang.models.encoding import Encoder
    from steerlang.models.loading import LoadedModel
    from steerlang.models.seeing import Eyes

M = TypeVar("M")

_CPU_TOKENS = 1024


@dataclass(eq=False)
class Resources:
    """One model is held at a time; asking for another lets the first go.

    batch_tokens  how many tokens a batch holds at most (padding counts); fewer where texts are only read, on a CPU
    receipts      of the edited models that were made, by the key of their node
    """

    device: str = "auto"
    threads: int | None = None
    trust_remote_code: bool = False
    batch_tokens: int = 4096
    receipts: dict[str, dict[str, Any]] = field(default_factory=dict)
    _held: dict[str, LoadedModel | Classifier | TextEncoder] = field(default_factory=dict)
    _encoders: dict[str, Encoder] = field(default_factory=dict)
    _eyes: dict[tuple[str, int], Eyes] = field(default_factory=dict)

    def reading_tokens(self, loaded: LoadedModel) -> int:
        """How many tokens a batch holds at most where texts are read and nothing is generated.

        On a CPU the activations of more tokens leave its cache, and each token takes up to 1.7 times as long.
        """
        return min(self.batch_tokens, _CPU_TOKENS) if loaded.device.type == "cpu" else self.batch_tokens

    def model(self, base: Node, value: Value) -> LoadedModel:
        """The language model behind a `model.load` or `model.edit` node; `value` gives what learned edits need."""
        return self._get(base, value, self._causal)

    def classifier(self, base: Node, value: Value) -> Classifier:
        """The classifier behind a `model.load` or `model.edit` node; `value` gives what learned edits need."""
        return self._get(base, value, self._classifier)

    def text_encoder(self, base: Node, value: Value) -> TextEncoder:
        """The text encoder behind a `model.load` or `model.edit` node; `value` gives what learned edits need."""
        return self._get(base, value, self._text_encoder)

    def _get(self, base: Node, value: Value, load: Callable[[Path, Node], M]) -> M:
        found: Any = self._held.get(base.key)
        if found is None:
            self._held.clear()  # before loading: two models at once may not fit
            self._prepare()
            with _folder(base, value, self.receipts) as folder:
                found = load(folder, base)
            self._held[base.key] = found
        return found  # type: ignore[no-any-return]

    def _prepare(self) -> None:
        # Programs say where models come from; loading itself never asks the network.
        quiet_library()
        import torch

        if self.threads is not None:
            torch.set_num_threads(self.threads)

    def _causal(self, folder: Path, base: Node) -> LoadedModel:
        from steerlang.models.loading import load

        dtype: Any = base.options["dtype"]
        sees = task_of(base) == "image_text_to_text"
        code = self.trust_remote_code
        made = load(folder, dtype=dtype, device=self.device, trust_remote_code=code, sees=sees)
        if made.eyes is None:
            return made
        # Images made ready for one model serve all that see them alike.
        return replace(made, eyes=self._eyes.setdefault((made.eyes.fingerprint, made.eyes.image_id), made.eyes))

    def _text_encoder(self, folder: Path, base: Node) -> TextEncoder:
        from steerlang.models.embedding import load_text_encoder

        dtype: Any = base.options["dtype"]
        return load_text_encoder(folder, dtype=dtype, device=self.device)

    def _classifier(self, folder: Path, base: Node) -> Classifier:
        from steerlang.models.classifiers import load_classifier

        dtype: Any = base.options["dtype"]
        made = load_classifier(folder, task_of(base), dtype=dtype, device=self.device)
        encoder = self._encoders.setdefault(made.encoder.fingerprint, made.encoder)
        return replace(made, encoder=encoder)  # rows made ready for one model serve all that read them alike


def task_of(base: Node) -> str:
    """What the weights behind a `model.load` or `model.edit` node are loaded for."""
    node = base.inputs[0] if base.operation == "model.edit" else base
    return str(node.options["task"])


@contextmanager
def _folder(base: Node, value: Value, receipts: dict[str, dict[str, Any]]) -> Iterator[Path]:
    """Where the weights of a node lie, made for the time being where they are edited."""
    if base.operation == "model.edit":
        with materialised(base, value, receipts) as folder:
            yield folder
    else:
        yield Path(base.locators["path"])


def quiet_library() -> None:
    """Progress is ours to show, on stderr and as events."""
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
    from transformers.utils import logging

    quiet: Any = logging.disable_progress_bar
    quiet()
