"""Composing task vectors: whole commands on a made bfloat16 model in four shards, beside mergekit in the same run and
beside the least work there is (the same bytes read, hashed and written).

    python benchmarks/weights.py [--layers 12] [--rounds 3] [--large] [--no-peer]

`--large` also composes a model of a billion random parameters, once; it needs 9 GB of disk for a while. mergekit is
installed into `benchmarks/.peers` on first use and left out, with a message, where it cannot be had.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
import venv
from collections.abc import Callable
from pathlib import Path

from measuring import Table, anonymous_memory, cpu_seconds, median, ratio, take_turns, verdict, write

ROOT = Path(__file__).resolve().parents[1]
PEER = Path(__file__).resolve().parent / ".peers" / "mergekit"
MERGEKIT = "mergekit==0.1.5"
WIDTH, VOCABULARY = 768, 32_000
MANY = 10_000
WEIGHTS = {"a": 0.3, "b": 0.4}

PROGRAM = """steerlang 1
model base = hf("base")
model a = hf("a")
model b = hf("b")
export out = checkpoint({edit}, to = "out/steerlang-{name}", max_shard_size = 70MiB, overwrite = true)
"""
EDITS = {
    "linear": "base + 0.3 * (a - base) + 0.4 * (b - base)",
    "ties": "base + compose([a - base, b - base], coefficients = [0.3, 0.4], method = ties(density = 0.2))",
    "dare": "base + compose([a - base, b - base], coefficients = [0.3, 0.4], method = dare(density = 0.2))",
    "della": "base + compose([a - base, b - base], coefficients = [0.3, 0.4], method = della(density = 0.5))",
    "breadcrumbs": "base + compose([a - base, b - base], coefficients = [0.3, 0.4], method = breadcrumbs)",
    "consensus": "base + compose([a - base, b - base], coefficients = [0.3, 0.4], method = consensus)",
}
# The same by mergekit, whose `normalize` divides by the weights instead of the number that agrees: it is left out.
PEERS = {
    "linear": ("task_arithmetic", {}),
    "ties": ("ties", {"density": 0.2}),
}
#: CPU seconds of the whole command, and share of mergekit's.
TARGETS = {"linear": (3.0, 1 / 4), "ties": (8.0, 1 / 6)}
MEMORY = 100.0


def shapes(layers: int, width: int = WIDTH) -> dict[str, tuple[int, ...]]:
    """Names and shapes of a Llama: 134 million parameters with 12 layers."""
    hidden = width * 8 // 3
    found: dict[str, tuple[int, ...]] = {"model.embed_tokens.weight": (VOCABULARY, width)}
    for layer in range(layers):
        at = f"model.layers.{layer}"
        for name in ("q", "k", "v", "o"):
            found[f"{at}.self_attn.{name}_proj.weight"] = (width, width)
        found |= {f"{at}.mlp.{name}_proj.weight": (hidden, width) for name in ("gate", "up")}
        found[f"{at}.mlp.down_proj.weight"] = (width, hidden)
        found |= {f"{at}.{name}_layernorm.weight": (width,) for name in ("input", "post_attention")}
    return {**found, "model.norm.weight": (width,), "lm_head.weight": (VOCABULARY, width)}


def config(layers: int, width: int) -> str:
    return json.dumps({
        "model_type": "llama", "architectures": ["LlamaForCausalLM"], "vocab_size": VOCABULARY, "dtype": "bfloat16",
        "hidden_size": width, "intermediate_size": width * 8 // 3, "num_hidden_layers": layers,
        "num_attention_heads": width // 64, "num_key_value_heads": width // 64, "tie_word_embeddings": False,
    })  # fmt: skip


def make(folder: Path, layers: int, seed: int, base: Path | None = None, width: int = WIDTH) -> None:
    """A random checkpoint in four shards; fine-tunes differ from their base by 2 % of the weights' scale."""
    import numpy as np

    from steerlang.weights.checkpoint import Checkpoint
    from steerlang.weights.dtypes import from_float32, to_float32
    from steerlang.weights.layout import index_file, shards
    from steerlang.weights.planning import Output

    folder.mkdir(parents=True)
    outputs = [Output(name, "BF16", shape, "copied") for name, shape in shapes(layers, width).items()]
    files = shards(outputs, sum(o.size for o in outputs) // 4 + 2**22)
    old = Checkpoint.open(base) if base else None
    chance = np.random.default_rng(seed)
    for shard in files:
        with (folder / shard.file).open("wb") as file:
            file.write(shard.header)
            for output in shard.outputs:
                for start in range(0, output.size // 2, 2**22):
                    count = min(2**22, output.size // 2 - start)
                    values = chance.standard_normal(count, np.float32) * np.float32(0.0004 if old else 0.02)
                    if old:
                        values += to_float32(old.stored(output.name)[start : start + count], "BF16")
                    file.write(from_float32(values, "BF16").tobytes())
    (folder / "model.safetensors.index.json").write_bytes(index_file(files))
    (folder / "config.json").write_text(config(layers, width))


def project(folder: Path, layers: int, width: int = WIDTH) -> None:
    """A base, two fine-tunes, and a program for every method."""
    make(folder / "base", layers, 0, width=width)
    for number, name in enumerate(WEIGHTS, start=1):
        make(folder / name, layers, number, folder / "base", width)
    (folder / "pyproject.toml").write_text("")
    for name, edit in EDITS.items():
        (folder / f"{name}.steer").write_text(PROGRAM.format(edit=edit, name=name))
    for name, (method, options) in PEERS.items():
        (folder / f"{name}.yml").write_text(recipe(method, options, folder))


def recipe(method: str, options: dict[str, float], folder: Path) -> str:
    models = [
        {"model": str(folder / name), "parameters": {"weight": weight, **options}} for name, weight in WEIGHTS.items()
    ]
    document = {
        "merge_method": method, "base_model": str(folder / "base"), "models": models,
        "parameters": {"normalize": False}, "dtype": "bfloat16",
    }  # fmt: skip
    return json.dumps(document)  # JSON is YAML


def ours(folder: Path, name: str) -> list[str]:
    return [sys.executable, "-m", "steerlang", "run", str(folder / f"{name}.steer"), "-q", "--cache-dir",
            str(folder / "cache")]  # fmt: skip


def theirs(folder: Path, name: str) -> list[str]:
    return [str(PEER / "bin" / "mergekit-yaml"), str(folder / f"{name}.yml"), str(folder / "out" / f"mergekit-{name}"),
            "--out-shard-size", "70M"]  # fmt: skip


def environment() -> dict[str, str]:
    threads = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")
    # As when it is installed: modules are compiled once, not at every start.
    kept = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    return {**kept, **threads, "PYTHONPATH": str(ROOT), "HF_HUB_OFFLINE": "1"}


def carried_out(command: list[str]) -> float:
    """The largest anonymous memory of a command in MiB. Raises when it fails."""
    peak = 0
    with tempfile.TemporaryFile("w+") as said:
        process = subprocess.Popen(command, env=environment(), stdout=said, stderr=said)
        while process.poll() is None:
            peak = max(peak, anonymous_memory(process.pid))
            time.sleep(0.005)
        if process.returncode:
            said.seek(0)
            raise SystemExit(f"{' '.join(command)} failed:\n{said.read()[-3000:]}")
    return peak / 2**20


def floor(folder: Path) -> None:
    """Reads all inputs once, writes one of them, and hashes what is written: what a receipt cannot do without."""
    (folder / "out").mkdir(exist_ok=True)
    with (folder / "out" / "copy.bin").open("wb") as out:
        for name in ("base", *WEIGHTS):
            total = hashlib.sha256()
            for path in sorted((folder / name).glob("*.safetensors")):
                with path.open("rb") as file:
                    while data := file.read(2**20):
                        if name == "base":
                            total.update(data)
                            out.write(data)


def interpreter() -> float:
    """Anonymous MiB of the interpreter with numpy, which every figure contains."""
    return carried_out([sys.executable, "-c", "import numpy, time; time.sleep(0.3)"])


def commands(folder: Path, rounds: int, peer: bool) -> Table:
    table = Table(
        "base + 0.3 (a − base) + 0.4 (b − base), 134 million parameters, bfloat16, four shards: whole commands",
        ("command", "CPU s", "× floor", "× mergekit 0.1.5", "peak MiB over the interpreter", "targets"),
    )
    names = list(EDITS) if rounds > 1 else ["linear", "ties"]
    peaks: dict[str, float] = {}

    def run(label: str, command: list[str]) -> Callable[[], None]:
        def go() -> None:
            peaks[label] = max(peaks.get(label, 0.0), carried_out(command))

        return go

    variants: dict[str, Callable[[], object]] = {"floor": lambda: floor(folder)}
    variants |= {f"steerlang, {n}": run(f"steerlang, {n}", ours(folder, n)) for n in ("linear", "ties")}
    if peer:
        variants |= {f"mergekit, {n}": run(f"mergekit, {n}", theirs(folder, n)) for n in PEERS}
    times = take_turns(variants, rounds)
    empty = interpreter()
    table.add("floor: read, hash, write", median(times, "floor"), 1.0, "", "", "")
    for name in [n for n in variants if n != "floor"]:
        method = name.split(", ")[1]
        against, said = "", ""
        if name.startswith("steerlang"):
            most, share = TARGETS[method]
            said = f"CPU s {verdict(median(times, name), most)}"
            if peer:
                against = ratio(times, name, f"mergekit, {method}")
                said += f"; share {verdict(against, round(share, 3))}"
            said += f"; MiB {verdict(peaks[name] - empty, MEMORY)}"
        table.add(name, median(times, name), ratio(times, name, "floor"), against, peaks[name] - empty, said)
    for name in [n for n in names if n not in ("linear", "ties")]:
        before = cpu_seconds()
        peak = carried_out(ours(folder, name))
        spent = cpu_seconds() - before
        share = spent / median(times, "floor")
        table.add(f"steerlang, {name} (once)", spent, share, "", peak - empty, f"MiB {verdict(peak - empty, MEMORY)}")
    table.notes += [
        "Each command starts, checks, hashes what it reads (once; digests are remembered by size and time), composes, "
        "writes a complete folder with a receipt, and ends. The warm-up round, in which inputs are hashed, is not "
        "counted; torch is not imported.",
        f"The interpreter with numpy takes {empty:.0f} MiB, which is subtracted from all peaks.",
    ]
    return table


def cold(folder: Path) -> float:
    """CPU seconds of the first run, which hashes all inputs."""
    shutil.rmtree(folder / "cache", ignore_errors=True)
    before = cpu_seconds()
    carried_out(ours(folder, "linear"))
    return cpu_seconds() - before


def many_tensors(folder: Path) -> Table:
    """Planning and bookkeeping for small tensors in great number."""
    import numpy as np

    from steerlang.weights.checkpoint import Checkpoint
    from steerlang.weights.coverage import coverage
    from steerlang.weights.dtypes import from_float32
    from steerlang.weights.expression import Difference, Edit
    from steerlang.weights.layout import shards
    from steerlang.weights.planning import Output, plan_edit

    table = Table(
        "Planning an edit of many small tensors, from headers to the coverage of every tensor",
        ("tensors", "CPU s", "µs a tensor", "target"),
    )
    for count in (MANY // 10, MANY):
        for number, name in enumerate(("base", "a")):
            place = folder / f"many{count}" / name
            place.mkdir(parents=True)
            outputs = [Output(f"layers.{i}.w.weight", "F32", (8,), "copied") for i in range(count)]
            (shard,) = shards(outputs, 1 << 40)
            data = from_float32(np.full(8 * count, number, np.float32), "F32").tobytes()
            (place / "model.safetensors").write_bytes(shard.header + data)
        before = cpu_seconds()
        models = {n: Checkpoint.open(folder / f"many{count}" / n, n) for n in ("base", "a")}
        found = coverage(plan_edit(Edit("base", 0.5 * Difference("a", "base")), models))
        spent = cpu_seconds() - before
        assert found.counts["computed"] == count
        table.add(f"{count:,}", spent, 1e6 * spent / count, verdict(spent, 2.0) if count == MANY else "")
    return table


def large(folder: Path) -> Table:
    """A billion parameters, once. The inputs take 6 GB and the result 2 GB."""
    free = shutil.disk_usage(folder).free
    if free < 10 * 2**30:
        raise SystemExit(f"--large needs 10 GiB of disk; {folder} has {free / 2**30:.0f}")
    project(folder / "large", 22, 1792)
    table = Table(
        "A random model of a billion parameters, bfloat16: one run of the whole command, inputs hashed",
        ("command", "parameters", "CPU s", "wall s", "peak MiB over the interpreter", "target"),
    )
    count = sum(a * (b[0] if b else 1) for a, *b in shapes(22, 1792).values())
    for name in ("linear", "ties"):
        before, start = cpu_seconds(), time.perf_counter()
        peak = carried_out(ours(folder / "large", name)) - interpreter()
        spent, wall = cpu_seconds() - before, time.perf_counter() - start
        table.add(f"steerlang, {name}", f"{count / 1e9:.2f} billion", spent, wall, peak, verdict(peak, MEMORY))
        shutil.rmtree(folder / "large" / "out")
    return table


def peer_ready() -> bool:
    """Whether mergekit is there; it is installed on first use."""
    if (PEER / "bin" / "mergekit-yaml").exists():
        return True
    print("installing mergekit …", file=sys.stderr)
    venv.create(PEER, with_pip=True, clear=True)
    pip = [PEER / "bin" / "python", "-m", "pip", "install", "-q", "torch==2.13.0", MERGEKIT]
    done = subprocess.run(pip, capture_output=True, text=True)
    if done.returncode:
        print(f"mergekit is left out: {done.stderr.strip()[-300:]}", file=sys.stderr)
    return not done.returncode


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--layers", type=int, default=12)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--folder", type=Path, help="where models are made, instead of a temporary folder")
    parser.add_argument("--large", action="store_true", help="also a model of a billion parameters")
    parser.add_argument("--no-peer", action="store_true", help="without mergekit")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        folder = given.folder or Path(temporary)
        if not (folder / "base").exists():
            project(folder, given.layers)
        first = cold(folder)
        table = commands(folder, given.rounds, not given.no_peer and peer_ready())
        table.notes.append(f"The first run of all, which also hashes the inputs, took {first:.1f} CPU seconds.")
        tables = [table, many_tensors(folder)]
        if given.large:
            tables.append(large(folder))
        write("weights", tables)


if __name__ == "__main__":
    main()
