"""What the docs site does beyond the pages as they stand: called by MkDocs (`hooks` in `mkdocs.yml`).

Pages are written for a forge, where a link may lead out of `docs/`: to a program, a grammar, a README beside a model.
Such files become part of the site, programs as pages of their own, so that no link leaves it or breaks.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterator
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from mkdocs.structure.files import File

DOCS = Path(__file__).resolve().parent
ROOT = DOCS.parent
FOLDERS = ("methods", "guides")  # whose pages stand under the tab of their name
LEFT_OUT = {"node_modules", "__pycache__", "build"}  # of what a folder holds
BESIDE = "repository"  # where files from outside `docs/` lie in the site

_FENCED = re.compile(r"^( *)(```+|~~~+).*?^\1\2\s*$", re.MULTILINE | re.DOTALL)
_SAID = re.compile(r"^<!-- \w+: .* -->\n", re.MULTILINE)  # what tests read; see blocks.py
_LINK = re.compile(r"(?<=\]\()([^)\s]+)(?=\))")
_CODE = re.compile(r"(?<!\[)`(SL\d{3})`(?!\])")
_CELL = re.compile(r"<(td|th)\b.*?</\1>", re.DOTALL)
_ADDRESS = re.compile(r"[a-z]+:|#|//")
# Shown as pages, as code of this language.
_SHOWN = {".steer": "steer", ".lark": "text", ".yml": "yaml", ".toml": "toml", ".lua": "lua", ".el": "emacs-lisp"}


def on_config(config: Any) -> Any:
    """Programs are highlighted where the package has a lexer for them, and every page of a folder has a place."""
    register_lexer()
    for tab in config.nav or []:
        for title, entries in tab.items():
            if title.lower() in FOLDERS:
                entries += _left_out(title.lower(), str(entries))
    return config


def _left_out(folder: str, named: str) -> list[str]:
    """The pages of a folder that the navigation does not name."""
    pages = sorted(p.relative_to(DOCS).as_posix() for p in (DOCS / folder).glob("*.md"))
    return [page for page in pages if f"'{page}'" not in named]


def on_files(files: Any, config: Any) -> Any:
    """Adds what pages link to outside `docs/`, and what that links to."""
    waiting = [DOCS / f.src_uri for f in files.documentation_pages()]
    seen: set[Path] = set()
    while waiting:
        page = waiting.pop()
        for target in sorted(set(_targets(page.read_text(encoding="utf-8"), page.parent))):
            if target in seen or not _outside(target):
                continue
            seen.add(target)
            files.append(_generated(target, config))
            text = _text_of(target)
            if text.suffix == ".md" and text.exists():
                waiting.append(text)
    return files


def on_page_markdown(text: str, page: Any, config: Any, files: Any) -> str:
    """The text without what is said to tests, its links as they are in the site."""
    uri = page.file.src_uri
    text = f"{text}\n[All messages](../errors.md)\n" if uri.startswith("errors/") else text
    place = ROOT / Path(uri).relative_to(BESIDE) if uri.startswith(f"{BESIDE}/") else DOCS / uri
    return _outside_fences(_SAID.sub("", text), lambda part: _codes(_relinked(part, place.parent, uri), uri))


def on_page_content(html: str, page: Any, config: Any, files: Any) -> str:
    """In a cell `\\|` is a bar, in code as well: forges see it so, Python-Markdown does not."""
    return _CELL.sub(lambda cell: cell.group().replace("\\|", "|"), html)


def _targets(text: str, folder: Path) -> Iterator[Path]:
    """The files that a page links to."""
    for link in _LINK.findall(_FENCED.sub("", text)):
        if not _ADDRESS.match(link):
            yield (folder / link.partition("#")[0]).resolve()


def _outside(target: Path) -> bool:
    return target.exists() and ROOT in target.parents and DOCS not in (target, *target.parents)


def _text_of(target: Path) -> Path:
    """The file whose text stands for a target: of a folder its README."""
    return target / "README.md" if target.is_dir() else target


def uri_of(target: Path) -> str:
    """Where a file of the repository lies in the site."""
    if DOCS in target.parents:
        return target.relative_to(DOCS).as_posix()
    name = f"{BESIDE}/{target.relative_to(ROOT).as_posix()}".replace("/.", "/")  # hidden files are left out of sites
    if target.is_dir():
        return f"{name}/README.md"
    return f"{name}.md" if target.suffix in _SHOWN else name


def _generated(target: Path, config: Any) -> File:
    uri = uri_of(target)
    if target.suffix in _SHOWN:
        content = f"# {target.relative_to(ROOT).as_posix()}\n\n{fenced(target)}"
        return File.generated(config, uri, content=content)
    if target.is_dir():
        return File.generated(config, uri, content=_folder_page(target))
    return File.generated(config, uri, abs_src_path=str(target))


def _folder_page(folder: Path) -> str:
    """The README of a folder, or else the names of its files."""
    readme = _text_of(folder)
    if readme.exists():
        return readme.read_text(encoding="utf-8")
    shown = (p for p in sorted(folder.rglob("*")) if p.is_file() and not LEFT_OUT & set(p.parts))
    names = [f"- `{p.relative_to(folder).as_posix()}`" for p in shown]
    return "\n".join([f"# {folder.relative_to(ROOT).as_posix()}", "", *names, ""])


def fenced(target: Path) -> str:
    text = target.read_text(encoding="utf-8")
    return f"~~~~{_SHOWN[target.suffix]}\n{text.rstrip()}\n~~~~\n"


def _outside_fences(text: str, change: Callable[[str], str]) -> str:
    parts: list[str] = []
    at = 0
    for fence in _FENCED.finditer(text):
        parts += [change(text[at : fence.start()]), fence.group()]
        at = fence.end()
    return "".join([*parts, change(text[at:])])


def _relinked(text: str, folder: Path, uri: str) -> str:
    def link(match: re.Match[str]) -> str:
        path, hash, anchor = match.group().partition("#")
        target = (folder / path).resolve()
        known = target.is_file() or _outside(target)
        if _ADDRESS.match(match.group()) or ROOT not in target.parents or not known:
            return match.group()
        return os.path.relpath(uri_of(target), os.path.dirname(uri) or ".") + hash + anchor

    return _LINK.sub(link, text)


def _codes(text: str, uri: str) -> str:
    """Codes of messages link to their pages."""

    def link(match: re.Match[str]) -> str:
        page = f"errors/{match.group(1)}.md"
        there = uri != page and (DOCS / page).is_file()
        return f"[{match.group()}]({os.path.relpath(page, os.path.dirname(uri) or '.')})" if there else match.group()

    return _CODE.sub(link, text)


LEXER = "steerlang.highlighting.pygments_lexer"


def register_lexer() -> None:
    """Makes Pygments know `steer` where an older installation of the package does not name its lexer."""
    from pygments.lexers import LEXERS, _lexer_cache, get_lexer_by_name
    from pygments.util import ClassNotFound

    try:
        get_lexer_by_name("steer")
    except ClassNotFound:
        if find_spec("steerlang.highlighting") is not None:
            found = import_module(LEXER).SteerLexer
            names = (found.name, tuple(found.aliases), tuple(found.filenames), tuple(found.mimetypes))
            LEXERS[found.__name__] = (LEXER, *names)
            _lexer_cache[found.name] = found
