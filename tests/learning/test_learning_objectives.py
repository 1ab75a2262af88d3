"""Objectives, constraints, penalties and selections, each against its formula."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest
import torch
from learning_models import Net, Rows, rows
from torch import Tensor, nn
from torch.nn import functional

from steerlang.learning import (
    Data,
    Entropy,
    LanguageModel,
    LearningError,
    Negate,
    Pool,
    SelfTraining,
    Settings,
    Strength,
    Supervised,
    block_gradient,
    learn,
    search,
)
from steerlang.learning.data import batch, permutation
from steerlang.learning.optimiser import penalty, step_size
from steerlang.learning.self_training import sharpened, trusted_rows
from steerlang.learning.settings import Penalty
from steerlang.weights.blocks import Blocks
from steerlang.weights.coefficients import ByBlock


@dataclass
class Texts:
    """Rows of unequal numbers of tokens: token t of a row is the argument of a classifier."""

    name: str
    module: nn.Module
    inputs: Tensor
    targets: Tensor
    lengths: list[int]

    @property
    def count(self) -> int:
        return len(self.lengths)

    def losses(self, rows: Sequence[int]) -> tuple[Tensor, int]:
        total = torch.zeros(())
        for row in rows:
            scores = self.module(self.inputs[row, : self.lengths[row]])
            total = total + functional.cross_entropy(scores, self.targets[row, : self.lengths[row]], reduction="sum")
        return total, sum(self.lengths[row] for row in rows)


def texts(net: Net) -> Texts:
    chance = torch.Generator().manual_seed(5)
    lengths = [1, 3, 2, 5, 4, 2]
    return Texts("texts", net, torch.randn(6, 5, 6, generator=chance), torch.randint(0, 4, (6, 5), generator=chance),
                 lengths)  # fmt: skip


def test_language_model_is_a_mean_over_tokens(net: Net, pool: Pool) -> None:
    """However the rows are cut into passes, the loss is Σ tokens / number of tokens."""
    index, data = pool.index(Blocks()), texts(net)
    net.eval()
    flat = [(row, t) for row, length in enumerate(data.lengths) for t in range(length)]
    inputs, targets = (torch.stack([x[row, t] for row, t in flat]) for x in (data.inputs, data.targets))
    wanted = functional.cross_entropy(net(inputs), targets).item()
    found = [block_gradient(net, pool, index, Data((data,)), LanguageModel(), batch_size=size) for size in (6, 1, 4)]
    for one in found:
        assert one.loss == pytest.approx(wanted, rel=1e-6)
        torch.testing.assert_close(one.values, found[0].values, atol=1e-7, rtol=1e-4)
    learned = learn(net, pool, index, Data((data,)), Settings(LanguageModel(), steps=20, batch_size=6, lr=0.05))
    assert learned.history[-1].loss < learned.history[0].loss


def test_several_data_sets_are_added(net: Net, pool: Pool) -> None:
    index, sets = pool.index(Blocks()), (rows(net, 9, 1, "one"), rows(net, 30, 2, "two"))
    parts = [block_gradient(net, pool, index, Data((one,)), Supervised()) for one in sets]
    both = block_gradient(net, pool, index, Data(sets), Supervised())
    assert both.loss == pytest.approx(sum(part.loss for part in parts), rel=1e-9)
    torch.testing.assert_close(both.values, parts[0].values + parts[1].values, atol=1e-9, rtol=1e-6)


def test_negation_subtracts_the_target(net: Net, pool: Pool) -> None:
    index, target, control = pool.index(Blocks()), rows(net, 9, 1, "target"), rows(net, 30, 2, "control")
    up, down = (block_gradient(net, pool, index, Data((one,)), Supervised()) for one in (target, control))
    both = block_gradient(net, pool, index, Data((target,), control), Negate())
    assert both.loss == pytest.approx(down.loss - up.loss, rel=1e-6)
    torch.testing.assert_close(both.values, down.values - up.values, atol=1e-9, rtol=1e-6)


def test_entropy(net: Net, pool: Pool) -> None:
    examples = rows(net, labelled=False)
    net.eval()
    p = net(examples.inputs).softmax(-1)
    found = block_gradient(net, pool, pool.index(Blocks()), Data((examples,)), Entropy())
    assert found.loss == pytest.approx(-(p * p.log()).sum(-1).mean().item(), rel=1e-5)


def answering(net: Net, seed: int, name: str) -> Rows:
    """A data set whose labels are what the base says."""
    examples = rows(net, 40, seed, name)
    net.eval()
    examples.labels = net(examples.inputs).argmax(-1)
    return examples


def test_negation_keeps_the_best_feasible_step(net: Net, pool: Pool) -> None:
    target, control = answering(net, 1, "target"), answering(net, 2, "control")
    control.inputs = target.inputs + 3.0
    net.eval()
    control.labels = net(control.inputs).argmax(-1)
    settings = Settings(Negate(0.5), steps=12, batch_size=40, lr=0.1, schedule="constant", evaluate_every=1)
    found = learn(net, pool, pool.index(Blocks()), Data((target,), control), settings)
    feasible = [trial for trial in found.trials if trial.feasible]
    assert [t.feasible for t in found.trials] == [t.scores["control"] >= 0.5 for t in found.trials]
    lowest = min(trial.score for trial in feasible)
    assert lowest < 1.0
    assert found.feasible
    chosen = next(trial for trial in found.trials if trial.step == found.chosen)
    assert chosen.score == lowest
    assert chosen.feasible
    assert found.chosen == next(trial.step for trial in feasible if trial.score == lowest)


def test_infeasible_negation_gives_the_base(net: Net, pool: Pool) -> None:
    """The control may not lose a single row, and one large step loses some."""
    target, control = answering(net, 1, "target"), answering(net, 2, "control")
    data = Data((target,), control)
    settings = Settings(Negate(1.0), steps=1, batch_size=40, lr=3.0, schedule="constant")
    found = learn(net, pool, pool.index(Blocks()), data, settings)
    assert found.feasible is False
    assert not found.values.any()
    assert "coefficients are 0" in found.why
    assert found.base is not None
    assert found.base.scores == {"target": 1.0, "control": 1.0}
    grid = search(net, pool, pool.index(Blocks()), data, Negate(1.01), grid=(0.0, 1.0))
    assert grid.feasible is False
    assert not grid.values.any()


def test_best_by_held_out_accuracy(net: Net, pool: Pool) -> None:
    """The first step with the highest held-out accuracy; λ = 0 where no step beats the base."""
    few, held = rows(net, 16, 1), rows(net, 30, 2, "held")
    settings = Settings(steps=10, batch_size=8, lr=0.1, select="best", evaluate_every=1)
    found = learn(net, pool, pool.index(Blocks()), Data((few,), select=(held,)), settings)
    scores = [trial.scores["held"] for trial in found.trials]
    assert len(scores) == 10
    assert found.base is not None
    if max(scores) > found.base.scores["held"]:
        assert found.chosen == scores.index(max(scores)) + 1
    held.labels = net.eval()(held.inputs).argmax(-1)
    again = learn(net, pool, pool.index(Blocks()), Data((few,), select=(held,)), settings)
    assert again.chosen == 0
    assert not again.values.any()
    assert "base" in again.why


def test_unlabelled_objectives_select_by_their_loss(net: Net, pool: Pool) -> None:
    few = rows(net, 16, labelled=False)
    settings = Settings(Entropy(), steps=6, batch_size=16, lr=0.05, select="best", evaluate_every=1)
    found = learn(net, pool, pool.index(Blocks()), Data((few,)), settings)
    losses = [trial.scores["few"] for trial in found.trials]
    assert found.chosen == losses.index(min(losses)) + 1
    with pytest.raises(LearningError) as caught:
        Settings(Entropy(), steps=1, criterion="accuracy")
    assert caught.value.code.id == "SL461"


@pytest.mark.parametrize("objective", [Supervised(), Negate()])
def test_labels_are_required(net: Net, pool: Pool, objective: Any) -> None:
    bare, control = rows(net, labelled=False), rows(net, 5, 3, "control")
    data = Data((bare,), control if isinstance(objective, Negate) else None)
    with pytest.raises(LearningError, match="`few` has no labels") as caught:
        learn(net, pool, pool.index(Blocks()), data, Settings(objective, steps=1))
    assert caught.value.code.id == "SL458"


def wrong_data(net: Net) -> dict[str, tuple[Any, Data, str]]:
    few = rows(net)
    empty = rows(net, 24, 0, "empty")
    empty.inputs = empty.inputs[:0]
    return {
        "nothing": (Supervised(), Data(()), "SL464"),
        "no control": (Negate(), Data((few,)), "SL464"),
        "useless control": (Supervised(), Data((few,), few), "SL464"),
        "two to adapt to": (SelfTraining(), Data((few, few)), "SL464"),
        "one name": (Supervised(), Data((few, few)), "SL464"),
        "texts to classify": (Supervised(), Data((texts(net),)), "SL464"),
        "rows as texts": (LanguageModel(), Data((few,)), "SL464"),
        "empty": (Supervised(), Data((empty,)), "SL453"),
    }


@pytest.mark.parametrize("case", list(wrong_data(Net())))
def test_data_that_do_not_fit(net: Net, pool: Pool, case: str) -> None:
    objective, data, code = wrong_data(net)[case]
    with pytest.raises(LearningError) as caught:
        learn(net, pool, pool.index(Blocks()), data, Settings(objective, steps=1))
    assert caught.value.code.id == code


@pytest.mark.parametrize("options", [
    {}, {"steps": 1, "epochs": 1}, {"steps": 0}, {"steps": 1, "lr": -1.0}, {"steps": 1, "lr": math.nan},
    {"steps": 1, "batch_size": 0}, {"steps": 1, "clip": -1.0},
])  # fmt: skip
def test_settings_out_of_bounds(options: dict[str, Any]) -> None:
    with pytest.raises(LearningError) as caught:
        Settings(**options)
    assert caught.value.code.id == "SL401"


def test_a_loss_that_is_no_number(net: Net, pool: Pool) -> None:
    few, other = rows(net, 8), rows(net, 8, 3, "other")
    calls = 0

    def damage(logits: Tensor) -> Tensor:
        nonlocal calls
        calls += 1
        return logits / 0.0 if calls == 3 else logits

    other.damage = damage
    with pytest.raises(LearningError, match="step 2, on `other`, the loss is nan") as caught:
        learn(net, pool, pool.index(Blocks()), Data((few, other)), Settings(steps=5, batch_size=8))
    assert caught.value.code.id == "SL808"


@pytest.mark.parametrize("p", [1, 2])
def test_penalty(net: Net, pool: Pool, p: Any) -> None:
    """γ · mean over blocks of ‖λ_·j‖_p, in the loss and in the gradient; at 0 its gradient is 0."""
    values = torch.tensor([[3.0, 0.0, -1.0], [4.0, 0.0, 2.0]], requires_grad=True)
    found = penalty(values, Penalty(p, 0.3))
    norms = {1: [7.0, 0.0, 3.0], 2: [5.0, 0.0, math.sqrt(5)]}[p]
    assert found.item() == pytest.approx(0.3 * sum(norms) / 3)
    found.backward()
    assert values.grad is not None
    assert not values.grad[:, 1].any()
    few = rows(net, 8)
    options: dict[str, Any] = {"steps": 2, "batch_size": 8, "lr": 0.05}
    plain = learn(net, pool, pool.index(Blocks()), Data((few,)), Settings(**options))
    with_it = learn(net, pool, pool.index(Blocks()), Data((few,)), Settings(**options, penalty=Penalty(p, 0.5)))
    assert plain.history[0].loss == with_it.history[0].loss
    after_one = 0.05 * torch.ones(3, len(plain.blocks))
    assert with_it.history[1].loss - plain.history[1].loss == pytest.approx(
        penalty(after_one, Penalty(p, 0.5)).item(), abs=1e-3
    )


def test_step_sizes() -> None:
    cosine = Settings(steps=10, lr=0.2, warmup=2)
    found = [step_size(cosine, step, 10) for step in range(10)]
    assert found[:3] == [0.1, 0.2, 0.2]
    assert found[6] == pytest.approx(0.1)
    assert found[9] == pytest.approx(0.1 * (1 + math.cos(math.pi * 7 / 8)))
    assert step_size(Settings(steps=10, lr=0.2, schedule="constant"), 9, 10) == 0.2


def test_batches_are_a_function_of_seed_and_epoch() -> None:
    """Each epoch is a permutation of its own, and asking for later batches first changes nothing."""
    found = [batch(10, 4, 3, step, "few") for step in (5, 4, 3, 2, 1, 0)][::-1]
    assert found == [batch(10, 4, 3, step, "few") for step in range(6)]
    assert [len(b) for b in found] == [4, 4, 2, 4, 4, 2]
    assert sorted(found[0] + found[1] + found[2]) == sorted(found[3] + found[4] + found[5]) == list(range(10))
    assert found[:3] != found[3:]
    assert batch(10, 4, 4, 0, "few") != found[0] or batch(10, 4, 4, 1, "few") != found[1]
    assert not torch.equal(permutation(10, 3, 0, "few"), permutation(10, 3, 0, "other"))


def test_sharpened_predictions() -> None:
    p = torch.tensor([[0.81, 0.16, 0.03]])
    roots = np.sqrt(p.numpy())
    np.testing.assert_allclose(sharpened(p).numpy(), roots / roots.sum(), rtol=1e-6)


def test_trusted_rows() -> None:
    """Of each class the min(N // C, most) most confident rows that are predicted as it."""
    predicted = torch.tensor([[0.9, 0.1], [0.6, 0.4], [0.8, 0.2], [0.3, 0.7], [0.7, 0.3], [0.45, 0.55]])
    found, labels = trusted_rows(predicted, 100)
    assert found.tolist() == [0, 2, 3, 4, 5]
    assert labels.tolist() == [0, 0, 1, 0, 1]
    assert trusted_rows(predicted, 1)[0].tolist() == [0, 3]


def test_self_training_loss(net: Net, pool: Pool) -> None:
    """The loss of the first step, from the logits of weak and strong views."""
    examples = rows(net, 40, labelled=False)
    examples.damage = lambda logits: 8.0 * logits
    settings = Settings(SelfTraining(trusted=2, first=0.6, last=0.8), steps=5, batch_size=16, lr=0.1)
    found = learn(net, pool, pool.index(Blocks()), Data((examples,)), settings)
    strong = next(rows for rows, view in examples.seen if view.strength is Strength.STRONG)
    net.eval()
    from steerlang.learning import PLAIN, View

    zero_shot = examples.logits(range(40), PLAIN).softmax(-1).detach()
    trusted, classes = trusted_rows(zero_shot, 2)
    labels = dict(zip(trusted.tolist(), classes.tolist(), strict=True))
    assert sum(row in labels for row in strong) == 4
    weak = examples.logits(strong, View(Strength.WEAK, 0)).softmax(-1)
    logs = examples.logits(strong, View(Strength.STRONG, 0)).log_softmax(-1)
    total, counted = 0.0, 0
    for place, row in enumerate(strong):
        sigma = weak[place].sqrt() / weak[place].sqrt().sum()
        if row in labels:
            total, counted = total - logs[place, labels[row]].item(), counted + 1
        elif sigma.max() > 0.6:
            total, counted = total - (sigma * logs[place]).sum().item(), counted + 1
    assert counted > 4
    assert found.history[0].loss == pytest.approx(total / counted, rel=1e-5)
    # 40 rows, 12 others a batch: four steps an epoch, and a new trusted set with the second.
    plain = [number for number, (_, view) in enumerate(examples.seen) if view.strength is Strength.PLAIN]
    assert len(plain) == 3 * 2 + 1


def test_learning_lowers_the_loss_and_names_coefficients(net: Net, pool: Pool) -> None:
    examples, blocks = rows(net, 16, 4), Blocks(by="module")
    found = learn(net, pool, pool.index(blocks), Data((examples,)), Settings(epochs=30, batch_size=16, lr=0.1))
    assert len(found.history) == 30
    assert found.history[-1].loss < 0.8 * found.history[0].loss
    given = found.by_block(blocks)
    assert [isinstance(one, ByBlock) for one in given] == [True] * 3
    assert dict(given[1].values)["head"] == float(found.values[1, found.blocks.index("head")])


def test_initial_and_kept_coefficients(net: Net, pool: Pool) -> None:
    index, data = pool.index(Blocks()), Data((rows(net),))
    keep = torch.zeros(3, len(index.names), dtype=torch.bool)
    keep[1] = True
    start = 0.1 * torch.ones(3, len(index.names))
    found = learn(net, pool, index, data, Settings(steps=3, batch_size=8), keep=keep, initial=start)
    assert not found.values[~keep].any()
    assert found.values[keep].all()
    with pytest.raises(LearningError, match="`keep` is"):
        learn(net, pool, index, data, Settings(steps=1), keep=keep[:2])


def test_search_finds_the_best_scale(net: Net, pool: Pool) -> None:
    """Against evaluating each scale by hand; equal scores: the first."""
    from learning_models import through_merge

    index, examples = pool.index(Blocks()), rows(net, 60, 8)
    found = search(net, pool, index, Data((examples,)), Supervised())
    net.eval()
    right = []
    for step in range(21):
        values = torch.full((3, len(index.names)), step / 20)
        guess = through_merge(net, pool, index, values, examples.inputs).argmax(-1)
        right.append((guess == examples.labels).float().mean().item())
    assert [trial.scores["few"] for trial in found.trials] == pytest.approx(right, abs=1e-6)
    assert found.chosen == right.index(max(right))
    assert torch.equal(found.values, torch.full((3, len(index.names)), found.chosen / 20))
