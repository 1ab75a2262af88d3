"""Take the pictures of reports that stand on the pages, with a browser without a window.

    python docs/screenshots.py [NAME...]

Runs the programs in a copy of `specs/`, then shows parts of their pages to chromium. Where there is no chromium, or no
pillow to make the pictures small, it says so and leaves the pictures as they are.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

from blocks import ROOT
from outputs import copy_of_specs

from steerlang import Settings, api

IMAGES = ROOT / "docs" / "images"
BROWSERS = ("chromium", "chromium-browser", "google-chrome", "chrome")
LARGEST = 150_000  # bytes of a picture
_SECTION = re.compile(r'<section id="s-(?P<name>[^"]+)">.*?</section>', re.DOTALL)


@dataclass(frozen=True)
class Shot:
    """A picture: the sections of a program's page, in light or dark, as much as fits into `height` pixels. `change` is
    made to the program after a first run, so that the page is of a second one."""

    name: str
    program: str
    sections: tuple[str, ...]
    height: int
    dark: bool = False
    width: int = 1000
    change: tuple[str, str] | None = None


SHOTS = (
    Shot("report_top", "strength.steer", ("header", "expectations", "metrics"), 1330),
    Shot("report_samples", "methods/controls.steer", ("samples",), 720),
    Shot("report_vectors", "two_vectors.steer", ("vectors",), 1010, dark=True),
    Shot("report_program", "methods/controls.steer", ("program", "graph"), 1240),
    Shot("report_end", "quickstart.steer", ("what-ran", "provenance"), 900, change=("scale = 0.1", "scale = 0.12")),
    Shot("report_concepts", "concepts/board.steer", ("concepts",), 960),
    Shot("report_phone", "strength.steer", ("header", "expectations", "metrics"), 1150, width=420),
)


def browser() -> str | None:
    return next((found for name in BROWSERS if (found := shutil.which(name))), None)


def part_of(page: str, shot: Shot) -> str:
    """A page of some sections of another, with its style."""
    head, _, body = page.partition("<body>")
    found = {m["name"]: m[0] for m in _SECTION.finditer(body)}
    found["header"] = body[body.index("<header>") : body.index("<main>")]
    return f"{head}<body>{''.join(found[name] for name in shot.sections)}</body></html>"


def take(shot: Shot, page: Path, chromium: str, folder: Path) -> Path:
    """The picture of a part of a page, cut where the part ends."""
    part, raw = folder / f"{shot.name}.html", folder / f"{shot.name}.png"
    part.write_text(part_of(page.read_text(encoding="utf-8"), shot), encoding="utf-8")
    subprocess.run(
        [chromium, "--headless", "--no-sandbox", "--disable-gpu", "--hide-scrollbars",
         f"--window-size={shot.width},{shot.height}", f"--blink-settings=preferredColorScheme={0 if shot.dark else 1}",
         f"--screenshot={raw}", part.as_uri()],
        check=True, capture_output=True, timeout=120,
    )  # fmt: skip
    return raw


def shrink(raw: Path, target: Path) -> int:
    """Write a picture without the empty rows below its content, in few colours. Its size in bytes."""
    from PIL import Image, ImageChops

    picture = Image.open(raw).convert("RGB")
    empty = Image.new("RGB", picture.size, picture.getpixel((0, picture.height - 1)))
    box = ImageChops.difference(picture, empty).getbbox() or (0, 0, *picture.size)
    cut = picture.crop((0, max(box[1] - 24, 0), picture.width, min(picture.height, box[3] + 24)))
    for colours in (128, 64, 32, 16):
        cut.quantize(colours, dither=Image.Dither.NONE).save(target, optimize=True)
        if target.stat().st_size <= LARGEST:
            break
    return target.stat().st_size


def main(names: Sequence[str]) -> int:
    chromium = browser()
    if chromium is None or find_spec("PIL") is None:
        sys.stdout.write("no pictures taken: this needs chromium and pillow\n")
        return 0
    shots = [s for s in SHOTS if not names or s.name in names]
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        copy_of_specs(folder / "specs")
        os.chdir(folder)  # programs are called as one would call them
        for shot in shots:
            size = shrink(take(shot, page_of(shot), chromium, folder), IMAGES / f"{shot.name}.png")
            sys.stdout.write(f"{shot.name}.png: {size / 1000:.0f} kB\n")
    return 0


def page_of(shot: Shot) -> Path:
    """Run a program in the copy and give its page; one that has no report gets one."""
    path = Path("specs") / shot.program
    text = path.read_text(encoding="utf-8")
    if "html(" not in text:
        path.write_text(text + '\nreport page = html(to = "out/page.html")\n', encoding="utf-8")
    found = _run(path)
    if shot.change is not None:
        path.write_text(path.read_text(encoding="utf-8").replace(*shot.change), encoding="utf-8")
        found = _run(path)
    return found


def _run(path: Path) -> Path:
    run = api.load(path, settings=Settings(cache_dir=Path("cache").absolute(), offline=True)).run()
    assert run.outcome == "done", run.diagnostics
    return next(p for p in run.artifacts if p.suffix == ".html")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
