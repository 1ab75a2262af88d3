"""Images that travel inside pages: which, how large, and no more than a page holds."""

from __future__ import annotations

import base64
import io
import random
from pathlib import Path

import pytest
from PIL import Image

from steerlang.api import pictures
from steerlang.api.pictures import pictures_of
from steerlang.reports.background import Background
from steerlang.reports.findings import Findings, SampleColumn, SampleTable
from steerlang.reports.html import page


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("images")
    for i in range(4):
        Image.new("RGB", (24, 24), (i * 60, 0, 0)).save(made / f"small{i}.png")
    noise = random.Random(0).randbytes(640 * 400 * 3)
    Image.frombytes("RGB", (640, 400), noise).save(made / "large.png")
    (made / "torn.png").write_bytes((made / "large.png").read_bytes()[:30_000])
    (made / "words.txt").write_text("no image")
    Image.new("RGB", (8, 8)).save(made / "old.bmp")
    return made


def asked(folder: Path, *names: str) -> Findings:
    column = SampleColumn((), tuple("said" for _ in names))
    images = tuple(str(folder / n) for n in names)
    return Findings("p.steer", samples=(SampleTable("out", (), names, (column,), images=images),))


def decoded(source: str) -> Image.Image:
    return Image.open(io.BytesIO(base64.b64decode(source.partition("base64,")[2])))


def test_small_images_are_as_they_are_and_large_ones_smaller(folder: Path) -> None:
    found = pictures_of(asked(folder, "small1.png", "large.png", "old.bmp"))
    small, large, other = (found[str(folder / n)] for n in ("small1.png", "large.png", "old.bmp"))
    assert base64.b64decode(small.partition("base64,")[2]) == (folder / "small1.png").read_bytes()
    assert small.startswith("data:image/png;base64,")
    assert decoded(large).size == (160, 100)
    assert large.startswith("data:image/jpeg;base64,")
    assert other.startswith("data:image/jpeg;base64,")  # no browser format


def test_what_is_no_image_is_left_out(folder: Path) -> None:
    assert pictures_of(asked(folder, "torn.png", "words.txt", "gone.png", "a\0b.png")) == {}


def test_a_page_holds_so_many(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    names = [f"small{i}.png" for i in range(4)]
    monkeypatch.setattr(pictures, "MOST", 2)
    assert len(pictures_of(asked(folder, *names))) == 2
    monkeypatch.setattr(pictures, "MOST", 300)
    monkeypatch.setattr(pictures, "MOST_BYTES", 3 * (folder / "small0.png").stat().st_size)
    assert 1 <= len(pictures_of(asked(folder, *names))) < 4
    assert len(pictures_of(asked(folder, *["small1.png"] * 90))) == 1


def test_pictures_stand_beside_prompts(folder: Path) -> None:
    found = asked(folder, "small3.png", "gone.png", "small3.png")
    text = page(found, Background(pictures=pictures_of(found)))
    assert text.count("<img ") == 2
    assert 'alt="small3.png"' in text
    assert "img-src data:" in text
    assert "<img " not in page(found)
