"""Addresses of pages: on a site where the client names one, else of files that lie on this machine."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from steerlang.diagnostics.codes import Code

_DOCS = Path(__file__).parents[2] / "docs"
_PACKED = Path(__file__).parents[1] / "_errors"


@dataclass(frozen=True)
class Links:
    """`site` is an address with `{page}` in it, such as `https://docs.example.org/{page}.html`; empty: local files."""

    site: str = ""

    def code(self, code: Code) -> str:
        """The page of a code; empty where there is none."""
        if self.site:
            return self.site.replace("{page}", f"errors/{code.id}")
        beside = (folder / f"{code.id}.md" for folder in (_PACKED, _DOCS / "errors"))
        return next((p.as_uri() for p in beside if p.is_file()), "")

    def function(self, name: str) -> str:
        """The section of a function in the reference; empty where there is none."""
        if self.site:
            return f"{self.site.replace('{page}', 'functions')}#{name}"
        page = _DOCS / "functions.md"
        return f"{page.as_uri()}#{name}" if page.is_file() else ""
