"""What concepts cost: decomposition against scikit-learn itself, and a sweep of strengths against one strength.

    python benchmarks/concepts.py

Decomposition is what an operation of the graph does with stored states: rows put in order, checks, the fit,
activations, the share explained, the result as it is stored. Against it stands the fit of scikit-learn with the same
settings, and its own activations, on the same array.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from extraction import run_program
from measuring import Table, median, one_thread, ratio, take_turns, verdict, write
from numpy.typing import NDArray
from random_models import MIDDLE, save_model, sentences
from sklearn.cluster import KMeans
from sklearn.decomposition import PCA, DictionaryLearning

from steerlang.engine.operation import Task
from steerlang.engine.payload import Payload
from steerlang.graph.node import Node
from steerlang.operations.concepts import OPERATIONS

STATES, WIDTH, K = 20_000, 1_024, 20
SMALL_STATES, SMALL_WIDTH = 1_000, 128  # sparse dictionaries take long whoever fits them
ROUNDS, TARGET, SWEEP_TARGET = {"kmeans": 9, "pca": 9, "snmf": 3, "sweep": 3}, 1.05, 1.5
STRENGTHS = (0.0, 0.25, 0.5, 0.75, 1.0)
TEXTS = 100

PROGRAM = """steerlang 1
model before = hf("middle")
model after  = hf("middle", dtype = bfloat16)
data  texts  = lines("texts.txt")
activations a = capture(before, texts, layers = 6)
activations b = capture(after, texts, layers = 6)
concepts dict    = decompose(a, k = 20, seed = 0)
concepts retuned = decompose(b, k = 20, seed = 0)
sweep    alpha   = {strengths}
concepts shifted = dict + alpha * shift(a, b, by = dict)
metric   found   = recovery(shifted, from = dict, to = retuned, on = before, top = 20, vocabulary = lines("words.txt"))
"""


def states(count: int, width: int) -> NDArray[np.float32]:
    """States around as many centres as there are concepts."""
    chance = np.random.default_rng(0)
    centres = chance.normal(scale=3.0, size=(K, width))
    return np.asarray(centres[chance.integers(0, K, count)] + chance.normal(size=(count, width)), dtype=np.float32)


def operation(z: NDArray[np.float32], method: str, options: Mapping[str, Any]) -> Callable[[], Any]:
    """The operation on stored states."""
    model = Node("model.load", 1, {"identity": "random"}, (), "model", virtual=True, locators={"name": "random"})
    captured = Node("capture", 1, {}, (model, Node("data.rows", 1, {}, (), "rows")), "states")
    chosen = {"method": {"name": method, "version": 1, "options": dict(options)}, "k": K, "seed": 0}
    node = Node("concepts.decompose", 1, chosen, (captured,), "concepts")
    meta: dict[str, Any] = {
        "points": [{"layer": 0, "site": {"select": "residual"}}],
        "tokens": {"select": "last"},
        "found": [True] * len(z),
        "offsets": list(range(len(z) + 1)),
    }
    stored = Payload("states", meta, {"states": z[:, None, :]})
    context: Any = None  # nothing of what is around an operation is asked for
    return lambda: list(OPERATIONS["concepts.decompose"].run([Task(node, lambda _: stored)], context))


def sparse() -> Any:
    return DictionaryLearning(
        K, alpha=1.0, max_iter=100, fit_algorithm="cd", transform_algorithm="lasso_cd", positive_code=True,
        random_state=0,
    )  # fmt: skip


def decomposition() -> Table:
    large, small = states(STATES, WIDTH), states(SMALL_STATES, SMALL_WIDTH)
    cases: list[tuple[str, NDArray[np.float32], Mapping[str, Any], Callable[[NDArray[np.float32]], Any]]] = [
        ("kmeans", large, {"restarts": 1}, lambda z: KMeans(K, n_init=1, random_state=0).fit_transform(z)),
        ("pca", large, {}, lambda z: PCA(K, random_state=0).fit_transform(z)),
        ("snmf", small, {"alpha": 1.0, "steps": 100}, lambda z: sparse().fit_transform(z)),
    ]
    table = Table(
        f"Decomposition, k = {K}, against scikit-learn itself",
        ("method", "states", "scikit-learn, CPU s", "ours, CPU s", "×", "target"),
        notes=["Beside the fit: checks, the share explained, activations, the result as it is stored."],
    )
    for method, z, options, theirs in cases:
        runs = {"theirs": lambda theirs=theirs, z=z: theirs(z), "ours": operation(z, method, options)}
        times = take_turns(runs, ROUNDS[method])
        found = ratio(times, "ours", "theirs")
        size = f"{z.shape[0]:,} × {z.shape[1]:,}"
        cells = (median(times, "theirs"), median(times, "ours"), found, verdict(found, TARGET))
        table.add(method, size, *cells)
    return table


def strengths(folder: Path) -> Table:
    """A whole program with five strengths, against the same with one."""
    save_model(folder, MIDDLE)
    (folder / "texts.txt").write_text("\n".join(sentences(TEXTS, MIDDLE, 8, 16)) + "\n")
    (folder / "words.txt").write_text("".join(f"w{i}\n" for i in range(1, MIDDLE.vocabulary)))
    programs = {}
    for name, values in (("one", STRENGTHS[-1:]), ("five", STRENGTHS)):
        programs[name] = folder / f"{name}.steer"
        programs[name].write_text(PROGRAM.format(strengths=list(values)))
    runs = {n: (lambda path=path: run_program(path, folder, ("found",))) for n, path in programs.items()}
    times = take_turns(runs, ROUNDS["sweep"])
    table = Table(
        f"Recovery at five strengths of a shift, {MIDDLE.label}, {TEXTS} texts, {K} concepts, against one",
        ("one, CPU s", "five, CPU s", "five / one", "target"),
        notes=["Whole programs with a store of their own: two models read, two dictionaries, words of all concepts."],
    )
    found = ratio(times, "five", "one")
    table.add(median(times, "one"), median(times, "five"), found, verdict(found, SWEEP_TARGET))
    return table


def main() -> None:
    one_thread()
    with tempfile.TemporaryDirectory() as name:
        tables = [decomposition()]
        write("concepts", tables)
        write("concepts", [*tables, strengths(Path(name))])


if __name__ == "__main__":
    main()
