"""A run's own board of concepts, on its page and as a picture."""

from __future__ import annotations

from pathlib import Path

from PIL import Image

from .tiny import program, run

TEXT = """
activations before  = capture(m, words, layers = 1)
activations after   = capture(other, words, layers = 1)
concepts    dict    = decompose(before, k = 2, seed = 0)
concepts    retuned = decompose(after, k = 2, seed = 0)
concepts    shifted = dict + shift(before, after, by = dict)
metric      meaning = ground_words([dict, shifted, retuned], on = m, top = 3)
metric      seen    = ground_samples([dict, shifted, retuned], top = 2)
metric      back    = recovery(shifted, from = dict, to = retuned)
report      page    = html(to = "out/page.html")
report      board   = concept_board(to = "out/board.png")
"""
HEAD = 'model other = hf("other")\n'


def test_a_run_draws_what_it_found(project: Path) -> None:
    done = run(project, HEAD + TEXT)
    assert sorted(p.name for p in done.artifacts) == ["board.png", "page.html"]
    text = (project / "out/page.html").read_text()
    assert 'id="s-concepts"' in text
    best = done["seen"]["dict"].table.records()[0]
    assert f"<li>{best['text']}</li>" in text
    assert all(word in text for word in done["meaning"]["shifted"].table.column("words")[0])
    with Image.open(project / "out/board.png") as image:
        assert image.info["Software"] == "steerlang"


def test_a_picture_of_other_making_stays(project: Path) -> None:
    path = project / "out/theirs.png"
    path.parent.mkdir(exist_ok=True)
    Image.new("RGB", (4, 4)).save(path)
    before = path.read_bytes()
    done = program(project, HEAD + TEXT.replace("board.png", "theirs.png")).run()
    assert [d.code.id for d in done.diagnostics if d.code.severity.value == "error"] == ["SL507"]
    assert path.read_bytes() == before


def test_nothing_to_draw_is_told(project: Path) -> None:
    done = program(project, 'metric x = distinct(generate(m, words))\nreport b = concept_board(to = "out/b.svg")').run()
    assert [d.code.id for d in done.diagnostics if d.code.severity.value == "error"] == ["SL585"]
