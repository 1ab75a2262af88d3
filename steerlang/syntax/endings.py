"""The form of a program: the name of its file says it, and where there is no file, its first words do."""

from __future__ import annotations

import re

#: What the names of programs end in, and the form each says.
PROGRAM_ENDINGS = (".steer", ".steer.yaml", ".steer.yml", ".steer.json")
_FORMS = {".yaml": "yaml", ".yml": "yaml", ".json": "json"}
# What stands before the first word, in a program and in YAML: blanks, comments, the start of a document.
_BEFORE = re.compile(r"(?:\s+|#[^\n]*|---(?=\s)|%[^\n]*)*")
_KEY = re.compile(r"""(?:"\w+"|'\w+'|\w+)[ \t]*:(?=\s|$)""")


def form_of(name: str) -> str:
    """`yaml`, `json`, or `steer` for every other name."""
    return next((form for ending, form in _FORMS.items() if name.endswith(ending)), "steer")


def form_in(text: str) -> str:
    """The form of a text without a name: `json` where it begins with a brace, `yaml` with a key, else `steer`."""
    start = _BEFORE.match(text)
    rest = text[start.end() :] if start else text
    if rest.startswith("{"):
        return "json"
    return "yaml" if _KEY.match(rest) else "steer"
