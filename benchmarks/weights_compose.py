"""Composing task vectors of a made bfloat16 model in four shards: CPU seconds and peak anonymous memory, each in a
process of its own, beside the physical limit (the same bytes read and written by plain copies).

    python benchmarks/weights_compose.py [--layers 12] [--vectors 2]
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

METHODS = ("copy", "linear", "ties", "dare", "della", "breadcrumbs", "consensus")
WIDTH, VOCABULARY = 768, 32_000


def shapes(layers: int) -> dict[str, tuple[int, ...]]:
    """Names and shapes of a Llama: 134 million parameters with 12 layers."""
    hidden = WIDTH * 8 // 3
    found: dict[str, tuple[int, ...]] = {"model.embed_tokens.weight": (VOCABULARY, WIDTH)}
    for layer in range(layers):
        at = f"model.layers.{layer}"
        for name in ("q", "k", "v", "o"):
            found[f"{at}.self_attn.{name}_proj.weight"] = (WIDTH, WIDTH)
        found |= {f"{at}.mlp.{name}_proj.weight": (hidden, WIDTH) for name in ("gate", "up")}
        found[f"{at}.mlp.down_proj.weight"] = (WIDTH, hidden)
        found |= {f"{at}.{name}_layernorm.weight": (WIDTH,) for name in ("input", "post_attention")}
    return {**found, "model.norm.weight": (WIDTH,), "lm_head.weight": (VOCABULARY, WIDTH)}


def make(folder: Path, layers: int, seed: int, base: Path | None = None) -> None:
    """A random checkpoint in four shards; fine-tunes differ from their base by 2 % of the weights' scale."""
    import numpy as np

    from steerlang.weights.dtypes import from_float32, to_float32
    from steerlang.weights.layout import index_file, shards
    from steerlang.weights.planning import Output

    folder.mkdir()
    outputs = [Output(name, "BF16", shape, "copied") for name, shape in shapes(layers).items()]
    files = shards(outputs, sum(o.size for o in outputs) // 4 + 2**22)
    chance = np.random.default_rng(seed)
    for shard in files:
        old = load_raw(base / shard.file) if base else {}
        with (folder / shard.file).open("wb") as file:
            file.write(shard.header)
            for output in shard.outputs:
                count = output.size // 2
                values = chance.standard_normal(count, np.float32) * np.float32(0.02 if not base else 0.0004)
                if base:
                    values += to_float32(old[output.name], "BF16")
                file.write(from_float32(values, "BF16").tobytes())
    (folder / "model.safetensors.index.json").write_bytes(index_file(files))
    (folder / "config.json").write_text(
        json.dumps({"model_type": "llama", "vocab_size": VOCABULARY, "dtype": "bfloat16"})
    )


def load_raw(path: Path) -> dict[str, object]:
    """The tensors of one file as stored bits."""
    from steerlang.weights.checkpoint import Checkpoint

    found = Checkpoint.of_file(path)
    return {name: found.stored(name) for name in found.names}


def work(method: str, folder: Path, vectors: int) -> None:
    """One variant, in this process."""
    if method == "copy":
        plain_copy(folder, vectors)
        return
    from steerlang.exports.checkpoint import export_checkpoint
    from steerlang.weights.checkpoint import Checkpoint
    from steerlang.weights.expression import Composed, Difference, Edit, Sum
    from steerlang.weights.planning import plan_edit

    tuned = [f"tuned{i % 2}" for i in range(vectors)]
    taus = tuple(Difference(f"{name}#{i}", "base") for i, name in enumerate(tuned))
    scales = tuple(0.3 + 0.1 * i for i in range(vectors))
    change = Sum(tuple(t * s for t, s in zip(taus, scales, strict=True)))
    models = {"base": Checkpoint.open(folder / "base", "base")}
    models |= {f"{name}#{i}": Checkpoint.open(folder / name, f"{name}#{i}") for i, name in enumerate(tuned)}
    edit = Edit("base", change if method == "linear" else Composed(taus, scales, method))
    plan = plan_edit(edit, models)
    numbers = export_checkpoint(plan, folder / "out" / method, overwrite=True, max_shard_size=70 * 2**20)["numbers"]
    print(json.dumps({"survived": numbers["change"]["survived"]}), file=sys.stderr)


def plain_copy(folder: Path, vectors: int) -> None:
    """Reads all inputs once and writes one of them: what no implementation can do without."""
    (folder / "out").mkdir(exist_ok=True)
    for number in range(vectors + 1):
        source = folder / ("base" if number == 0 else f"tuned{(number - 1) % 2}")
        for path in source.glob("*.safetensors"):
            with path.open("rb") as file, (folder / "out" / "copy.bin").open("wb") as out:
                while data := file.read(2**20):
                    if number == 0:
                        out.write(data)


def measured(method: str, folder: Path, vectors: int) -> dict[str, float]:
    """CPU seconds, seconds and peak anonymous MiB of one variant in a process of its own."""
    command = [sys.executable, __file__, "--child", method, "--folder", str(folder), "--vectors", str(vectors)]
    before, start = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    process = subprocess.Popen(command, env={**os.environ, "OPENBLAS_NUM_THREADS": "1"})
    peak = 0
    while process.poll() is None:
        peak = max(peak, anonymous(process.pid))
        time.sleep(0.01)
    if process.returncode:
        raise SystemExit(f"{method} failed")
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return {"cpu": cpu, "wall": time.perf_counter() - start, "peak": peak / 1024}


def anonymous(pid: int) -> int:
    """Anonymous memory of a process in KiB; 0 where the system does not tell."""
    try:
        for line in Path(f"/proc/{pid}/status").read_text().splitlines():
            if line.startswith("RssAnon"):
                return int(line.split()[1])
    except OSError:
        pass
    return 0


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--layers", type=int, default=12)
    parser.add_argument("--vectors", type=int, default=2)
    parser.add_argument("--methods", default=",".join(METHODS))
    parser.add_argument("--folder", type=Path)
    parser.add_argument("--child")
    given = parser.parse_args()
    if given.child:
        work(given.child, given.folder, given.vectors)
        return
    with tempfile.TemporaryDirectory() as temporary:
        folder = given.folder or Path(temporary)
        folder.mkdir(exist_ok=True)
        if not (folder / "base").exists():
            make(folder / "base", given.layers, 0)
            for number in range(2):
                make(folder / f"tuned{number}", given.layers, number + 1, folder / "base")
        print(f"{'method':12} {'CPU s':>7} {'wall s':>7} {'peak MiB':>9}")
        for method in given.methods.split(","):
            found = measured(method, folder, given.vectors)
            print(f"{method:12} {found['cpu']:7.2f} {found['wall']:7.2f} {found['peak']:9.1f}")


if __name__ == "__main__":
    main()
