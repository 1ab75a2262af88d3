"""Fuzzes one target for as long as one likes.

    python tests/fuzz/fuzz.py check -max_total_time=600    with atheris: by coverage, from the programs of the checkout
    python tests/fuzz/fuzz.py check --plain 600            without it: 600 seconds of changed programs
    python tests/fuzz/fuzz.py check crash-1234…            an input that failed, once more

Targets are those of `targets.py`: lex, parse, expression, format, yaml, json, check. Whatever follows the target is
handed to libFuzzer; inputs that fail are written to the working directory, those that cover more to `.fuzz/TARGET`.
"""

from __future__ import annotations

import random
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


def main(arguments: list[str]) -> int:
    sys.path[:0] = [str(ROOT / "tests"), str(ROOT)]
    if not arguments or arguments[0].startswith("-"):
        sys.stderr.write(__doc__ or "")
        return 2
    target, rest = arguments[0], arguments[1:]
    if rest[:1] == ["--plain"]:
        return plain(target, float(rest[1]), int(rest[2]) if len(rest) > 2 else int(time.time()))
    return guided(target, rest)


def plain(target: str, seconds: float, seed: int) -> int:
    """Changed programs, without looking at what they cover. Says which one failed, and raises what it raised."""
    from fuzz.mutating import form_of, mutated, seeds
    from fuzz.targets import one_input

    run, chance = one_input(target), random.Random(seed)
    texts, end, count = seeds(form_of(target)), time.monotonic() + seconds, 0
    while time.monotonic() < end:
        data = mutated(chance.choice(texts), chance, texts).encode("utf-8", "surrogatepass")
        try:
            run(data)
        except BaseException:
            place = Path(f"crash-{target}-{seed}-{count}")
            place.write_bytes(data)
            sys.stderr.write(f"{target} fails on {place}\n")
            raise
        count += 1
    sys.stdout.write(f"{target}: {count} inputs, seed {seed}\n")
    return 0


def guided(target: str, rest: list[str]) -> int:
    import atheris

    with atheris.instrument_imports(include=["steerlang"]):
        from fuzz.mutating import form_of, mutated, seeds
        from fuzz.targets import one_input

    texts = seeds(form_of(target))
    folder = ROOT / ".fuzz" / target
    if not any(Path(r).is_file() for r in rest):
        folder.mkdir(parents=True, exist_ok=True)
        for number, text in enumerate(texts):
            (folder / f"seed-{number}").write_bytes(text.encode("utf-8"))
        rest = [str(folder), *rest]

    def change(data: bytes, most: int, seed: int) -> bytes:
        """Half of the changes keep to tokens; the others are libFuzzer's own."""
        chance = random.Random(seed)
        if chance.random() < 0.5:
            return bytes(atheris.Mutate(data, most))
        text = data.decode("utf-8", "replace")
        return mutated(text, chance, texts).encode("utf-8", "surrogatepass")[:most]

    atheris.Setup([sys.argv[0], *rest], one_input(target), custom_mutator=change)
    atheris.Fuzz()
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
