"""The form of a program, which the name of its file says."""

from __future__ import annotations

#: What the names of programs end in, and the form each says.
PROGRAM_ENDINGS = (".steer", ".steer.yaml", ".steer.yml", ".steer.json")
_FORMS = {".yaml": "yaml", ".yml": "yaml", ".json": "json"}


def form_of(name: str) -> str:
    """`yaml`, `json`, or `steer` for every other name."""
    return next((form for ending, form in _FORMS.items() if name.endswith(ending)), "steer")
