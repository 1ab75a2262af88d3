"""Make the scenes models and their data files.

    python specs/models/scenes.py

writes the data files, trains the base (one thread, about a quarter of an hour), tunes its decoder on captions that
name the colour, the place or the mood (two minutes each), measures all of them, and writes the cards.

`--only data`, `base`, `tuned` or `card` does one part; `--steps 100 --out /tmp/small` is a quick trial.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from dataclasses import asdict, replace
from pathlib import Path

from scenes_tools import card, files, training, tuning
from scenes_tools.model import record

HERE = Path(__file__).parent


def make_base(options: argparse.Namespace) -> None:
    """Train the base."""
    whole = training.Recipe(seed=options.seed)
    phases = tuple(replace(phase, steps=min(phase.steps, options.steps)) for phase in whole.phases)
    recipe = replace(whole, phases=phases, seeing=replace(whole.seeing, steps=min(whole.seeing.steps, options.steps)))
    figures = training.train(recipe, options.out / "scenes")
    (options.out / "scenes" / "training.json").unlink(missing_ok=True)
    record(options.out / "scenes", {"recipe": asdict(recipe), "figures": figures})


def make_tuned(options: argparse.Namespace) -> None:
    """Tune the base on each style of captions."""
    whole = tuning.Tuning()
    how = replace(whole, phase=replace(whole.phase, steps=min(whole.phase.steps, options.steps)))
    for style in tuning.STYLES:
        folder = options.out / f"scenes-{style}"
        figures = tuning.tune(how, style, options.out / "scenes", folder)
        record(folder, {"style": style, "tuning": asdict(how), "figures": figures})


PARTS: dict[str, Callable[[argparse.Namespace], None]] = {
    "data": lambda options: files.write_files(options.data),
    "base": make_base,
    "tuned": make_tuned,
    "card": lambda options: card.write_cards(options.out, options.data),
}


def main() -> None:
    """Run what the command line asks for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, default=HERE, help="the folder that the model folders are written into")
    parser.add_argument("--data", type=Path, help="the folder for data files")
    parser.add_argument("--seed", type=int, default=training.Recipe.seed)
    parser.add_argument("--steps", type=int, default=100_000, help="the most steps that any part takes")
    parser.add_argument("--only", choices=PARTS, help="do one part")
    options = parser.parse_args()
    standard = options.out.resolve() == HERE
    options.data = options.data or (HERE.parent / "data" / "scenes" if standard else options.out / "data")
    for name, part in PARTS.items():
        if options.only in (None, name):
            part(options)


if __name__ == "__main__":
    main()
