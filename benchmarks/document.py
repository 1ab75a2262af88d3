"""Writes `docs/benchmarks.md` from the tables in `benchmarks/results/`."""

from __future__ import annotations

import json
from pathlib import Path

from measuring import RESULTS

DOCUMENT = Path(__file__).resolve().parents[1] / "docs" / "benchmarks.md"

HEAD = """# Benchmarks

Figures are ratios to the least work there is, or to the same work without steerlang, measured in the same process in
turns. Seconds are CPU seconds of one thread (user and system), medians over the rounds; ratios are medians of the ratio
within a round. Absolute seconds say more about the machine than about the program: these come from a container with
{cpus} CPU cores shared with other work, Python {python}, torch {torch}, transformers {transformers}, without a GPU. On
such a machine differences of two or three hundredths are noise.

`make bench` repeats all of them (or `python benchmarks/run_all.py NAME…` some), and writes this page. Other libraries
are installed from the package index into environments of their own in `benchmarks/.peers`; their versions of
transformers differ, so each is compared with a floor measured in its own environment.
"""

SECTIONS = {
    "validate": ("Checking programs", ""),
    "extraction": (
        "Extracting vectors",
        "Measured with batches of 4,096 tokens. Since then texts are read 1,024 tokens at a time on a CPU, which made\n"
        "the bare passes 1.5 times cheaper (5.6 to 3.7 CPU s); a single run against that floor gave 1.09 for capture,\n"
        "method and report, repeng 1.95, steering-vectors 1.79, nnsight 1.33.",
    ),
    "images": ("Prompts with images", "One thread."),
    "concepts": ("Concepts", "One thread. The seconds of scikit-learn are its own fit and activations."),
    "generation": (
        "Steered generation",
        "Constant additions are biases in our own loop; with a recipe a row they are hooks. Differences between runs\n"
        "on a shared machine reach five hundredths. Larger models: the table of gates below.",
    ),
    "sweep": (
        "Sweeps",
        "All points of a sweep are rows of one batch. What bounds it is in the last table, and attention over the\n"
        "tokens so far, which rows cost together what they cost apart (next section).",
    ),
    "attention": (
        "Attention of many rows",
        "One thread, float32, a mask for rows of different lengths: the shapes of a sweep at 12 × 64.",
    ),
    "hooks": ("Hooks", ""),
    "conditions": (
        "Gates, schedules, norms",
        "At 12 × 64 a pass is mostly calls from Python, of which turning a state takes ten; at 12 × 512 they vanish.",
    ),
    "weights": (
        "Composing task vectors",
        "`--large` composes the billion parameters. mergekit is 0.1.5, in an environment of its own.",
    ),
    "learning_step": ("Learning coefficients", "CLIP's image model of the size of ViT-B/32, random, one thread."),
}


def main() -> None:
    found = [name for name in SECTIONS if (RESULTS / f"{name}.json").is_file()]
    machine: dict[str, str] = {}
    parts = []
    for name in found:
        machine |= json.loads((RESULTS / f"{name}.json").read_text())["machine"]
        title, words = SECTIONS[name]
        tables = (RESULTS / f"{name}.md").read_text().strip()
        lines = [f"## {title}", f"`python benchmarks/{name}.py`", words, tables]
        parts.append("\n\n".join(line for line in lines if line))
    DOCUMENT.write_text("\n\n".join([HEAD.format(**machine).strip(), *parts]) + "\n")


if __name__ == "__main__":
    main()
