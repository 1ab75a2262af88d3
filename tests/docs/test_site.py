"""The docs site: it builds strictly, a broken link stops it, and its pages load nothing from other hosts."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT / "docs"))

pytest.importorskip("mkdocs", reason="the site needs steerlang[docs]")
pytest.importorskip("material", reason="the site needs steerlang[docs]")

import site_hooks  # noqa: E402

# What the site is made of, beside `docs/`: the programs and files that pages link to.
LEFT = shutil.ignore_patterns("*.py", "*.safetensors", "*.png", "*.jsonl", "tokenizer*.json", "out", "__pycache__")


def build(root: Path, target: Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "--site-dir", str(target)]
    own = {"PYTHONPATH": str(ROOT), "NO_MKDOCS_2_WARNING": "1", "NO_COLOR": "1"}
    return subprocess.run(command, cwd=root, env={**os.environ, **own}, capture_output=True, text=True, check=False)


class Page(HTMLParser):
    """What a page loads, what it links to, and the names of its places."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.loads: list[str] = []
        self.links: list[str] = []
        self.ids: set[str] = set()
        self.feed(path.read_text(encoding="utf-8"))

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attrs}
        if "id" in given:
            self.ids.add(given["id"])
        if tag in ("script", "img", "link", "iframe") and given.get("rel") != "canonical":
            self.loads += [given[name] for name in ("src", "href") if name in given]
        if tag == "a" and "href" in given:
            self.links.append(given["href"])


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    target = tmp_path_factory.mktemp("site")
    done = build(ROOT, target)
    assert done.returncode == 0, done.stderr
    return target


@pytest.mark.slow
def test_every_page_is_there(site: Path) -> None:
    pages = [p.relative_to(ROOT / "docs") for p in (ROOT / "docs").rglob("*.md")]
    built = {p: p.with_name("index.html") if p.name == "README.md" else p.with_suffix(".html") for p in pages}
    assert [str(p) for p, html in built.items() if not (site / html).exists()] == []


@pytest.mark.slow
def test_pages_lead_nowhere_else_and_load_nothing_from_elsewhere(site: Path) -> None:
    """Also what themes and hooks add: every file and place that a page of the site names is in the site."""
    pages = {path: Page(path) for path in site.rglob("*.html") if path.name != "404.html"}
    for path, page in pages.items():
        assert [a for a in page.loads if urlsplit(a).netloc] == [], path
        for address in page.links:
            parts = urlsplit(address)
            if parts.scheme or parts.netloc:
                continue
            target = (path.parent / unquote(parts.path)).resolve() if parts.path else path
            target = target / "index.html" if target.is_dir() else target
            assert target.exists(), f"{address} on {path.relative_to(site)}"
            if parts.fragment and target.suffix == ".html" and parts.fragment != "__skip":
                assert unquote(parts.fragment) in pages[target].ids, f"{address} on {path.relative_to(site)}"


@pytest.mark.slow
def test_programs_that_pages_link_to_are_pages(site: Path) -> None:
    page = (site / "repository" / "specs" / "methods" / "pca.steer.html").read_text(encoding="utf-8")
    assert "by_pairwise" in page
    assert "<!-- steer:" not in (site / "methods" / "pca.html").read_text(encoding="utf-8")


@pytest.mark.slow
def test_programs_are_highlighted(site: Path) -> None:
    pytest.importorskip("steerlang.highlighting")
    assert re.search(r'<span class="kd">vector</span>', (site / "index.html").read_text(encoding="utf-8"))


@pytest.mark.slow
def test_broken_links_and_anchors_stop_the_build(tmp_path: Path) -> None:
    for name in ("docs", "specs", "grammar", "editors", ".github"):
        shutil.copytree(ROOT / name, tmp_path / name, ignore=LEFT if name != "docs" else None)
    shutil.copy(ROOT / "mkdocs.yml", tmp_path)
    page = tmp_path / "docs" / "inspect.md"
    broken = "\n[a](none.md) [b](language.md#none) [c](../specs/none.steer)\n"
    page.write_text(page.read_text(encoding="utf-8") + broken, encoding="utf-8")
    done = build(tmp_path, tmp_path / "site")
    assert done.returncode == 1
    told = [line for line in done.stderr.splitlines() if line.startswith("WARNING")]
    assert [bool(re.search(r"inspect\.md.*none", line)) for line in told] == [True] * 3, done.stderr


def test_links_out_of_the_docs_lead_into_the_site() -> None:
    def linked(text: str, page: str) -> str:
        return site_hooks._relinked(text, (ROOT / "docs" / page).parent, page)

    program = "[p](../../specs/methods/pca.steer#x)"
    assert linked(program, "methods/pca.md") == "[p](../repository/specs/methods/pca.steer.md#x)"
    assert linked("[g](../grammar/steerlang.lark)", "language.md") == "[g](repository/grammar/steerlang.lark.md)"
    assert linked("[m](../.github/problem-matcher.json)", "ci.md") == "[m](repository/github/problem-matcher.json)"
    assert linked("[e](../editors/vscode)", "editors.md") == "[e](repository/editors/vscode/README.md)"
    for same in ("[l](language.md#sites)", "[h](#here)", "[w](https://arxiv.org/abs/1)", "[n](../none.steer)"):
        assert linked(same, "yaml.md") == same


def test_bars_in_code_in_cells() -> None:
    html = r"<code>a\|b</code> <table><tr><td><code>a\|b</code></td></tr></table>"
    expected = r"<code>a\|b</code> <table><tr><td><code>a|b</code></td></tr></table>"
    assert site_hooks.on_page_content(html, None, None, None) == expected


def test_codes_link_to_their_pages() -> None:
    text = "`SL201`, [`SL201`](x), `SL999`"
    assert site_hooks._codes(text, "methods/pca.md") == "[`SL201`](../errors/SL201.md), [`SL201`](x), `SL999`"
    assert site_hooks._codes("`SL201`", "errors/SL201.md") == "`SL201`"


def test_fences_stay_as_they_are() -> None:
    text = "[a](b)\n```text\n[a](b)\n```\n[a](b)\n"
    assert site_hooks._outside_fences(text, lambda t: t.replace("b", "c")) == "[a](c)\n```text\n[a](b)\n```\n[a](c)\n"
