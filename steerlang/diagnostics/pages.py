"""The pages that explain codes, `docs/errors/SL….md`: what is wrong, a program that shows it, and how to mend it."""

from __future__ import annotations

import re
from dataclasses import dataclass
from importlib import resources
from pathlib import Path

from .codes import Code, all_codes

_COMMENT = re.compile(r"^<!--.*-->\n", re.MULTILINE)  # what tests read
_PACKED = "_errors"  # where the pages lie in a wheel


@dataclass(frozen=True, slots=True)
class Page:
    code: Code
    text: str


def code_called(word: str) -> Code | None:
    """The code with this id (`SL201`, `sl201`) or name (`unknown-name`)."""
    codes = all_codes()
    if word.upper() in codes:
        return codes[word.upper()]
    return next((c for c in codes.values() if c.slug == word.lower()), None)


def page_of(code: Code) -> Page:
    """The page of a code; where the installation lacks it, its summary alone."""
    name = f"{code.id}.md"
    packed = resources.files("steerlang").joinpath(_PACKED).joinpath(name)
    beside = Path(__file__).parents[2] / "docs" / "errors" / name
    for place in (packed, beside):
        if place.is_file():
            return Page(code, _COMMENT.sub("", place.read_text(encoding="utf-8")))
    return Page(code, f"# {code.id}: {code.slug}\n\n{code.summary}.\n")
