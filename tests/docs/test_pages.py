"""What stands on the pages is true: programs check and run, messages come as shown, links lead somewhere."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from steerlang import Settings, SteerlangError, api
from steerlang.diagnostics import Diagnostic
from steerlang.source import Source
from steerlang.syntax import parse
from steerlang.syntax.printing import format_source

ROOT = Path(__file__).parents[2]
SPECS = ROOT / "specs"
sys.path.insert(0, str(ROOT / "docs"))

import blocks as page_blocks  # noqa: E402
import generate  # noqa: E402
import outputs  # noqa: E402

PROGRAMS = [b for p in page_blocks.pages() for b in page_blocks.blocks(p) if b.language == "steer"]
RUNNING = [pytest.param(b, marks=[pytest.mark.slow] if "slow" in b.said else []) for b in PROGRAMS if "run" in b.said]
PYTHON_PAGES = [p for p in page_blocks.pages() if any(b.language == "python" for b in page_blocks.blocks(p))]
ROOMS = (SPECS, SPECS / "methods", SPECS / "weights", SPECS / "concepts")
SPEC_FILES = sorted(p for room in ROOMS for p in room.glob("*.steer"))
HAS_MODEL = all((SPECS / "models" / n / "model.safetensors").exists() for n in ("courtesy", "courtesy-formal"))

needs_model = pytest.mark.skipif(not HAS_MODEL, reason="the models of specs/models are not here")


@pytest.fixture(scope="session")
def work(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the programs, data and model, in which examples may write."""
    return outputs.copy_of_specs(tmp_path_factory.mktemp("pages") / "specs")


@pytest.fixture(scope="session")
def settings(tmp_path_factory: pytest.TempPathFactory) -> Settings:
    return Settings(cache_dir=tmp_path_factory.mktemp("cache"), device="cpu", threads=1, offline=True)


def found(diagnostics: tuple[Diagnostic, ...], severity: str) -> list[str]:
    return sorted({d.code.id for d in diagnostics if d.severity.value == severity})


@pytest.mark.parametrize("block", PROGRAMS, ids=str)
def test_programs_check_as_the_page_says(block: page_blocks.Block) -> None:
    if "later" in block.said:
        assert not parse(Source(str(block), block.text))[1]
        return
    if "same" in block.said:
        assert block.text == (ROOT / block.said["same"][0]).read_text(encoding="utf-8")
    folder = _folder_of(block)
    diagnostics = api.check_text(block.program, folder=folder).diagnostics
    assert found(diagnostics, "error") == sorted(block.said.get("errors", ())), [d.message for d in diagnostics]
    if "part" not in block.said and "errors" not in block.said:
        assert found(diagnostics, "warning") == sorted(block.said.get("warnings", ()))


def _folder_of(block: page_blocks.Block) -> Path:
    """Where a program's paths start: its own folder, for the text of a file."""
    if "same" in block.said:
        return (ROOT / block.said["same"][0]).parent
    return SPECS / "methods" if '"../' in block.text else SPECS


@needs_model
@pytest.mark.parametrize("block", RUNNING, ids=str)
def test_programs_run(block: page_blocks.Block, work: Path, settings: Settings) -> None:
    folder = work / "methods" if '"../' in block.text else work
    path = folder / block.said.get("file", ("page.steer",))[0]
    path.write_text(block.text, encoding="utf-8")
    run = api.load(path, settings=settings).run()
    assert run.outcome == "done", [d.message for d in run.diagnostics]
    assert all(e.holds for e in run.expectations), [(e.label, e.numbers) for e in run.expectations]


@needs_model
@pytest.mark.parametrize("page", PYTHON_PAGES, ids=lambda p: p.stem)
def test_python_runs(page: Path, work: Path, settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(work)
    monkeypatch.setenv("STEERLANG_CACHE_DIR", str(settings.cache_dir))
    names: dict[str, object] = {}
    for block in page_blocks.blocks(page):
        if "file" in block.said:
            (work / block.said["file"][0]).write_text(block.text, encoding="utf-8")
        if block.language == "python" and "run" in block.said:
            exec(compile(block.text, str(block), "exec"), names)


@pytest.mark.parametrize("path", SPEC_FILES, ids=lambda p: str(p.relative_to(SPECS)))
def test_specs_check(path: Path) -> None:
    diagnostics = api.check(path).diagnostics
    assert found(diagnostics, "error") == [], [d.message for d in diagnostics]


@needs_model
@pytest.mark.slow
@pytest.mark.parametrize("path", SPEC_FILES, ids=lambda p: str(p.relative_to(SPECS)))
def test_specs_run_and_hold(path: Path, work: Path, settings: Settings) -> None:
    run = api.load(work / path.relative_to(SPECS), settings=settings).run()
    assert run.outcome == "done", [d.message for d in run.diagnostics]
    assert [(e.label, e.numbers) for e in run.expectations if not e.holds] == []


def test_every_method_has_a_program_that_names_it() -> None:
    """What reads, steers and measures states occurs in a spec, with all its methods."""
    text = "\n".join(p.read_text(encoding="utf-8") for p in SPEC_FILES)
    steering = ("learning", "extraction", "files", "algebra", "steering", "generation", "metrics", "controls")
    families = (*steering, "classifying", "concepts", "weights", "composition", "blocks")
    functions = [f for f in generate.registry().functions.values() if f.family in families]
    names = [f.name for f in functions]
    names += [m.name for f in functions for p in f.all_parameters for m in getattr(p.type, "methods", ())]
    # `v[8..16]` is `restrict`, `dict[3]` is `concept_at`; `greedy` is the default; no model here classifies texts
    otherwise = {"capture", "restrict", "greedy", "sample", "concept_at", "classifier_rate"}
    assert [n for n in names if n not in otherwise and not re.search(rf"\b{n}\b", text)] == []


def test_generated_pages_are_current() -> None:
    assert generate.outdated() == [], "run docs/generate.py"


def links(page: Path) -> Iterator[str]:
    text = re.sub(r"```.*?```", "", page.read_text(encoding="utf-8"), flags=re.DOTALL)
    for target in re.findall(r"\]\(([^)\s]+)\)", text):
        if not re.match(r"[a-z]+:", target):
            yield target


@pytest.mark.parametrize("page", page_blocks.pages(), ids=lambda p: str(p.relative_to(ROOT)))
def test_links_lead_somewhere(page: Path) -> None:
    for target in links(page):
        path, _, anchor = target.partition("#")
        file = (page.parent / path).resolve() if path else page
        assert file.exists(), f"{target} on {page.name}"
        if anchor:
            assert anchor in anchors(file), f"{target} on {page.name}"


def anchors(page: Path) -> set[str]:
    """Names of the headings of a page, as they are linked to."""
    heads = re.findall(r"^#+ (.+)$", page.read_text(encoding="utf-8"), flags=re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", h.lower()).strip().replace(" ", "-") for h in heads}


def test_broken_programs_raise_with_their_diagnostics(tmp_path: Path) -> None:
    """What the Python page says of mistakes."""
    path = tmp_path / "broken.steer"
    path.write_text("steerlang 1\nlet x = y\n", encoding="utf-8")
    with pytest.raises(SteerlangError) as caught:
        api.load(path, settings=Settings(cache_dir=tmp_path))
    assert [d.code.id for d in caught.value.diagnostics if d.is_error] == ["SL201"]
    assert os.path.basename(str(caught.value).split(":")[0]) == "broken.steer"


@pytest.mark.parametrize(
    "block", [b for b in PROGRAMS if b.page.parent.name == "guides" and "part" not in b.said], ids=str
)
def test_programs_of_guides_are_in_the_standard_layout(block: page_blocks.Block) -> None:
    assert format_source(Source(str(block), block.text))[0] == block.text
