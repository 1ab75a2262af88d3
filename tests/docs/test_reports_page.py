"""The page about reports: its pictures are there and small, and each is one that the script takes."""

from __future__ import annotations

import re
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT / "docs"))

import screenshots  # noqa: E402

from steerlang.reports.html import SECTIONS  # noqa: E402

PAGE = (ROOT / "docs" / "reports.md").read_text(encoding="utf-8")


def test_pictures_are_those_of_the_script_and_small() -> None:
    shown = re.findall(r"!\[[^\]]+\]\(images/(\w+)\.png\)", PAGE)
    assert sorted(shown) == sorted(shot.name for shot in screenshots.SHOTS)
    for name in shown:
        assert (screenshots.IMAGES / f"{name}.png").stat().st_size <= screenshots.LARGEST


def test_every_section_is_described() -> None:
    rows = "\n".join(line for line in PAGE.splitlines() if line.startswith("| "))
    assert [name for name, _ in SECTIONS if name not in rows] == []


def test_parts_of_a_page_are_cut_out_whole() -> None:
    page = '<head></head>\n<body>\n<header>h</header>\n<nav></nav><main>\n<section id="s-a">1</section>'
    page += '\n<section id="s-b">2</section>\n</main></body>'
    part = screenshots.part_of(page, screenshots.Shot("x", "p", ("header", "b"), 1))
    assert part == '<head></head>\n<body><header>h</header>\n<nav></nav><section id="s-b">2</section></body></html>'


def test_without_a_browser_it_says_so(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(screenshots.shutil, "which", lambda _: None)
    assert screenshots.main([]) == 0
    assert "needs chromium" in capsys.readouterr().out
