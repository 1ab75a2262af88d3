"""Make the glyphs models and their data files.

    python specs/models/glyphs.py

writes the data files, trains the base (one thread, about three minutes), tunes its image encoder on each of six tasks
(twenty seconds each), measures all of them and the three claims (about eight minutes), and writes the cards.

`--only data`, `base`, `tuned`, `card` or `claims` does one part; `--steps 100 --out /tmp/small` is a quick trial.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable
from dataclasses import asdict, replace
from pathlib import Path

from glyphs_tools import card, claims, files, training, tuning
from glyphs_tools.tasks import TUNED

HERE = Path(__file__).parent


def make_base(options: argparse.Namespace) -> None:
    """Train the base."""
    recipe = replace(training.Recipe(), seed=options.seed, steps=options.steps)
    figures = training.train(recipe, options.out / "glyphs")
    record(options.out / "glyphs", {"recipe": asdict(recipe), "figures": figures})


def make_tuned(options: argparse.Namespace) -> None:
    """Tune the base on each task."""
    for name in TUNED:
        how, folder = tuning.Tuning(), options.out / f"glyphs-{name}"
        figures = tuning.tune(how, name, options.out / "glyphs", folder)
        record(folder, {"task": name, "tuning": asdict(how), "figures": figures})


def make_claims(options: argparse.Namespace) -> None:
    """Measure the three claims and keep their figures beside the base's."""
    figures = claims.measure(claims.bench(options.out, options.data))
    (options.out / "glyphs" / "claims.json").write_text(json.dumps(figures, indent=2) + "\n", encoding="utf-8")


def record(folder: Path, document: dict[str, object]) -> None:
    """Write `training.json`."""
    (folder / "training.json").write_text(json.dumps(document, indent=2) + "\n", encoding="utf-8")


PARTS: dict[str, Callable[[argparse.Namespace], None]] = {
    "data": lambda options: files.write_files(options.data),
    "base": make_base,
    "tuned": make_tuned,
    "claims": make_claims,
    "card": lambda options: card.write_cards(options.out, options.data),
}


def main() -> None:
    """Run what the command line asks for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, default=HERE, help="the folder that the model folders are written into")
    parser.add_argument("--data", type=Path, help="the folder for data files")
    parser.add_argument("--seed", type=int, default=training.Recipe.seed)
    parser.add_argument("--steps", type=int, default=training.Recipe.steps)
    parser.add_argument("--only", choices=PARTS, help="do one part")
    options = parser.parse_args()
    standard = options.out.resolve() == HERE
    options.data = options.data or (HERE.parent / "data" / "glyphs" if standard else options.out / "data")
    for name, part in PARTS.items():
        if options.only in (None, name):
            part(options)


if __name__ == "__main__":
    main()
