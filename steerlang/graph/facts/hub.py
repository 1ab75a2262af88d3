"""Where a model lies on this machine: a folder beside the program, or a snapshot in the Hugging Face cache.

The cache is read by its layout, without the package: `models--ORG--NAME/refs/REVISION` holds a commit, and
`models--ORG--NAME/snapshots/COMMIT/` the files, mostly as links to blobs that are named by their contents' digest.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from steerlang.diagnostics import codes

from .paths import missing, near_paths, resolve_path
from .promise import Absent, ModelReference, Trouble
from .troubles import bad_model

_HUB_ID = re.compile(r"[A-Za-z0-9][\w.-]*(/[A-Za-z0-9][\w.-]*)?", re.ASCII)
_COMMIT = re.compile(r"[0-9a-f]{40}")
_SHORT_COMMIT = re.compile(r"[0-9a-f]{7,39}")
_DEFAULT_REVISION = "main"


@dataclass(frozen=True, slots=True)
class Located:
    """A folder of model files. `commit` is the snapshot's, None for a folder that is not from the hub."""

    folder: Path
    name: str
    commit: str | None = None


def hub_cache(environment: Mapping[str, str]) -> Path:
    """The folder in which Hugging Face's tools keep what they fetched."""
    for variable in ("HF_HUB_CACHE", "HUGGINGFACE_HUB_CACHE"):
        if environment.get(variable):
            return Path(environment[variable]).expanduser()
    if environment.get("HF_HOME"):
        return Path(environment["HF_HOME"]).expanduser() / "hub"
    home = environment.get("HOME") or os.path.expanduser("~")
    return Path(environment.get("XDG_CACHE_HOME") or os.path.join(home, ".cache")).expanduser() / "huggingface" / "hub"


def is_path(id: str, base_folder: str | Path) -> bool:
    """Whether a model's id means a folder: it exists there, is written like a path, or begins with a folder's name."""
    if id.startswith(("./", "../", "/", "~")) or id in (".", "..") or id.endswith("/"):
        return True
    base = Path(base_folder)
    try:
        return (base / id).exists() or ("/" in id and (base / id.split("/", 1)[0]).is_dir())
    except (OSError, ValueError):
        return False


def locate(reference: ModelReference, cache: Path) -> Located | Absent | Trouble:
    """Where the files of a model are."""
    if is_path(reference.id, reference.base_folder):
        return _local(reference)
    if not _HUB_ID.fullmatch(reference.id) or "--" in reference.id or ".." in reference.id:
        return Trouble(
            codes.FILE_NOT_FOUND,
            f"`{reference.id}` is neither a folder nor a Hugging Face id",
            ("name a folder beside the program, or an id such as `org/name`",),
        )
    return _cached(reference, cache)


def _local(reference: ModelReference) -> Located | Trouble:
    path = resolve_path(reference.id, reference.base_folder)
    if isinstance(path, Trouble):
        return path
    try:
        if not path.exists():
            return missing(reference.id, path, "the model folder")
        if path.is_dir():
            return _without_revision(reference, path)
    except OSError as problem:
        return Trouble(codes.FILE_NOT_FOUND, f"`{reference.id}` cannot be looked at: {problem.strerror}")
    return _not_a_folder(reference.id, path)


def _without_revision(reference: ModelReference, path: Path) -> Located | Trouble:
    if reference.revision is not None:
        message = f"a revision is given for `{reference.id}`, which is a folder"
        return bad_model(path, message, "leave `revision` out; folders have none")
    return Located(path, reference.id.rstrip("/") or reference.id)


def _not_a_folder(id: str, path: Path) -> Trouble:
    suffix = path.suffix.lower()
    if suffix == ".gguf":
        help = "name the folder of the safetensors checkpoint that it was made from"
        return bad_model(path, f"`{id}` is a GGUF file, not a model folder", help)
    if suffix in (".bin", ".pt", ".pth", ".ckpt", ".pkl"):
        message = f"`{id}` is a pickled checkpoint, which can run code when it is read"
        help = "name the folder of a safetensors checkpoint"
        return Trouble(codes.PICKLED_CHECKPOINT, message, (help,), place=str(path))
    weights = suffix == ".safetensors"
    help = "name the folder that holds it" if weights else "name a folder with `config.json` and weights"
    return bad_model(path, f"`{id}` is a file, not a model folder", help)


def _cached(reference: ModelReference, cache: Path) -> Located | Absent:
    repository = cache / ("models--" + reference.id.replace("/", "--"))
    looked_in = (str(Path(reference.base_folder) / reference.id), str(repository))
    if not repository.is_dir():
        return Absent(reference.id, looked_in, nearby=_nearby(reference))
    wanted = reference.revision or _DEFAULT_REVISION
    commit = _commit(repository, wanted)
    if commit is None:
        return Absent(reference.id, looked_in, f"its revision `{wanted}` is not on this machine")
    return Located(repository / "snapshots" / commit, reference.id, commit)


def _nearby(reference: ModelReference) -> tuple[str, ...]:
    """Folders of nearly the id's name: a misspelt path reads like an id."""
    base = Path(os.path.abspath(reference.base_folder))
    return tuple(one for one in near_paths(reference.id, base / reference.id) if (base / one).is_dir())


def _commit(repository: Path, revision: str) -> str | None:
    """The commit of a branch, tag, commit or start of a commit whose snapshot is there."""
    snapshots = repository / "snapshots"
    if _COMMIT.fullmatch(revision):
        return revision if (snapshots / revision).is_dir() else None
    if ".." not in revision:
        try:
            commit = (repository / "refs" / revision).read_text(encoding="ascii").strip()
        except (OSError, ValueError):
            commit = ""
        if _COMMIT.fullmatch(commit):
            return commit if (snapshots / commit).is_dir() else None
    if not _SHORT_COMMIT.fullmatch(revision) or not snapshots.is_dir():
        return None
    matches = [entry.name for entry in snapshots.iterdir() if entry.name.startswith(revision)]
    return matches[0] if len(matches) == 1 else None


def blob_digest(path: Path) -> str | None:
    """The SHA-256 that the cache names a large file's blob by; None for anything else."""
    try:
        target = os.readlink(path)
    except OSError:
        return None
    name = os.path.basename(target)
    in_blobs = os.path.basename(os.path.dirname(target)) == "blobs"
    return name if in_blobs and re.fullmatch(r"[0-9a-f]{64}", name) else None
