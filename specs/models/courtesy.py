"""Make the courtesy model and its data files.

    python specs/models/courtesy.py --out specs/models/courtesy

trains the model from nothing (one thread, about half an hour), measures it, and writes the data files. `--data-only`
writes the data files alone; `--documents 500 --out /tmp/small` is a quick trial.
"""

from __future__ import annotations

import argparse
from dataclasses import replace
from pathlib import Path

from courtesy_tools import training
from courtesy_tools.card import write_card
from courtesy_tools.files import write_files

HERE = Path(__file__).parent


def main() -> None:
    """Run what the command line asks for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, default=HERE / "courtesy", help="the model folder to write")
    parser.add_argument("--data", type=Path, help="the folder for data files")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--documents", type=int, default=training.Recipe.documents)
    parser.add_argument("--data-only", action="store_true", help="write the data files and train nothing")
    options = parser.parse_args()
    standard = options.out.resolve() == HERE / "courtesy"
    data = options.data or (HERE.parent / "data" if standard else options.out / "data")
    write_files(data)
    if options.data_only:
        return
    recipe = replace(training.Recipe(), seed=options.seed, documents=options.documents)
    figures = training.train(recipe, options.out) | training.evaluate(options.out)
    write_card(options.out, recipe, figures)
    print(figures)


if __name__ == "__main__":
    main()
