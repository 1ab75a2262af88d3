"""Gates and schedules in a pass: what is refused, what is kept, what is read once."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from tiny_models import WIDTH, loaded_llama, random_directions, random_items

from steerlang.models import ATTENTION, MLP, RESIDUAL, Add, LoadedModel, Overlay, Point, SteeringAction, generate
from steerlang.models.errors import ModelError, WidthMismatch
from steerlang.models.gates import Both, Compare, CosineTo, NearestConcept, Not, ProjectionOn, Reading
from steerlang.models.scopes import PromptTokens

V = random_directions(1)
IDS = torch.tensor([item.ids for item in random_items(3, 2, 6, 6)])


def reading(layer: int, site: Any = RESIDUAL, **options: Any) -> Reading:
    return Reading(CosineTo(), Point(site, layer), V[0][0].clone(), **options)


def action(gate: Any, layer: int = 2, site: Any = RESIDUAL) -> SteeringAction:
    return SteeringAction(Add(), site, {layer: V[layer]}, (2.0,), gate=gate)


def test_a_gate_that_comes_too_late_is_an_error(llama: LoadedModel) -> None:
    with torch.no_grad():
        base = llama.model(input_ids=IDS).logits
    for late in (action(Compare(reading(3), ">", -2)), action(Compare(reading(2, MLP), ">", -2), site=ATTENTION)):
        with pytest.raises(ModelError, match="read later in the pass"), Overlay(llama, [(late,)]), torch.no_grad():
            llama.model(input_ids=IDS)
    with torch.no_grad():
        assert torch.equal(llama.model(input_ids=IDS).logits, base)


def test_a_gate_at_its_own_place_sees_the_state_before_any_action_there(llama: LoadedModel) -> None:
    """The second action's gate would open only after the first has acted."""
    strong = SteeringAction(Add(), RESIDUAL, {2: 100 * V[0]}, (1.0,))
    gated = action(Compare(reading(2), ">", 0.9))
    with Overlay(llama, [(strong, gated)]), torch.no_grad():
        both = llama.model(input_ids=IDS).logits
    with Overlay(llama, [(strong,)]), torch.no_grad():
        assert torch.equal(llama.model(input_ids=IDS).logits, both)


def test_a_gate_sees_what_was_done_before_it(llama: LoadedModel) -> None:
    strong = SteeringAction(Add(), RESIDUAL, {1: 100 * V[0]}, (1.0,))
    opened, shut = action(Compare(reading(1 + 1, site=RESIDUAL), ">", 0.9), layer=3), action(
        Compare(reading(2), "<=", 0.9), layer=3
    )
    with torch.no_grad():
        with Overlay(llama, [(strong,)]):
            alone = llama.model(input_ids=IDS).logits
        with Overlay(llama, [(strong, opened)]):
            assert not torch.allclose(llama.model(input_ids=IDS).logits, alone, atol=1e-3)
        with Overlay(llama, [(strong, shut)]):
            assert torch.equal(llama.model(input_ids=IDS).logits, alone)


def test_equal_readings_are_one_and_are_read_once_for_all_rows(
    llama: LoadedModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A sweep over thresholds reads one number; kept, it is read on the prompt alone."""
    calls: list[tuple[int, ...]] = []
    of = CosineTo.of

    def counted(self: CosineTo, h: torch.Tensor, direction: torch.Tensor) -> torch.Tensor:
        calls.append(tuple(h.shape))
        return of(self, h, direction)

    monkeypatch.setattr(CosineTo, "of", counted)
    recipes = [(action(Compare(reading(0), ">", bound)),) for bound in (-0.5, 0.0, 0.5)]
    assert reading(0) == reading(0)
    assert hash(reading(0)) == hash(reading(0))
    assert reading(0) != reading(1)
    items = random_items(3, 2, 6, 6)
    generate(llama, items, max_new_tokens=5, recipes=recipes, rows=[0, 1, 2], end_ids=frozenset())
    assert calls == [(3, WIDTH)]
    calls.clear()
    each = (action(Compare(reading(0, each="token"), ">", 0.0)),)
    generate(llama, items, max_new_tokens=5, recipes=[each], end_ids=frozenset())
    assert calls == [(3, 6, WIDTH), *[(3, 1, WIDTH)] * 4]


def test_a_gate_that_nobody_needs_is_not_read(llama: LoadedModel, monkeypatch: pytest.MonkeyPatch) -> None:
    def never(*_: object) -> torch.Tensor:
        raise AssertionError("read for nothing")

    monkeypatch.setattr(ProjectionOn, "of", never)
    gate = Compare(Reading(ProjectionOn(), Point(RESIDUAL, 0), V[0][0]), ">", 0.0)
    with Overlay(llama, [(action(gate).times(0.0),)]) as overlay, torch.no_grad():
        assert not overlay.steers
        llama.model(input_ids=IDS)


def test_a_decision_is_kept_and_follows_its_row_when_others_leave(llama: LoadedModel) -> None:
    gate = Both(Compare(reading(0), ">", -2), Not(Compare(reading(1), ">", 2)))
    mixed = [(action(gate),), (action(Not(gate)),)]
    with Overlay(llama, mixed, rows=[0, 1, 0]) as overlay, torch.no_grad():
        first = llama.model(input_ids=IDS, use_cache=True)
        cache = first.past_key_values
        cache.batch_select_indices(torch.tensor([1, 2]))
        overlay.keep(torch.tensor([1, 2]))
        found = llama.model(input_ids=IDS[1:, :1], past_key_values=cache).logits
    for row, recipe in ((1, mixed[1]), (2, mixed[0])):
        with Overlay(llama, [recipe]), torch.no_grad():
            alone = llama.model(input_ids=IDS[row : row + 1], use_cache=True)
            wanted = llama.model(input_ids=IDS[row : row + 1, :1], past_key_values=alone.past_key_values).logits
        torch.testing.assert_close(found[row - 1], wanted[0], rtol=1e-4, atol=1e-4)


def test_prompt_tokens_alone_may_be_gated(llama: LoadedModel) -> None:
    gate = Compare(reading(0), ">", -2)
    gated = SteeringAction(Add(), RESIDUAL, {2: V[2]}, (2.0,), PromptTokens(), gate=gate)
    plain = SteeringAction(Add(), RESIDUAL, {2: V[2]}, (2.0,), PromptTokens())
    items = random_items(3, 2, 6, 6)
    found = [generate(llama, items, max_new_tokens=4, recipes=[(a,)], end_ids=frozenset()) for a in (gated, plain)]
    assert found[0] == found[1]


@pytest.mark.parametrize("direction", [torch.zeros(WIDTH), torch.full((WIDTH,), float("nan")), torch.ones(2, WIDTH)])
def test_what_is_no_direction(direction: torch.Tensor) -> None:
    with pytest.raises(ModelError, match="no direction"):
        Reading(CosineTo(), Point(RESIDUAL, 0), direction)


def test_a_gate_of_another_width_is_refused(llama: LoadedModel) -> None:
    gate = Compare(Reading(CosineTo(), Point(RESIDUAL, 0), torch.ones(WIDTH + 1)), ">", 0)
    with pytest.raises(WidthMismatch):
        Overlay(llama, [(action(gate),)])


def test_a_gate_on_the_nearest_of_some_rows() -> None:
    """Each token of each row is steered where its own state is nearest to the row of that number."""
    llama = loaded_llama()  # asked for hidden states, the library leaves hooks of its own on a model
    with torch.no_grad():
        states = llama.model(input_ids=IDS, output_hidden_states=True).hidden_states[2]
    rows = torch.randn(3, WIDTH, generator=torch.Generator().manual_seed(0)) * states.std()
    near = NearestConcept(tuple((-0.5 * (rows**2).sum(1)).tolist()))
    reading = Reading(near, Point(RESIDUAL, 1), rows, each="token")
    wanted = torch.cdist(states, rows.expand(len(IDS), 3, WIDTH)).argmin(-1)
    assert len(wanted.unique()) > 1
    for number in range(3):
        acts = SteeringAction(Add(), RESIDUAL, {3: V[3]}, (2.0,), gate=Compare(reading, "==", number))
        rests = SteeringAction(Add(), RESIDUAL, {3: V[3]}, (2.0,), gate=Compare(reading, "!=", number))
        for action, opened in ((acts, wanted == number), (rests, wanted != number)):
            plain = _block(llama, 3)
            with Overlay(llama, [(action,)]):
                steered = _block(llama, 3)
            assert torch.equal((steered - plain).norm(dim=-1) > 1e-3, opened)


def _block(loaded: LoadedModel, layer: int) -> torch.Tensor:
    """What a block gives, unsteered."""
    found: list[torch.Tensor] = []
    hook = loaded.layout.blocks[layer].register_forward_hook(
        lambda _m, _i, out: found.append(out[0] if isinstance(out, tuple) else out)
    )
    with torch.no_grad():
        loaded.model(input_ids=IDS)
    hook.remove()
    return found[0]


def test_rows_of_another_width_are_refused(llama: LoadedModel) -> None:
    reading = Reading(NearestConcept((0.0, 0.0)), Point(RESIDUAL, 0), torch.ones(2, WIDTH + 1))
    with pytest.raises(WidthMismatch), Overlay(llama, [(action(Compare(reading, "==", 1)),)]):
        pass
