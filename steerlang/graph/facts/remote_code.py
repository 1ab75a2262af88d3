"""Models that bring code of their own."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path

from steerlang.diagnostics import codes

from .promise import Trouble

_TYPE_TABLES = ("configuration_auto.py", "auto_mappings.py")


def is_built_in(model_type: str) -> bool | None:
    """Whether the installed transformers knows the type itself; None where it is not installed. It is not imported:
    its table of types is read as text."""
    try:
        spec = find_spec("transformers")
    except (ImportError, ValueError):
        return None
    if spec is None or spec.origin is None:
        return None
    folder = Path(spec.origin).parent / "models" / "auto"
    quoted = f'"{model_type}"'
    for table in _TYPE_TABLES:
        try:
            if quoted in (folder / table).read_text(encoding="utf-8"):
                return True
        except OSError:
            continue
    return False


def refuse_code(name: str, model_type: str, path: Path) -> Trouble:
    """A model that cannot be loaded without running code from its folder."""
    return Trouble(
        codes.REMOTE_CODE,
        f"`{name}` asks to run code of its own: `config.json` has an `auto_map`, and transformers does not know "
        f"`{model_type}`",
        ("read that code, then allow it on the command line; a program cannot allow it",),
        place=str(path),
    )
