"""Pages of real runs: everything the program defines is on them, and they hold together."""

from __future__ import annotations

import re
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
from operations.tiny import HEAD, program

from steerlang.api import Settings, load
from steerlang.api.backgrounds import background_of
from steerlang.api.lock_writing import write_lock
from steerlang.api.results import Run
from steerlang.reports.gathering import gather

TEXT = """param strength = number(default = 1.5, help = "how much <b>")
sweep s = [0.0, 1.0]
vector chance = random_like(v, seed = 1, count = 4)
model kind    = apply(m, add(v, scale = s * strength))
model jolted  = apply(m, add(chance, scale = s * strength))
samples out   = generate(kind, words, max_new_tokens = 4)
# how varied 宽 it is
metric effect  = distinct(out)
metric control = distinct(generate(jolted, words, max_new_tokens = 4))
metric asked   = distinct(generate(prompted(m, "please"), words, max_new_tokens = 4))
metric rise    = effect[s = 1.0] - effect[s = 0.0]
expect fine    = effect >= 0
expect never   = rise > 2
report page    = html(to = "page.html", title = "A <title>")
"""


class Parsed(HTMLParser):
    """Ids, links and texts of a page; fails on tags that are not closed in order."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.ids: list[str] = []
        self.links: list[str] = []
        self.texts: list[str] = []
        self.feed(text)
        assert not self.open

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.ids += [v or "" for n, v in attrs if n == "id"]
        self.links += [v or "" for n, v in attrs if n in ("href", "src")]
        if tag not in ("meta", "br"):
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.texts.append(data)


@pytest.fixture(scope="module")
def done(project: Path) -> Run:
    result = program(project, TEXT).run()
    assert result.outcome == "done", result.diagnostics
    return result


def page_of(project: Path) -> str:
    return (project / "page.html").read_text(encoding="utf-8")


def test_every_definition_is_on_the_page(done: Run, project: Path) -> None:
    found = Parsed(page_of(project))
    assert len(found.ids) == len(set(found.ids))
    assert all(link.startswith("#") for link in found.links)
    assert {link[1:] for link in found.links} <= set(found.ids)
    own = [s for s in done.program.compiled.module.symbols.values() if s.kind != "import"]
    assert {f"d-{s.name}" for s in own} <= set(found.ids)
    shown = [s.name for s in own if s.kind in ("metric", "samples", "vector", "expect")]
    assert {f"r-{name}" for name in shown} <= set(found.ids)
    text = "".join(found.texts)
    for words in ("A <title>", "how much <b>", "how varied 宽 it is", "how varied the replies are",
                  "effect[s = 1.0] - effect[s = 0.0]", "scale of add", "no lock file", "parameter strength",
                  "seed of random_like1..4"):  # fmt: skip
        assert words in text, words


def test_rows_know_what_they_are(done: Run) -> None:
    tables = {t.name: t for t in gather(done).metrics}
    roles = {n: [r.origin.role if r.origin else None for r in t.rows] for n, t in tables.items()}
    assert roles["effect"] == ["unsteered", "steered"]
    assert roles["control"] == ["unsteered", "random"] * 4
    assert roles["asked"] == ["prompted"]
    assert roles["rise"] == [None]
    effect, asked = tables["effect"], tables["asked"]
    assert effect.unit == "share of n-grams"
    assert effect.means == {"s": "scale of add"}
    assert effect.rows[0].gain is None
    assert effect.rows[1].gain is not None
    assert effect.rows[1].gain.value == pytest.approx(done["effect"][1.0].value - done["effect"][0.0].value)
    assert asked.rows[0].gain is not None
    assert tables["control"].axes == ("direction", "s")


def test_the_chart_has_band_and_levels(done: Run, project: Path) -> None:
    drawn = re.search(r'aria-label="effect over s">.*?</svg>', page_of(project), re.DOTALL)
    assert drawn is not None
    for part in ('class="band random"', 'class="line random"', 'class="line told"', 'class="line base"'):
        assert part in drawn[0], part
    assert "drawn beside" in page_of(project)


def test_what_ran_is_told_with_its_reasons(done: Run, project: Path) -> None:
    states = {(c.definition, c.state, c.why) for c in background_of(done).carried}
    assert ("effect", "run", "new") in states
    again = program(project, TEXT.replace("= 1.5, help", "= 2.5, help")).run()
    told = [c for c in background_of(again).carried if c.state == "run"]
    assert any("actions.scales" in c.why for c in told)
    assert {c.state for c in background_of(again).carried} == {"run", "reused"}
    assert sum(c.count for c in told) == len(again.results.made)
    third = program(project, TEXT.replace("= 1.5, help", "= 2.5, help")).run()
    assert {c.state for c in background_of(third).carried} == {"reused"}
    assert "Nothing ran: every result was there." in page_of(project)


def test_inputs_and_lock(done: Run, project: Path, tmp_path: Path) -> None:
    about = background_of(done)
    assert [(i.kind, i.name) for i in about.inputs] == [
        ("model", "m"), ("data", "pairs.jsonl"), ("data", "prompts.txt"),
    ]  # fmt: skip
    assert all(len(i.digest) == 64 for i in about.inputs)
    path = project / "locked.steer"
    path.write_text(HEAD + "metric d = distinct(generate(m, words, max_new_tokens = 2))\n")
    settings = Settings(cache_dir=tmp_path, device="cpu")
    assert write_lock(path, settings=settings).ok
    assert "all 3 inputs are as in" in background_of(load(path, settings=settings).run()).lock
    locked = Settings(cache_dir=tmp_path, device="cpu", locked=True)
    assert "--locked" in background_of(load(path, settings=locked).run()).lock
    lock = path.with_name("locked.steer.lock")
    lock.write_text(re.sub(r"sha256: [0-9a-f]{8}", "sha256: 00000000", lock.read_text(), count=1))
    assert "differs from" in background_of(load(path, settings=settings).run()).lock


def test_a_run_that_fails_halfway_has_a_page(project: Path, tmp_path: Path) -> None:
    text = """samples good = generate(m, words, max_new_tokens = 2)
metric fine = distinct(good)
vector late = extract(m, pairs, tokens = at("zzz"))
metric gone = distinct(generate(apply(m, add(late)), words, max_new_tokens = 2))
expect enough = gone > 0.5
export file = vector_file(v, to = "out.safetensors")
report page = html(to = "failed.html")
"""
    (project / "failed.html").unlink(missing_ok=True)
    run = program(project, text, cache=tmp_path).run(keep_going=True)
    assert run.outcome == "failed"
    found = Parsed((project / "failed.html").read_text(encoding="utf-8"))
    shown = "".join(found.texts)
    assert "This run failed" in shown
    assert "SL807" in shown
    assert "not judged" in shown
    assert {"r-fine", "r-good"} <= set(found.ids)
    assert "r-gone" not in found.ids
    assert not (project / "out.safetensors").exists()  # nothing but the report is written
    assert run.artifacts == [project / "failed.html"]


def test_models_may_say_anything(project: Path, tmp_path: Path) -> None:
    (project / "odd.txt").write_text('</script><script>alert(1)</script>\n<!-- & "quoted" \'\n\u202e turned\n')
    text = 'samples x = generate(m, lines("odd.txt"), max_new_tokens = 2)\nreport page = html(to = "odd.html")\n'
    assert program(project, text, cache=tmp_path).run().outcome == "done"
    page = (project / "odd.html").read_text(encoding="utf-8")
    assert "<script" not in page
    shown = "".join(Parsed(page).texts)
    assert "</script><script>alert(1)</script>" in shown
    assert "<!-- & \"quoted\" '" in shown


@pytest.mark.parametrize(
    ("call", "message"),
    [
        ("random_like(v, count = 0)", "SL401"),
        ("random_like(v, seed = n, count = 3)", "SL302"),
        ("random_like(v, count = n)", "SL302"),
    ],
)
def test_counts_of_random_directions_that_make_no_sense(project: Path, call: str, message: str) -> None:
    from steerlang.api import check_text

    found: Any = check_text(f"{HEAD}sweep n = [1, 2]\nvector r = {call}\n", folder=project)
    assert [d.code.id for d in found.diagnostics if d.is_error] == [message]


def test_several_random_directions_are_those_of_a_sweep_over_seeds(project: Path) -> None:
    text = """sweep r = [3, 4]
vector one = random_like(v, seed = r, orthogonal = true)
vector all = random_like(v, seed = 3, count = 2, orthogonal = true)
metric high = random_high(distinct(generate(apply(m, add(all)), words, max_new_tokens = 2)))
metric third = distinct(generate(apply(m, add(all)), words, max_new_tokens = 2))[direction = 4]
"""
    tables = program(project, text).compiled.tables
    assert [a.name for a in tables["all"].axes] == ["direction"]
    assert [c.labels for c in tables["all"].cells] == [(3,), (4,)]
    assert [c.value.node.key for c in tables["one"].cells] == [c.value.node.key for c in tables["all"].cells]
    assert not tables["high"].axes
    assert not tables["third"].axes
