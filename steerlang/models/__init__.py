"""Models: loading, where things are in them, reading states, steering, generating, scoring, classifying.

The public names are re-exported here; everything else is this room's own business.
"""

from steerlang.models.actions import Ablate, Add, Clamp, Operator, Recipe, Replace, Rotate, SteeringAction
from steerlang.models.capture import CaptureRequest, CaptureResult, capture, result_shape
from steerlang.models.class_heads import Head
from steerlang.models.classifiers import Classifier, load_classifier
from steerlang.models.encoding import Batch
from steerlang.models.errors import ModelError
from steerlang.models.generation import Generated, Sampling, generate
from steerlang.models.layout import Layout, LayoutOverride
from steerlang.models.loading import LoadedModel, load, wrap
from steerlang.models.overlay import Overlay
from steerlang.models.scoring import Likelihoods, ScoredText, log_likelihoods, mean_kl, next_token_logits
from steerlang.models.sites import (
    ATTENTION,
    EMBEDDING,
    FINAL_NORM,
    HEADS,
    MLP,
    RESIDUAL,
    RESIDUAL_IN,
    Point,
    Site,
    module_site,
    points,
)
from steerlang.models.tokens import TokenisedItem, tokenise

__all__ = [
    "ATTENTION",
    "EMBEDDING",
    "FINAL_NORM",
    "HEADS",
    "MLP",
    "RESIDUAL",
    "RESIDUAL_IN",
    "Ablate",
    "Add",
    "Batch",
    "CaptureRequest",
    "CaptureResult",
    "Clamp",
    "Classifier",
    "Generated",
    "Head",
    "Layout",
    "LayoutOverride",
    "Likelihoods",
    "LoadedModel",
    "ModelError",
    "Operator",
    "Overlay",
    "Point",
    "Recipe",
    "Replace",
    "Rotate",
    "Sampling",
    "ScoredText",
    "Site",
    "SteeringAction",
    "TokenisedItem",
    "capture",
    "generate",
    "load",
    "load_classifier",
    "log_likelihoods",
    "mean_kl",
    "module_site",
    "next_token_logits",
    "points",
    "result_shape",
    "tokenise",
    "wrap",
]
