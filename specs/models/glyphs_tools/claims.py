"""The three claims at this size, on the stored models and data files: addition, negation, adaptation without labels.

Zhang et al., "Knowledge Composition using Task Vectors with Learned Anisotropic Scaling" (NeurIPS 2024),
sections 4 and 5.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import torch
from torch import Tensor
from torch.nn.functional import cross_entropy

from .composing import Learning, Loss, Pool, learn, pool_of
from .files import load as load_split
from .model import head, load
from .tasks import CONTROL, SHIFTED, TASKS, TUNED

SEEDS = (0, 1, 2)
SCALES = [step / 20 for step in range(21)]
PER_TASK = 24  # images of each task in a step of addition


@dataclass(frozen=True)
class Bench:
    """What the claims are measured on: the pool, the heads, the splits read so far."""

    pool: Pool
    heads: Mapping[str, Tensor]
    data: Path
    read: dict[tuple[str, str], tuple[Tensor, Tensor]]

    def split(self, folder: str, name: str) -> tuple[Tensor, Tensor]:
        """Pixel values and labels."""
        if (folder, name) not in self.read:
            self.read[folder, name] = load_split(self.data, folder, name)
        return self.read[folder, name]

    def rows(self, folder: str) -> Tensor:
        """The head of a folder's task."""
        return self.heads[plain(folder)]

    @torch.no_grad()
    def accuracy(self, coefficients: Tensor, folder: str, split: str, pool: Pool | None = None) -> float:
        """Of the composed encoder with the task's own head."""
        seen, labels = self.split(folder, split)
        pool = pool or self.pool
        logits = pool.see(pool.compose(coefficients), seen) @ self.rows(folder).T
        return (logits.argmax(-1) == labels).float().mean().item()


def bench(models: Path, data: Path) -> Bench:
    """Read the stored models."""
    base, tokenizer = load(models / "glyphs")
    tuned = {name: load(models / f"glyphs-{name}")[0] for name in TUNED}
    heads = {name: head(base, tokenizer, task) for name, task in TASKS.items()}
    return Bench(pool_of(base, tuned), heads, data, {})


def drawn(split: tuple[Tensor, Tensor], count: int, draws: torch.Generator) -> tuple[Tensor, Tensor]:
    """A random part of a split."""
    chosen = torch.randperm(len(split[0]), generator=draws)[:count]
    return split[0][chosen], split[1][chosen] if len(split[1]) else split[1]


def plain(folder: str) -> str:
    """The task whose classes a folder shows."""
    return SHIFTED[folder][0] if folder in SHIFTED else folder


def mean(values: list[float]) -> float:
    """Arithmetic mean."""
    return sum(values) / len(values)


def zero(pool: Pool) -> Tensor:
    """The coefficients of the base."""
    return torch.zeros(len(pool.vectors), 1)


def table(bench: Bench) -> dict[str, dict[str, float]]:
    """Test accuracy of the base and of each fine-tune on each task."""
    of = {"glyphs": zero(bench.pool)}
    for i, name in enumerate(bench.pool.vectors):
        of[f"glyphs-{name}"] = torch.eye(len(bench.pool.vectors))[:, i : i + 1]
    folders = (*TASKS, *SHIFTED)
    return {model: {name: bench.accuracy(which, name, "test") for name in folders} for model, which in of.items()}


def addition(bench: Bench, how: Learning) -> dict[str, object]:
    """Learned coefficients of all tensors against the best scale of the sum, chosen on the same validation images."""

    def average(coefficients: Tensor, split: str) -> float:
        return mean([bench.accuracy(coefficients, name, split) for name in TUNED])

    def loss(composed: Mapping[str, Tensor], draws: torch.Generator) -> Tensor:
        parts = {name: drawn(bench.split(name, "validation"), PER_TASK, draws) for name in TUNED}
        embedded = bench.pool.see(composed, torch.cat([seen for seen, _ in parts.values()])).split(PER_TASK)
        return sum(cross_entropy(e @ bench.rows(name).T, labels)
                   for e, (name, (_, labels)) in zip(embedded, parts.items(), strict=True))  # type: ignore[return-value]  # fmt: skip

    scales = {scale: average(zero(bench.pool) + scale, "validation") for scale in SCALES}
    best = max(scales, key=lambda scale: scales[scale])
    learned = {seed: learn(bench.pool, loss, replace(how, seed=seed)) for seed in SEEDS}
    return {
        "base": average(zero(bench.pool), "test"),
        "tuned": mean([bench.accuracy(torch.ones(1, 1), name, "test", bench.pool.only(name)) for name in TUNED]),
        "scale": best,
        "single": average(zero(bench.pool) + best, "test"),
        "single_validation": scales[best],
        "learned": {seed: average(found, "test") for seed, found in learned.items()},
        "learned_validation": {seed: average(found, "validation") for seed, found in learned.items()},
    }


def negation(bench: Bench, target: str, how: Learning) -> dict[str, object]:
    """-CE(target) + CE(control) with the target's own vector; of the feasible coefficients the best are kept."""
    pool = bench.pool.only(target)
    least = 0.95 * bench.accuracy(zero(pool), CONTROL, "validation", pool)

    def loss(composed: Mapping[str, Tensor], draws: torch.Generator) -> Tensor:
        terms = []
        for folder in (target, CONTROL):
            seen, labels = drawn(bench.split(folder, "validation"), 48, draws)
            terms.append(cross_entropy(pool.see(composed, seen) @ bench.rows(folder).T, labels))
        return terms[1] - terms[0]

    def score(coefficients: Tensor) -> float:
        """Target accuracy where the control is kept, else more than any accuracy."""
        kept = bench.accuracy(coefficients, CONTROL, "validation", pool) >= least
        return bench.accuracy(coefficients, target, "validation", pool) if kept else 2.0

    def tested(coefficients: Tensor) -> dict[str, float]:
        return {name: bench.accuracy(coefficients, name, "test", pool) for name in (target, CONTROL)}

    singles = [zero(pool) - scale for scale in SCALES]
    found: dict[str, object] = {"base": tested(zero(pool)), "single": tested(min(singles, key=score)), "learned": {}}
    for seed in SEEDS:
        tried = [zero(pool).expand(-1, len(pool.blocks))]
        learn(pool, loss, replace(how, seed=seed), tried.append)
        found["learned"][seed] = tested(min(tried, key=score))  # type: ignore[index]
    return found


def entropy(bench: Bench, pool: Pool, folder: str) -> Loss:
    """Mean entropy of the predictions on unlabelled images."""

    def loss(composed: Mapping[str, Tensor], draws: torch.Generator) -> Tensor:
        seen, _ = drawn(bench.split(folder, "unlabelled"), 64, draws)
        log_p = (pool.see(composed, seen) @ bench.rows(folder).T).log_softmax(-1)
        return -(log_p.exp() * log_p).sum(-1).mean()

    return loss


def self_training(bench: Bench, pool: Pool, folder: str) -> Loss:
    """Cross-entropy on the surest images of each class (a third of all), chosen anew every ten steps."""
    seen, _ = bench.split(folder, "unlabelled")
    rows, trusted, steps = bench.rows(folder), torch.empty(0), 0

    def loss(composed: Mapping[str, Tensor], draws: torch.Generator) -> Tensor:
        nonlocal trusted, steps
        if steps % 10 == 0:
            with torch.no_grad():
                p = (pool.see(composed, seen) @ rows.T).softmax(-1)
            trusted = p.topk(max(1, len(seen) // len(rows) // 3), 0).indices
        steps += 1
        named = torch.arange(len(rows)).expand_as(trusted).flatten()
        part, labels = drawn((seen[trusted.flatten()], named), 64, draws)
        return cross_entropy(pool.see(composed, part) @ rows.T, labels)

    return loss


def adaptation(bench: Bench, folder: str, how: Learning) -> dict[str, object]:
    """Coefficients of the other tasks' vectors, learned on images without labels."""
    pool = bench.pool.without(plain(folder))
    found: dict[str, object] = {"base": bench.accuracy(zero(pool), folder, "test", pool)}
    for name, objective in (("entropy", entropy), ("self_training", self_training)):
        loss = objective(bench, pool, folder)
        found[name] = {seed: bench.accuracy(learn(pool, loss, replace(how, seed=seed)), folder, "test", pool)
                       for seed in SEEDS}  # fmt: skip
    return found


ADDING, NEGATING, ADAPTING = Learning(), Learning(steps=60), Learning(steps=60, rate=0.02)


def measure(bench: Bench) -> dict[str, object]:
    """All three, each over the seeds."""
    return {
        "addition": addition(bench, ADDING),
        "negation": {name: negation(bench, name, NEGATING) for name in TUNED},
        "adaptation": {name: adaptation(bench, name, ADAPTING) for name in (*TUNED, *SHIFTED)},
    }
