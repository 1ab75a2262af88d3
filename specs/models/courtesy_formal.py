"""Make the fine-tune of the courtesy model on formal replies.

    python specs/models/courtesy_formal.py

tunes all weights of `specs/models/courtesy` (one thread, about two minutes), measures both models and writes the card.
"""

from __future__ import annotations

import argparse
from dataclasses import replace
from pathlib import Path

from courtesy_tools import tuning

HERE = Path(__file__).parent


def main() -> None:
    """Run what the command line asks for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--base", type=Path, default=HERE / "courtesy", help="the model that is tuned")
    parser.add_argument("--out", type=Path, default=HERE / "courtesy-formal", help="the model folder to write")
    parser.add_argument("--seed", type=int, default=tuning.Tuning.seed)
    parser.add_argument("--documents", type=int, default=tuning.Tuning.documents)
    options = parser.parse_args()
    how = replace(tuning.Tuning(), seed=options.seed, documents=options.documents)
    figures = tuning.tune(how, options.base, options.out)
    requests = (HERE.parent / "data" / "requests.txt").read_text(encoding="utf-8").splitlines()
    tuning.write_card(options.base, options.out, requests, how, figures)
    print((options.out / "README.md").read_text(encoding="utf-8").split("## Held-out figures")[1])


if __name__ == "__main__":
    main()
