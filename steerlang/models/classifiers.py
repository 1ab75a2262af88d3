"""Classifiers: image classifiers, CLIP models and sequence classifiers, loaded as strictly as language models."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from steerlang.models.checkpoint import check_finite, check_folder
from steerlang.models.class_heads import Head, last_linear, own_head, pooled, text_head
from steerlang.models.encoding import Batch, Encoder, alike, encoder_of, padded
from steerlang.models.errors import LoadFailure, UnsupportedModel, UnusableLogits
from steerlang.models.loading import DtypeName, device_of, load_weights

_AUTO: Mapping[str, str] = {
    "image_classification": "AutoModelForImageClassification",
    "clip": "AutoModelForZeroShotImageClassification",
    "sequence_classification": "AutoModelForSequenceClassification",
}


@dataclass(frozen=True, eq=False)
class Classifier:
    """A classifier in evaluation mode without gradients.

    model       of the library
    task        `image_classification`, `clip` or `sequence_classification`
    encoder     makes inputs of rows, each once
    unexpected  tensors of the checkpoint that the model has no place for
    """

    model: Any
    task: str
    encoder: Encoder
    path: str
    unexpected: tuple[str, ...] = ()
    _found: dict[int, nn.Linear] = field(default_factory=dict, repr=False)

    @property
    def device(self) -> torch.device:
        device: torch.device = next(self.model.parameters()).device
        return device

    @property
    def own_head(self) -> Head | None:
        """The model's own classifier; CLIP models have none."""
        return None if self.task == "clip" else own_head(self.model.config)

    def encode(self, rows: Sequence[Mapping[str, Any]]) -> Batch:
        """Rows (`image`: a path, `text`, or `ids`: tokens) as inputs on the CPU. Raises BadImage, NoTokens, TooLong."""
        return self.encoder.encode(rows)

    def logits(self, batch: Batch, head: Head) -> Tensor:
        """Logits ``[n, C]`` in float32, on the model's device; differentiable in the parameters that ask for gradients.

        Rows of other shapes than their neighbours run by themselves, so that no row changes with those beside it.
        """
        return torch.cat([self._together(group, head) for group in alike(batch, self._pad_id)])

    def head_of_texts(self, classes: Sequence[str], templates: Sequence[str]) -> Head:
        """The head that this model's text encoder makes of the names of classes (`clip` only)."""
        return text_head(self.model, self.encoder.tokenizer, classes, templates, self.device)

    def exchangeable_head(self) -> Head:
        """This model's classifier as a weight that other models of its kind can take. Raises UnsupportedModel."""
        own = own_head(self.model.config)
        linear = self._last_linear(len(own.names))
        weight, bias = linear.weight, linear.bias
        return Head(own.names, _plain(weight), None if bias is None else _plain(bias))

    @property
    def _pad_id(self) -> int | None:
        """The token texts are padded with; None where the model cannot be padded."""
        pad = getattr(self.model.config.get_text_config(), "pad_token_id", None)
        return pad if isinstance(pad, int) else None

    def _together(self, batch: Batch, head: Head) -> Tensor:
        inputs = self._inputs(batch)
        if self.task == "clip":
            features = pooled(self.model.get_image_features(**inputs)).float()
            return head.to(self.device)(features / features.norm(dim=-1, keepdim=True))
        if head.weight is None:
            return self._run(inputs)
        with self._exchanged(head.to(self.device)):
            return self._run(inputs)

    def _inputs(self, batch: Batch) -> dict[str, Tensor]:
        inputs = {name: tensor.to(self.device) for name, tensor in padded(batch, self._pad_id).items()}
        if "pixel_values" in inputs:
            inputs["pixel_values"] = inputs["pixel_values"].to(self.model.dtype)
        return inputs

    def _run(self, inputs: Mapping[str, Tensor]) -> Tensor:
        logits: Tensor = self.model(**inputs).logits
        return logits.float()

    @contextmanager
    def _exchanged(self, head: Head) -> Iterator[None]:
        """While inside, the model's last linear map is that of another head."""
        linear = self._last_linear(len(own_head(self.model.config).names))
        handle = linear.register_forward_hook(lambda _, given, __: head(given[0]))
        try:
            yield
        finally:
            handle.remove()

    def _last_linear(self, outputs: int) -> nn.Linear:
        """Where the logits come from, looked for once: parameters may change meanwhile, modules do not."""
        if outputs not in self._found:
            inputs = self._inputs(self.encoder.example())
            self._found[outputs] = last_linear(self.model, outputs, lambda: self.model(**inputs).logits)
        return self._found[outputs]

    def predict(
        self, rows: Sequence[Mapping[str, Any]], head: Head, at_once: int = 32
    ) -> Iterator[tuple[list[int], Tensor]]:
        """Logits of many rows in pieces of bounded memory, without gradients: (which rows, their logits ``[m, C]``).

        Raises UnusableLogits where one is not finite.
        """
        order = list(range(len(rows)))
        if self.task == "sequence_classification":  # little padding
            lengths = self.encode(rows).lengths
            order.sort(key=lambda i: lengths[i])
        for start in range(0, len(rows), at_once):
            part = order[start : start + at_once]
            with torch.inference_mode():
                found = self.logits(self.encode([rows[i] for i in part]), head).cpu()
            bad = (~torch.isfinite(found).all(-1)).nonzero()
            if len(bad):
                raise UnusableLogits(part[int(bad[0])])
            yield part, found


def _plain(tensor: Tensor) -> Tensor:
    return tensor.detach().float().cpu().clone()


def load_classifier(
    path: str | Path, task: str, *, dtype: DtypeName | None = None, device: str = "auto"
) -> Classifier:
    """A classifier from a folder: safetensors only, every tensor there and finite, no code of its own, no network.

    Raises LoadFailure, BadWeights, UnsupportedModel (no classes to choose from: one output, or several at once).
    """
    import transformers

    folder = Path(path)
    if not folder.is_dir():
        raise LoadFailure(f"there is no folder {path}", "give a folder with config.json")
    check_folder(folder)
    options = {"local_files_only": True, "trust_remote_code": False, "revision": "main"}
    model, unexpected = load_weights(getattr(transformers, _AUTO[task]), str(folder), dtype, options)
    _check_classes(model.config, task)
    check_finite(model)
    model.eval()
    model.requires_grad_(False)
    return Classifier(
        model.to(device_of(device)), task, encoder_of(folder, task, model.config), str(folder), unexpected
    )


def _check_classes(config: Any, task: str) -> None:
    """A classifier chooses one of at least two classes."""
    if task == "clip":
        return
    if getattr(config, "problem_type", None) == "multi_label_classification":
        reason = "its classes do not exclude each other (`multi_label_classification`)"
    elif len(config.id2label) < 2:
        reason = "it has one output, a score"
    else:
        return
    raise UnsupportedModel(
        f"the model does not choose among classes: {reason}",
        [type(config).__name__],
        "give a model with one output for each class",
    )
