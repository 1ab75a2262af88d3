"""Pages of stored results: nothing is run, what is missing is said."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
from operations.tiny import program

from steerlang.api import SteerlangError
from steerlang.api.remaking import remake

TEXT = """samples x = generate(m, words, max_new_tokens = 3)
metric d = distinct(x)
metric e = distinct(generate(apply(m, add(v)), words, max_new_tokens = 3))
expect fine = d >= 0
"""
REPORT = 'report page = html(to = "remade.html")\n'


def test_a_page_of_everything_is_that_of_the_run(project: Path, tmp_path: Path) -> None:
    loaded = program(project, TEXT + REPORT, cache=tmp_path)
    run = loaded.run()
    (path,) = run.artifacts
    path.unlink()
    found = remake(loaded)
    assert found.paths == (path,)
    assert (found.missing, found.diagnostics) == (0, ())
    text = path.read_text(encoding="utf-8")
    assert "1 of 1 expectations hold" in text
    assert "0 run" in text
    assert 'id="r-e"' in text
    assert "Nothing ran: every result was there." in text


def test_a_program_without_a_report_gets_one(project: Path, tmp_path: Path) -> None:
    loaded = program(project, TEXT, cache=tmp_path)
    loaded.run()  # what the expectation needs, and nothing else
    page = tmp_path / "some" / "page.html"
    found = remake(loaded, page)
    assert found.paths == (page,)
    assert found.missing > 0
    assert [d.code.id for d in found.diagnostics] == ["SL840"]
    text = page.read_text(encoding="utf-8")
    assert 'id="r-d"' in text
    assert 'id="r-e"' not in text
    assert f"{found.missing} skipped" in text
    assert "SL840" in text


def test_nothing_is_run(project: Path, tmp_path: Path) -> None:
    loaded = program(project, TEXT + REPORT, cache=tmp_path)
    page = tmp_path / "page.html"
    found = remake(loaded, page)
    assert found.missing > 5
    assert not list(tmp_path.rglob("record.json"))
    assert "not judged" in page.read_text(encoding="utf-8")


def test_places_that_cannot_be(project: Path, tmp_path: Path) -> None:
    loaded = program(project, TEXT, cache=tmp_path)
    with pytest.raises(SteerlangError, match="SL631"):
        remake(loaded)
    mine = tmp_path / "mine.html"
    mine.write_text("written by hand")
    with pytest.raises(SteerlangError, match="SL507"):
        remake(loaded, mine)
    assert mine.read_text() == "written by hand"
    with pytest.raises(SteerlangError, match="SL806"):
        remake(loaded, mine / "below.html")


def test_it_needs_no_torch(project: Path, tmp_path: Path) -> None:
    import subprocess

    path = project / "light.steer"
    path.write_text('steerlang 1\nmodel m = hf("m")\nmetric d = distinct(generate(m, lines("prompts.txt")))\n')
    command = [sys.executable, "-X", "importtime", "-m", "steerlang", "report", str(path), "--to", "p.html",
               "--cache-dir", str(tmp_path)]  # fmt: skip
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-500:]
    assert (tmp_path / "p.html").is_file()
    assert " torch\n" not in done.stderr
    assert " transformers\n" not in done.stderr
