"""What `doctor` looks at: versions, devices, folders and settings. Values of secrets are never read out."""

from __future__ import annotations

import os
import platform
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib import metadata
from pathlib import Path

from steerlang import __version__
from steerlang.diagnostics import Diagnostic, codes, error
from steerlang.diagnostics.codes import Severity

LIGHT = ("lark", "click", "PyYAML", "jsonschema", "rich")
HEAVY = ("torch", "transformers", "safetensors", "numpy", "scikit-learn")
SETTINGS = ("STEERLANG_CACHE_DIR", "STEERLANG_COLOR", "STEERLANG_OFFLINE", "HF_HOME", "HF_HUB_CACHE", "HF_HUB_OFFLINE",
            "NO_COLOR", "FORCE_COLOR")
SECRETS = ("HF_TOKEN",)


@dataclass(frozen=True)
class Fact:
    name: str
    value: str | int | bool | None


@dataclass
class Examination:
    """Facts by section, and what is wrong."""

    sections: dict[str, list[Fact]] = field(default_factory=dict)
    diagnostics: list[Diagnostic] = field(default_factory=list)


def examine(cache_dir: Path | None, environment: Mapping[str, str] = os.environ) -> Examination:
    found = Examination()
    found.sections["versions"] = _versions(found)
    found.sections["devices"] = _devices()
    found.sections["folders"] = _folders(cache_dir, found, environment)
    found.sections["settings"] = [
        *(Fact(name, environment.get(name)) for name in SETTINGS),
        *(Fact(name, "set" if environment.get(name) else None) for name in SECRETS),
    ]
    return found


def _version(package: str) -> str | None:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return None


def _versions(found: Examination) -> list[Fact]:
    missing = [p for p in HEAVY if _version(p) is None]
    if missing:
        found.diagnostics.append(Diagnostic(
            codes.MISSING_EXTRA, f"programs can be checked but not run: {', '.join(missing)} not installed",
            place="doctor", help=("install them with `pip install 'steerlang[run]'`",), level=Severity.NOTE,
        ))
    python = f"{platform.python_version()} ({sys.executable})"
    return [Fact("steerlang", __version__), Fact("python", python), Fact("system", platform.platform()),
            *(Fact(p, _version(p)) for p in (*LIGHT, *HEAVY))]


def _devices() -> list[Fact]:
    """What torch can run on. A torch that does not load is itself worth knowing."""
    facts = [Fact("cpus", os.cpu_count())]
    if _version("torch") is None:
        return facts
    try:
        import torch
    except Exception as e:  # a broken installation can raise anything
        return [*facts, Fact("torch", f"does not load: {type(e).__name__}")]
    facts.append(Fact("torch threads", torch.get_num_threads()))
    count = torch.cuda.device_count() if torch.cuda.is_available() else 0
    facts += [Fact(f"cuda:{i}", torch.cuda.get_device_name(i)) for i in range(count)]
    if not count:
        facts.append(Fact("cuda", False))
    return facts


def _folders(cache_dir: Path | None, found: Examination, environment: Mapping[str, str]) -> list[Fact]:
    from steerlang.engine.store import Store
    from steerlang.graph.facts.hub import hub_cache

    root = Store(cache_dir).root
    if not _can_write(root):
        found.diagnostics.append(error(
            codes.CACHE_UNUSABLE, None, f"results cannot be kept: `{root}` cannot be written", place=str(root),
            help="name another folder with `--cache-dir` or STEERLANG_CACHE_DIR",
        ))
    hub = hub_cache(environment)
    return [Fact("cache", str(root)), Fact("cache can be written", _can_write(root)),
            Fact("Hugging Face cache", str(hub)), Fact("Hugging Face cache exists", hub.is_dir())]


def _can_write(folder: Path) -> bool:
    """Whether files can be made in a folder, or the folder itself can. Nothing is written to find out."""
    for place in (folder, *folder.parents):
        if place.exists():
            return place.is_dir() and os.access(place, os.W_OK | os.X_OK)
    return False
