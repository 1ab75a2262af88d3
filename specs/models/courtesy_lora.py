"""Make the LoRA of the courtesy model on replies that ask back.

    python specs/models/courtesy_lora.py

trains the two factors of every linear layer of the blocks of `specs/models/courtesy` (one thread, about two minutes),
stores them in PEFT's format, measures the model with and without them and writes the card.
"""

from __future__ import annotations

import argparse
from dataclasses import replace
from pathlib import Path

from courtesy_tools import adapting

HERE = Path(__file__).parent


def main() -> None:
    """Run what the command line asks for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--base", type=Path, default=HERE / "courtesy", help="the model that is tuned")
    parser.add_argument("--out", type=Path, default=HERE / "courtesy-lora", help="the adapter folder to write")
    parser.add_argument("--seed", type=int, default=adapting.Adapting.seed)
    parser.add_argument("--documents", type=int, default=adapting.Adapting.documents)
    options = parser.parse_args()
    how = replace(adapting.Adapting(), seed=options.seed, documents=options.documents)
    figures = adapting.adapt(how, options.base, options.out)
    requests = (HERE.parent / "data" / "requests.txt").read_text(encoding="utf-8").splitlines()
    adapting.write_card(options.base, options.out, requests, how, figures)
    print((options.out / "README.md").read_text(encoding="utf-8").split("## Held-out figures")[1])


if __name__ == "__main__":
    main()
