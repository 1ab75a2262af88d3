"""Run the commands shown on the pages and write their output anew; copy programs that pages show from their files.

    python docs/outputs.py [PAGE...]

Works in a copy of `specs/` with an empty cache, one for each page: `steer` blocks with a file name are written there
when they come up, `console` blocks marked `<!-- output: refresh -->` are run, line by line after each `$ `.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from blocks import ROOT, Block, blocks, pages

SPECS = ROOT / "specs"


def copy_of_specs(target: Path) -> Path:
    """The programs, data and model, without what made the model."""
    leave = shutil.ignore_patterns("courtesy_tools", "out", "__pycache__")
    made = Path(shutil.copytree(SPECS, target, ignore=leave))
    (made / "pyproject.toml").touch()  # where the project begins: programs in folders below may name files beside them
    return made


def refreshed(page: Path) -> str:
    """The text of a page with every output as it is now."""
    lines = page.read_text(encoding="utf-8").splitlines(keepends=True)
    with tempfile.TemporaryDirectory() as folder:
        work = copy_of_specs(Path(folder) / "specs")
        cache = Path(folder) / "cache"
        found: list[tuple[Block, str]] = []
        for block in blocks(page):
            if "file" in block.said:
                (work / block.said["file"][0]).write_text(block.text, encoding="utf-8")
            elif "same" in block.said:
                found.append((block, (ROOT / block.said["same"][0]).read_text(encoding="utf-8")))
            elif "refresh" in block.said:
                found.append((block, _answered(block.text, work, cache)))
    for block, text in reversed(found):
        start = block.line - 1
        lines[start : start + block.count] = text.splitlines(keepends=True)
    return "".join(lines)


def _answered(text: str, work: Path, cache: Path) -> str:
    """The commands of a block, each with what it prints now."""
    commands = [line[2:] for line in text.splitlines() if line.startswith("$ ")]
    return "\n".join(f"$ {command}\n{_output(command, work, cache)}" for command in commands)


def _output(command: str, work: Path, cache: Path) -> str:
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    own = {"PATH": path, "STEERLANG_CACHE_DIR": str(cache), "COLUMNS": "110", "OMP_NUM_THREADS": "1"}
    done = subprocess.run(
        ["bash", "-c", command],
        cwd=work,
        env={**os.environ, **own},
        capture_output=True,
        text=True,
    )
    shown = done.stdout if done.stdout.strip() else done.stderr
    return "".join(
        f"{line.rstrip()}\n"
        for line in shown.replace(f"{work}/", "").replace(str(cache), "~/.cache/steerlang").strip("\n").splitlines()
    )


def main(arguments: list[str]) -> None:
    """Refresh the pages named, or all of them."""
    for page in [Path(a).resolve() for a in arguments] or pages():
        if any({"refresh", "same"} & block.said.keys() for block in blocks(page)):
            page.write_text(refreshed(page), encoding="utf-8")


if __name__ == "__main__":
    main(sys.argv[1:])
