"""Facts: the only thing before the engine that looks at the world. Tests give it a fake."""

from .disk import DiskFacts
from .fake import FakeFacts, fake_adapter, fake_data, fake_model
from .paths import project_folder, resolve_path
from .promise import (
    Absent,
    AdapterFacts,
    DataFacts,
    DocumentFacts,
    FactorPair,
    Facts,
    ModelFacts,
    ModelReference,
    Numbers,
    Rendered,
    TensorFacts,
    TokenizerFacts,
    Trouble,
    VectorFacts,
)
from .tokenizer import no_tokenizer

__all__ = [
    "Absent",
    "AdapterFacts",
    "DataFacts",
    "DiskFacts",
    "DocumentFacts",
    "FactorPair",
    "Facts",
    "FakeFacts",
    "ModelFacts",
    "ModelReference",
    "Numbers",
    "Rendered",
    "TensorFacts",
    "TokenizerFacts",
    "Trouble",
    "VectorFacts",
    "fake_adapter",
    "fake_data",
    "fake_model",
    "no_tokenizer",
    "project_folder",
    "resolve_path",
]
