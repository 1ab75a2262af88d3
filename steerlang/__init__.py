"""steerlang: a declarative language for steering models."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from steerlang.api import Program, Settings, SteerlangError, check, check_text, load

__version__ = "0.1.0"
__all__ = ["Program", "Settings", "SteerlangError", "__version__", "check", "check_text", "load"]


def __getattr__(name: str) -> Any:
    """The public names, imported on first use: `import steerlang.source` alone stays light."""
    if name in __all__:
        from steerlang import api

        return getattr(api, name)
    raise AttributeError(f"module 'steerlang' has no attribute {name!r}")
