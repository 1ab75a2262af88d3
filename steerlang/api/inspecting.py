"""Looking at vectors: in files, and in programs."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

from steerlang.diagnostics import Diagnostic, codes, error
from steerlang.graph.facts import ModelReference, Trouble
from steerlang.graph.facts.digests import FileDigests
from steerlang.graph.facts.task import CLASSIFIERS
from steerlang.graph.facts.vectors import read_vector
from steerlang.graph.node import Node, walk
from steerlang.language.compiling import cells_of
from steerlang.language.values import VectorValue

from .settings import Settings, SteerlangError

if TYPE_CHECKING:
    from steerlang.engine.events import EventSink
    from steerlang.models.loading import LoadedModel
    from steerlang.operations.vector import SteeringVector
    from steerlang.reports.inspection import Inspection, Tokens

    from .program import Program

Load = Callable[[], "LoadedModel"]


@dataclass(frozen=True)
class Looked:
    """What was found, and what there is to say about it."""

    inspection: Inspection
    diagnostics: tuple[Diagnostic, ...] = ()


def inspect_files(
    paths: Sequence[str | Path], model: str | None = None, tokens: int = 0, settings: Settings | None = None
) -> Looked:
    """The vectors in some files, beside each other. With `tokens`, also that many tokens at both ends of each direction
    under the unembedding of `model`, a folder or an id. Raises SteerlangError."""
    _needs("numpy")
    from steerlang.operations.vector_files import load_file

    named: list[tuple[str, SteeringVector]] = []
    for path in paths:
        found = read_vector(_existing(Path(path)), str(path), FileDigests(None))
        if isinstance(found, Trouble):
            raise SteerlangError((found.at(None),))
        with _told(str(path)):
            named.append((str(path), load_file(found)))
    if tokens and model is None:
        raise SteerlangError((_model_needed(),))
    settings = settings or Settings()
    load = (lambda: _load(model, settings)) if model is not None and tokens else None
    return _looked(named, load, tokens, model or "")


def inspect_program(
    program: Program, names: Sequence[str] = (), tokens: int = 0, sink: EventSink | None = None
) -> Looked:
    """Vectors of a program, made where they are not there yet: `names` are definitions or their points, all vectors
    when there are none. Raises SteerlangError."""
    _needs("numpy")
    wanted = list(names) or [n for n, t in program.compiled.tables.items() if t.symbol.kind == "vector"]
    chosen = list(_values(program, wanted))
    run = program.run(targets=[label for label, _ in chosen], sink=sink)
    if any(d.is_error for d in run.diagnostics):
        raise SteerlangError(run.diagnostics)
    from steerlang.operations.vector import SteeringVector

    named: list[tuple[str, SteeringVector]] = []
    for label, value in chosen:
        payload = run.payload(value.node)
        if payload is not None:
            named.append((label, SteeringVector.of(payload)))
    bases = {v.model for _, v in chosen}
    if tokens and len(bases) > 1:
        raise SteerlangError((_one_model(),))
    base = next((n for _, v in chosen for n in _bases(program) if n.key == v.model), None)
    load = (lambda: run.resources.model(base, run.result)) if tokens and base is not None else None
    found = _looked(named, load, tokens, chosen[0][1].model_name if tokens else "")
    return replace(found, diagnostics=tuple(run.found))


def _values(program: Program, names: Sequence[str]) -> Iterator[tuple[str, VectorValue]]:
    """The vectors that names mean, with their labels."""
    if not names:
        raise SteerlangError((error(codes.UNKNOWN_NAME, None, "the program has no vectors", place=program.name),))
    cells = [(label, name, cell) for name, t in program.compiled.tables.items() for label, cell in cells_of(t)]
    for wanted in names:
        found = [(label, c.value) for label, name, c in cells if wanted in (label, name)]
        vectors = [(label, value) for label, value in found if isinstance(value, VectorValue)]
        if not vectors:
            what = "is no vector" if found else "is not defined"
            known = ", ".join(f"`{n}`" for n, t in program.compiled.tables.items() if t.symbol.kind == "vector")
            raise SteerlangError(
                (
                    error(
                        codes.UNKNOWN_NAME, None, f"`{wanted}` {what} in this program", place=program.name,
                        help=f"its vectors are {known}" if known else "it has no vectors",
                    ),
                )
            )  # fmt: skip
        yield from vectors


def _bases(program: Program) -> Iterator[Node]:
    yield from (n for n in walk(list(program.compiled.graph.roots.values())) if n.result == "model")


def _looked(named: Sequence[tuple[str, SteeringVector]], load: Load | None, tokens: int, model: str) -> Looked:
    from steerlang.reports.gathering import vector_table
    from steerlang.reports.inspection import Inspection, between, inspected

    loaded = load() if load is not None else None
    vectors = [
        inspected(vector_table(name, v), v.directions, _tokens(name, v, loaded, tokens) if loaded else ())
        for name, v in named
    ]
    pairs = between([n for n, _ in named], [v.layers for _, v in named], [v.directions for _, v in named])
    return Looked(Inspection(tuple(vectors), tuple(pairs), model))


def _tokens(name: str, vector: SteeringVector, loaded: LoadedModel, top: int) -> list[Tokens]:
    import torch

    from steerlang.models.lens import near_tokens
    from steerlang.operations.model_errors import as_diagnostics
    from steerlang.reports.inspection import Tokens

    with _told(name), as_diagnostics():
        found = near_tokens(loaded, torch.tensor(vector.directions), top)
    return [Tokens(layer, near.raised, near.lowered) for layer, near in zip(vector.layers, found, strict=True)]


def _load(id: str, settings: Settings) -> LoadedModel:
    from steerlang.graph.facts import Absent
    from steerlang.operations.resources import quiet_library

    _needs("torch", "transformers", "safetensors")
    found = settings.facts().model(ModelReference(id, allow_code=settings.trust_remote_code))
    if isinstance(found, Trouble):
        raise SteerlangError((found.at(None),))
    if isinstance(found, Absent):
        message, help = f"`{id}` is not here: {found.reason}", "fetch it with `hf download`"
        raise SteerlangError((error(codes.MODEL_NOT_ON_DISK, None, message, place=id, help=help),))
    if found.task in CLASSIFIERS:
        message, help = f"`{id}` is no language model: it gives no tokens", "name the model the vectors were read from"
        raise SteerlangError((error(codes.WRONG_TASK, None, message, place=id, help=help),))
    quiet_library()
    from steerlang.models.loading import load
    from steerlang.operations.model_errors import as_diagnostics

    with _told(id), as_diagnostics():
        return load(found.path, device=settings.device, trust_remote_code=settings.trust_remote_code)


@contextmanager
def _told(place: str) -> Iterator[None]:
    """Turns what operations refuse into a SteerlangError about `place`."""
    from steerlang.engine.errors import OperationError

    try:
        yield
    except OperationError as refused:
        found = refused.diagnostic
        raise SteerlangError((replace(found, place=found.place or place),)) from refused


def _existing(path: Path) -> Path:
    if path.is_file():
        return path
    what = "is a folder, not a file" if path.is_dir() else "does not exist"
    help = "name a vector file, or a program (`.steer`) and its vectors"
    raise SteerlangError((error(codes.FILE_NOT_FOUND, None, f"`{path}` {what}", place=str(path), help=help),))


def _needs(*packages: str) -> None:
    missing = [p for p in packages if find_spec(p) is None]
    if missing:
        message = f"inspecting needs {', '.join(f'`{p}`' for p in missing)}"
        help = "install it with `pip install 'steerlang[run]'`"
        raise SteerlangError((error(codes.MISSING_EXTRA, None, message, help=help, place="inspect"),))


def _model_needed() -> Diagnostic:
    message = "nearest tokens need the model's unembedding"
    return error(codes.USAGE, None, message, place="--tokens", help="name the model: `--model models/courtesy`")


def _one_model() -> Diagnostic:
    message = "the vectors are of several models, and tokens are looked up in one"
    return error(codes.USAGE, None, message, place="--tokens", help="name vectors of one model")
