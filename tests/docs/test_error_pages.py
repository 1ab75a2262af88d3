"""The pages that explain codes: one each, and their programs give what they say."""

from __future__ import annotations

import re
import sys
from pathlib import Path

import pytest

from steerlang import api
from steerlang.diagnostics.codes import Code, Severity, all_codes
from steerlang.diagnostics.pages import code_called, page_of

ROOT = Path(__file__).parents[2]
PAGES = ROOT / "docs" / "errors"
sys.path.insert(0, str(ROOT / "docs"))

import blocks as page_blocks  # noqa: E402

WITH_PROGRAMS = {
    path.stem: found
    for path in sorted(PAGES.glob("SL*.md"))
    if (found := [b for b in page_blocks.blocks(path) if b.language == "steer"])
}
RUNNING = ("SL803",)  # its program is right, and what it expects is not


def told(program: str) -> list[tuple[str, Severity]]:
    return [(d.code.id, d.severity) for d in api.check_text(program, folder=ROOT / "specs").diagnostics]


def test_every_code_has_a_page_and_every_page_a_code() -> None:
    assert sorted(p.stem for p in PAGES.glob("*.md")) == list(all_codes())


@pytest.mark.parametrize("code", all_codes().values(), ids=lambda c: c.id)
def test_pages_are_of_one_form(code: Code) -> None:
    text = (PAGES / f"{code.id}.md").read_text(encoding="utf-8")
    heads = re.findall(r"^#+ (.*)$", re.sub(r"```.*?```", "", text, flags=re.DOTALL), re.MULTILINE)
    assert heads[0] == f"{code.id}: {code.slug}"
    assert f"**{code.severity.value.capitalize()}**: {code.summary}." in text
    assert heads[-1] == "How to mend"
    if code.id not in WITH_PROGRAMS:
        assert "No program alone gives it here." in text
    assert page_of(code).text == re.sub(r"(?m)^<!-- steer: .* -->\n", "", text)


@pytest.mark.parametrize("id", WITH_PROGRAMS)
def test_the_failing_program_gives_the_code_and_the_mended_one_none(id: str) -> None:
    failing, mended = WITH_PROGRAMS[id]
    severe = {(code, s) for code, s in told(failing.program) if s is not Severity.NOTE or code == id}
    assert {code for code, _ in severe} == (set() if id in RUNNING else {id})
    assert [(code, s) for code, s in told(mended.program) if s is not Severity.NOTE or code == id] == []


def test_most_codes_of_checking_have_a_program() -> None:
    """Those that come up in programs alone; the pages of the others say where they come from."""
    assert len(WITH_PROGRAMS) >= 75


def test_the_failing_expectation_fails(tmp_path: Path) -> None:
    path = tmp_path / "page.steer"
    for block, holds in zip(WITH_PROGRAMS["SL803"], (False, True), strict=True):
        path.write_text(block.program, encoding="utf-8")
        run = api.load(path, settings=api.Settings(cache_dir=tmp_path / "cache")).run()
        assert [e.holds for e in run.expectations] == [holds]
        assert [d.code.id for d in run.diagnostics] == ([] if holds else ["SL803"])


def test_words_for_codes() -> None:
    assert code_called("sl201") is code_called("unknown-name") is all_codes()["SL201"]
    assert code_called("SL000") is None
