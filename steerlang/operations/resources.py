"""What operations share: the model that is loaded, and where it runs."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from steerlang.graph.node import Node

from .editing import materialised

if TYPE_CHECKING:
    from steerlang.models.loading import LoadedModel


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
    _held: dict[str, LoadedModel] = field(default_factory=dict)

    def reading_tokens(self, loaded: LoadedModel) -> int:
        """How many tokens a batch holds at most where texts are read and nothing is generated.

        On a CPU the activations of more tokens leave its cache, and each token takes up to 1.7 times as long.
        """
        return min(self.batch_tokens, _CPU_TOKENS) if loaded.device.type == "cpu" else self.batch_tokens

    def model(self, base: Node) -> LoadedModel:
        """The weights behind a `model.load` or `model.edit` node, loaded."""
        found = self._held.get(base.key)
        if found is None:
            self._held.clear()  # before loading: two models at once may not fit
            found = self._held[base.key] = self._load(base)
        return found

    def _load(self, base: Node) -> LoadedModel:
        if base.operation == "model.edit":
            with materialised(base, self.receipts) as folder:
                return self._load_folder(folder, base)
        return self._load_folder(Path(base.locators["path"]), base)

    def _load_folder(self, folder: Path, base: Node) -> LoadedModel:
        # Programs say where models come from; loading itself never asks the network.
        os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
        import torch
        from transformers.utils import logging

        from steerlang.models.loading import load

        quiet: Any = logging.disable_progress_bar
        quiet()  # progress is ours to show, on stderr and as events
        if self.threads is not None:
            torch.set_num_threads(self.threads)
        dtype: Any = base.options["dtype"]
        return load(folder, dtype=dtype, device=self.device, trust_remote_code=self.trust_remote_code)
