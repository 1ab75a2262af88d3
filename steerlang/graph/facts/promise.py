"""What is known of the world before anything heavy loads, and how it is asked for.

`Facts` is the only window on files and caches before the engine: `DiskFacts` looks, `FakeFacts` answers from a
dictionary. Functions return `Trouble` for what the user must mend; the caller adds the place in the program.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, Protocol

from steerlang.data import Demonstration, RowOptions
from steerlang.diagnostics import Diagnostic, Label, error
from steerlang.diagnostics.codes import Code
from steerlang.graph.node import Json
from steerlang.source import Span

Part = Literal["all", "weights", "text"]


@dataclass(frozen=True, slots=True)
class Trouble:
    """A diagnostic that lacks only its place in the program.

    column  the column of a data file at fault, so that the caller can point at the argument that names it
    place   the file at fault, with a line where there is one
    others  further troubles found with this one, each to be reported too
    """

    code: Code
    message: str
    help: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    place: str | None = None
    column: str | None = None
    others: tuple[Trouble, ...] = ()

    def at(self, span: Span | None, *, label: str = "", secondary: tuple[Label, ...] = ()) -> Diagnostic:
        """This trouble at a place in a program."""
        return error(
            self.code, span, self.message, label=label, help=self.help, notes=self.notes, secondary=secondary,
            place=self.place,
        )  # fmt: skip

    def all(self) -> tuple[Trouble, ...]:
        """This trouble and the others, one by one."""
        return (self, *(one for other in self.others for one in other.all()))


@dataclass(frozen=True, slots=True)
class ModelReference:
    """A model as a program names it: `id` is a folder beside the program or a Hugging Face id.

    base_folder  the folder of the file that names it, which relative paths start from
    allow_code   whether the model may bring code of its own
    """

    id: str
    revision: str | None = None
    task: str | None = None
    base_folder: str = "."
    allow_code: bool = False


@dataclass(frozen=True, slots=True)
class Absent:
    """A Hugging Face model that is not, or not wholly, on this machine: nothing is known of it, which is no error.

    nearby  folders beside the program of nearly this name: what may have been meant
    """

    id: str
    looked_in: tuple[str, ...]
    reason: str = "it is not on this machine"
    nearby: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class TensorFacts:
    """One tensor of a checkpoint as its header tells it; `dtype` in safetensors' words (`F32`, `BF16`, …)."""

    dtype: str
    shape: tuple[int, ...]
    file: str

    @property
    def count(self) -> int:
        return math.prod(self.shape)


@dataclass(frozen=True, slots=True)
class TokenizerFacts:
    """What the tokenizer files say. `file` is None where there is no tokenizer; `fast` where it is `tokenizer.json`."""

    file: str | None = None
    fast: bool = False
    has_chat_template: bool = False
    bos: str | None = None
    eos: str | None = None
    pad: str | None = None

    @property
    def present(self) -> bool:
        return self.file is not None


def _no_identity(part: Part) -> str:
    raise ValueError("these facts were made without an identity")


@dataclass(frozen=True)
class ModelFacts:
    """A model as its configuration and the headers of its weights describe it.

    revision      commit of a Hugging Face snapshot; None for a folder
    task          what the program asks for, else what the architecture's name says, else None
    layers, width, vocabulary, heads, positions
                  of the (text) decoder; None where neither the configuration nor the tensors tell
    tied          whether input and output embeddings are one tensor; None where nothing tells
    quantised     the method, or None
    remote_code   whether the configuration points at code of its own
    parameters    numbers in the checkpoint; `size` their bytes
    has_processor whether it says how images are prepared
    labels        class names of a classifier, in order
    encodes       whether an encoder reads the prompt, and the decoder only writes the answer
    notes         worth showing, not wrong
    """

    id: str
    path: Path
    revision: str | None
    model_type: str
    architectures: tuple[str, ...]
    task: str | None
    layers: int | None
    width: int | None
    vocabulary: int | None
    heads: int | None
    positions: int | None
    dtype: str | None
    tied: bool | None
    quantised: str | None
    remote_code: bool
    tensors: Mapping[str, TensorFacts] = field(repr=False)
    parameters: int
    size: int
    tokenizer: TokenizerFacts
    has_processor: bool = False
    labels: tuple[str, ...] = ()
    encodes: bool = False
    notes: tuple[str, ...] = ()
    identity: Callable[[Part], str] = field(default=_no_identity, repr=False, compare=False)

    @property
    def name(self) -> str:
        """How messages name the model: its id, with the start of its commit."""
        return f"{self.id}@{self.revision[:7]}" if self.revision else self.id

    def digest(self, part: Part = "all") -> str:
        """SHA-256 of the contents of the model's files: the same wherever they lie. Hashed on first call.

        part  `weights` (configuration and tensors), `text` (configuration and tokenizer), or `all`, which also covers
              processor and generation settings

        Raises `OSError` when a file has gone since it was looked at.
        """
        return self.identity(part)


@dataclass(frozen=True, slots=True)
class LabelFacts:
    """A label of a data file: how many rows have it, and the line of the first."""

    count: int
    line: int


@dataclass(frozen=True, slots=True)
class FactorPair:
    """The two factors of one module of an adapter, τ = scale · B A.

    a, b        names of A [rank, in] and B [out, rank] in the file
    transposed  whether the model stores τᵀ (embeddings, `fan_in_fan_out`)
    embedding   whether the module is an embedding
    shape       of τ as the model stores it
    """

    a: str
    b: str
    rank: int
    scale: float
    transposed: bool
    embedding: bool
    shape: tuple[int, int]


@dataclass(frozen=True)
class AdapterFacts:
    """A LoRA adapter as its configuration and header describe it.

    revision    commit of a Hugging Face snapshot; None for a folder
    trained_on  the base that its configuration names, as it names it
    task        PEFT's word for what the model is for (`CAUSAL_LM`)
    pairs       by the module they belong to
    frozen      shapes of layers of the base that stand beside the factors, by module; they take no part
    """

    name: str
    path: Path
    revision: str | None
    trained_on: str | None
    task: str | None
    pairs: Mapping[str, FactorPair] = field(repr=False)
    frozen: Mapping[str, tuple[int, ...]] = field(repr=False)
    tensors: Mapping[str, TensorFacts] = field(repr=False)
    identity: Callable[[], str] = field(default=lambda: _no_identity("all"), repr=False, compare=False)

    def digest(self) -> str:
        """SHA-256 of the contents of the adapter's files. Hashed on first call. Raises `OSError`."""
        return self.identity()


@dataclass(frozen=True)
class DataFacts:
    """A data file that can be read as the program asks.

    rows      rows in the file; `kept` those left after `where` and `limit`
    examples  the first few demonstrations; of plain lines the first 1000
    labels    the labels of the rows that pass `where`, `limit` or not, in order: numbers by size, texts by alphabet
    """

    path: Path
    name: str
    format: str
    columns: tuple[str, ...]
    rows: int
    kept: int
    examples: tuple[Demonstration, ...] = ()
    labels: Mapping[str, LabelFacts] = field(default_factory=dict)
    identity: Callable[[], str] = field(default=lambda: _no_identity("all"), repr=False, compare=False)

    def digest(self) -> str:
        """SHA-256 of the file's bytes and, where it names images, of theirs. Hashed on first call."""
        return self.identity()


@dataclass(frozen=True)
class DocumentFacts:
    """A YAML or JSON file: `value` is what it holds."""

    path: Path
    name: str
    value: object
    identity: Callable[[], str] = field(default=lambda: _no_identity("all"), repr=False, compare=False)

    def digest(self) -> str:
        """SHA-256 of the file's bytes."""
        return self.identity()


@dataclass(frozen=True, slots=True)
class Numbers:
    """Where numbers stand in a file: `count` of them from byte `offset` on, `dtype` in safetensors' words."""

    offset: int
    count: int
    dtype: str


@dataclass(frozen=True)
class VectorFacts:
    """A file of directions, as its header tells it.

    format    `steerlang` (our own), `gguf`, `svec`, `pt`
    layers    as the file numbers them, ascending; `width` numbers each
    site      where its directions were read or are meant for, as far as the format says; None where it does not
    document  what the vector says of itself (site, tokens, model, method, …) where steerlang wrote the file
    hint      the kind of model it names (`llama`), or empty
    numbers   where the directions stand, by layer; empty where they are written as text
    tensors   where other tensors of the vector stand, by name, with their shapes; `values` those written as lists
    notes     worth knowing, not wrong
    """

    path: Path
    name: str
    format: str
    layers: tuple[int, ...]
    width: int
    site: Json = None
    document: Mapping[str, Json] | None = None
    hint: str = ""
    numbers: Mapping[int, Numbers] = field(default_factory=dict, repr=False)
    tensors: Mapping[str, tuple[Numbers, tuple[int, ...]]] = field(default_factory=dict, repr=False)
    values: Mapping[str, Json] = field(default_factory=dict, repr=False)
    notes: tuple[str, ...] = ()
    identity: Callable[[], str] = field(default=lambda: _no_identity("all"), repr=False, compare=False)

    @property
    def has_norms(self) -> bool:
        """Whether the mean norms of the states are known, which `unit = residual` scales by."""
        return "state_norms" in self.tensors or "state_norms" in self.values

    def digest(self) -> str:
        """SHA-256 of the file's bytes."""
        return self.identity()


@dataclass(frozen=True, slots=True)
class Rendered:
    """A text as its tokenizer cuts it: tokens as the vocabulary writes them, special ones included, and the half-open
    range of characters each covers (an empty range for special tokens)."""

    text: str
    tokens: tuple[str, ...]
    ids: tuple[int, ...]
    offsets: tuple[tuple[int, int], ...]


class Facts(Protocol):
    """The questions that may be asked about the world before anything heavy loads.

    Paths are as a program writes them; `base_folder` is the folder of the file that does.
    """

    def model(self, reference: ModelReference) -> ModelFacts | Absent | Trouble:
        """The model a program names."""
        ...

    def adapter(self, reference: ModelReference) -> AdapterFacts | Absent | Trouble:
        """The LoRA adapter a program names."""
        ...

    def data(
        self, path: str, format: str, base_folder: str, columns: Mapping[str, str], options: RowOptions | None = None
    ) -> DataFacts | tuple[Trouble, ...]:
        """A data file, read with `columns` (role to column) and what is done to its rows."""
        ...

    def document(self, path: str, base_folder: str) -> DocumentFacts | Trouble:
        """A YAML or JSON file."""
        ...

    def vector(self, path: str, base_folder: str) -> VectorFacts | Trouble:
        """A file of directions."""
        ...

    def resolve_path(self, text: str, base_folder: str) -> Path | Trouble:
        """Where a path written in a program leads; it need not exist."""
        ...

    def rendered(self, reference: ModelReference, texts: Sequence[str]) -> tuple[Rendered, ...] | None:
        """The texts as the model's tokenizer cuts them; None where it cannot be asked on this machine."""
        ...
