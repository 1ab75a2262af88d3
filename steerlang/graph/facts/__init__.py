"""Facts: the only thing before the engine that looks at the world. Tests give it a fake."""

from .disk import DiskFacts
from .fake import FakeFacts, fake_data, fake_model
from .paths import project_folder, resolve_path
from .promise import (
    Absent,
    DataFacts,
    DocumentFacts,
    Facts,
    ModelFacts,
    ModelReference,
    Rendered,
    TensorFacts,
    TokenizerFacts,
    Trouble,
)
from .tokenizer import no_tokenizer

__all__ = [
    "Absent",
    "DataFacts",
    "DiskFacts",
    "DocumentFacts",
    "Facts",
    "FakeFacts",
    "ModelFacts",
    "ModelReference",
    "Rendered",
    "TensorFacts",
    "TokenizerFacts",
    "Trouble",
    "fake_data",
    "fake_model",
    "no_tokenizer",
    "project_folder",
    "resolve_path",
]
