"""What extraction costs: a vector from pairs of texts, against bare forward passes over the same texts.

    python benchmarks/extraction.py [--no-peers] [--no-memory]

Four tables: our extraction against the floor; five methods in one program against one; other libraries' extraction
against the same floor in their own environments; and peak anonymous memory as the number of pairs grows.
"""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import peers
import torch
from floor import bare_passes, token_batches
from measuring import Table, median, one_thread, peak_memory, ratio, take_turns, verdict, write
from random_models import MIDDLE, Size, save_model, save_pairs

import steerlang
from steerlang.api import Settings
from steerlang.kernels.extraction import mean_difference
from steerlang.kernels.quality import by_layer
from steerlang.models import load
from steerlang.models.capture import CaptureRequest, capture
from steerlang.models.positions import Last
from steerlang.models.sites import RESIDUAL, points
from steerlang.models.tokens import tokenise

PAIRS, SHORTEST, LONGEST, ROUNDS, TARGET = 256, 4, 10, 5, 1.05
MEMORY_SIZE = Size("memory", layers=12, width=256, vocabulary=1_000)
MEMORY_PAIRS, MEMORY_TOKENS = (64, 256, 1024), 33  # 64 pairs of 33 tokens already fill several batches
# Between runs, the allocator's own arenas differ by this much.
SLACK = 16 * 2**20

PROGRAM = """steerlang 1
model  base  = hf("{model}")
data   pairs = jsonl("{data}", source = "before", target = "after")
vector v     = extract(base, pairs, method = {method})
"""


FIVE = ("mean_difference", "pca", "icv", "probe", "lda")
SEVERAL = """steerlang 1
model  base  = hf("{model}")
data   pairs = jsonl("{data}", source = "before", target = "after")
"""
FIVE_TARGET = 1.15


def run_program(path: Path, folder: Path, targets: tuple[str, ...] = ("v",)) -> None:
    """A whole program with a store of its own."""
    with tempfile.TemporaryDirectory(dir=folder) as cache:
        settings = Settings(cache_dir=Path(cache), threads=1, device="cpu")
        found = steerlang.load(path, settings=settings).run(targets=list(targets))
        assert found.outcome == "done", found.diagnostics


def write_program(folder: Path, size: Size, data: str, method: str) -> Path:
    path = folder / f"{method}.steer"
    path.write_text(PROGRAM.format(model=size.name, data=data, method=method))
    return path


def variants(folder: Path, pairs: list[tuple[str, str]]) -> dict[str, Callable[[], Any]]:
    """The floor, our parts, and a whole program; and what a program does besides: loading the model."""
    place = folder / MIDDLE.name
    loaded = load(place)
    texts = [text for pair in pairs for text in pair]
    batches = token_batches(loaded.tokenizer, texts)
    program = write_program(folder, MIDDLE, "pairs.jsonl", "mean_difference")

    def extract() -> None:
        items = tokenise(loaded.tokenizer, texts)
        at = points(RESIDUAL, range(MIDDLE.layers))
        requests = [CaptureRequest(tuple(range(side, len(items), 2)), at, Last()) for side in (0, 1)]
        x, y = (torch.from_numpy(found.states) for found in capture(loaded, items, requests, batch_tokens=1024))
        found, _ = by_layer(mean_difference, x, y, seed=0)
        assert np.isfinite(found.directions.numpy()).all()

    return {
        "floor": lambda: bare_passes(loaded.model, batches),
        "capture, method and report": extract,
        "loading": lambda: load(place),
        "whole program": lambda: run_program(program, folder),
    }


def ours(folder: Path, pairs: list[tuple[str, str]]) -> Table:
    times = take_turns(variants(folder, pairs), ROUNDS)
    floor = median(times, "floor")
    table = Table(
        f"Extraction from {PAIRS} pairs, {MIDDLE.label}, against bare forward passes",
        ("what", "CPU s", "× floor", "target"),
        notes=[
            f"Texts of {SHORTEST} to {LONGEST} tokens, every layer read at the last token. The floor is batched passes "
            "of 1024 tokens over the same texts, longest first, without vocabulary projection and without hooks.",
            "The last row takes what loading the model alone costs off each run of the program; what is left is "
            "reading the files, planning, tokenising, the passes, the vector, its report and the store.",
        ],
    )
    table.add("bare passes (floor)", floor, 1.0, "")
    found = ratio(times, "capture, method and report", "floor")
    table.add("capture, method and report", median(times, "capture, method and report"), found, verdict(found, TARGET))
    table.add("whole program", median(times, "whole program"), ratio(times, "whole program", "floor"), "")
    times["rest"] = [a - b for a, b in zip(times["whole program"], times["loading"], strict=True)]
    found = ratio(times, "rest", "floor")
    table.add("whole program without loading", median(times, "rest"), found, verdict(found, TARGET))
    return table


def five_methods(folder: Path) -> Table:
    """Five directions of the same pairs in one program, against the mean difference alone."""
    table = Table(
        f"Five methods in one program, {PAIRS} pairs, {MIDDLE.label}, against one",
        ("tokens a text", "one, CPU s", "five, CPU s", "five / one", "target"),
        notes=[
            f"Whole programs, each with a store of its own. The five: {', '.join(FIVE)}, each with its report. What "
            "methods take does not depend on how long the texts are; what reading takes does."
        ],
    )
    for shortest, longest in ((SHORTEST, LONGEST), (MEMORY_TOKENS, MEMORY_TOKENS)):
        data = f"pairs-{longest}.jsonl"
        save_pairs(folder / data, PAIRS, MIDDLE, shortest, longest)
        times = take_turns(_one_and_five(folder, data), ROUNDS)
        found = ratio(times, "five", "one")
        said = str(longest) if shortest == longest else f"{shortest} to {longest}"
        table.add(said, median(times, "one"), median(times, "five"), found, verdict(found, FIVE_TARGET))
    return table


def _one_and_five(folder: Path, data: str) -> dict[str, Callable[[], Any]]:
    one = write_program(folder, MIDDLE, data, "mean_difference")
    five = folder / "five.steer"
    vectors = "".join(f"vector v{i} = extract(base, pairs, method = {m})\n" for i, m in enumerate(FIVE))
    five.write_text(SEVERAL.format(model=MIDDLE.name, data=data) + vectors)
    names = tuple(f"v{i}" for i in range(len(FIVE)))
    return {"one": lambda: run_program(one, folder), "five": lambda: run_program(five, folder, names)}


def others(place: Path, pairs: list[tuple[str, str]]) -> Table:
    table = Table(
        f"Extraction by other libraries, {PAIRS} pairs, {MIDDLE.label}",
        ("library", "transformers", "floor, CPU s", "extraction, CPU s", "× floor"),
        notes=[
            "Each library in its own environment, against the same bare passes measured there; batches of 32 texts "
            "(repeng's own default; steering-vectors' default is 1; nnsight leaves it to the caller)."
        ],
    )
    given = {"model": str(place), "pairs": pairs, "rounds": ROUNDS}
    for name, result in peers.measure("extraction", given).items():
        seconds, versions = result["seconds"], result["versions"]
        table.add(
            f"{name} {versions[name]}", versions["transformers"], seconds["floor"], seconds["extraction"],
            result["ratios"]["extraction"],
        )
    return table


def memory(folder: Path) -> Table:
    table = Table(
        f"Peak anonymous memory of a whole program, {MEMORY_SIZE.label}, MiB",
        ("method", *(f"{pairs} pairs" for pairs in MEMORY_PAIRS), "states kept at most, MiB", "target"),
        notes=[f"Texts of {MEMORY_TOKENS} tokens. Target: no growth beyond {SLACK // 2**20} MiB of allocator slack."],
    )
    save_model(folder, MEMORY_SIZE)
    for method in ("mean_difference", "pca", "icv", "probe", "lda", "lat"):
        peaks = []
        for pairs in MEMORY_PAIRS:
            save_pairs(folder / f"{pairs}.jsonl", pairs, MEMORY_SIZE, MEMORY_TOKENS, MEMORY_TOKENS)
            program = write_program(folder, MEMORY_SIZE, f"{pairs}.jsonl", method)
            peaks.append(peak_memory([sys.executable, __file__, "--run", str(program)]))
        growth = max(peaks) - peaks[0]
        target = "" if method != "mean_difference" else "kept" if growth <= SLACK else "missed"
        states = 2 * MEMORY_PAIRS[-1] * MEMORY_SIZE.layers * MEMORY_SIZE.width * 4 / 2**20
        table.add(method, *(f"{peak / 2**20:.0f}" for peak in peaks), states, target)
    return table


def main() -> None:
    one_thread()
    if "--run" in sys.argv:
        path = Path(sys.argv[-1])
        return run_program(path, path.parent)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        place = save_model(folder, MIDDLE)
        pairs = save_pairs(folder / "pairs.jsonl", PAIRS, MIDDLE, SHORTEST, LONGEST)
        tables = [ours(folder, pairs), five_methods(folder)]
        if "--no-peers" not in sys.argv:
            write("extraction", tables)
            tables.append(others(place, pairs))
        if "--no-memory" not in sys.argv:
            write("extraction", tables)
            tables.append(memory(folder))
    write("extraction", tables)
    return None


if __name__ == "__main__":
    main()
