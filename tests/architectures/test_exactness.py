"""Laws of steering, on architectures that differ in what could break them: positions, norms, flattened MLPs, windows.

All actions, with gates and schedules: nothing is nothing, opposites cancel, order matters where it should, and how a
batch is made, padded, cached or searched changes nothing.
"""

from __future__ import annotations

import pytest
import torch
from architecture_zoo import DEPTH, VOCABULARY, WIDTH
from torch import Tensor

from steerlang.models import (
    MLP,
    RESIDUAL,
    RESIDUAL_IN,
    Ablate,
    Add,
    CaptureRequest,
    Clamp,
    LoadedModel,
    Operator,
    Overlay,
    Point,
    Recipe,
    Replace,
    Rotate,
    SteeringAction,
    TokenisedItem,
    capture,
    generate,
    points,
)
from steerlang.models.gates import Both, CastSimilarity, Compare, CosineTo, Either, Gate, Not, ProjectionOn, Reading
from steerlang.models.positions import All, Mean
from steerlang.models.schedules import Cosine, Exponential, Linear, Schedule, Window
from steerlang.models.scopes import AllTokens, FromToken, GeneratedTokens, LastPromptToken, PromptTokens

pytestmark = pytest.mark.parametrize(
    "architecture", ["llama", "gpt2", "gemma3", "falcon_alibi", "qwen3_moe"], indirect=True
)

OPERATORS: list[Operator] = [
    Add(), Add("keep"), Add("cap"), Rotate(), Rotate("none"), Ablate(), Clamp(1.5), Replace()
]  # fmt: skip
SCOPES = [AllTokens(), PromptTokens(), GeneratedTokens(), FromToken(4), LastPromptToken()]
SCHEDULES: list[Schedule | None] = [None, Linear(1.0, 0.25, 4), Cosine(3, 0.5), Exponential(2.0), Window(1, 4)]
LENGTHS = (6, 3, 8, 5)


def directions(seed: int, layers: tuple[int, ...] = tuple(range(DEPTH)), count: int = 1) -> dict[int, Tensor]:
    generator = torch.Generator().manual_seed(seed)
    return {layer: torch.randn(count, WIDTH, generator=generator) for layer in layers}


def items(seed: int = 0) -> list[TokenisedItem]:
    generator = torch.Generator().manual_seed(seed)
    return [
        TokenisedItem(tuple(torch.randint(3, VOCABULARY, (n,), generator=generator).tolist())) for n in LENGTHS
    ]


def cosines(loaded: LoadedModel, v: Tensor, layer: int) -> list[float]:
    """cos(mean state of the prompt, v) of each item, from captured states."""
    texts = items()
    request = CaptureRequest(tuple(range(len(texts))), (Point(RESIDUAL, layer),), Mean())
    states = torch.from_numpy(capture(loaded, texts, [request])[0].states)[:, 0]
    return torch.nn.functional.cosine_similarity(states, v[None], dim=-1).tolist()


def halving(loaded: LoadedModel, seed: int = 40) -> Gate:
    """A gate at block 0 that is open for half of the items, with no item near its threshold."""
    v = directions(seed, (0,))[0][0]
    found = sorted(cosines(loaded, v, 0))
    middle = (found[1] + found[2]) / 2
    return Compare(Reading(CosineTo(), Point(RESIDUAL, 0), v), ">", middle)


def gates(loaded: LoadedModel) -> list[Gate | None]:
    """No gate, gates on the prompt, at each token, combined."""
    v = directions(41, (0, 1))
    each = Compare(Reading(ProjectionOn(), Point(RESIDUAL, 0), v[0][0], each="token"), "<", 0.0)
    last = Compare(Reading(CosineTo(), Point(MLP, 0), v[0][0], tokens="last"), ">=", 0.0)
    cast = Compare(Reading(CastSimilarity(), Point(RESIDUAL_IN, 0), v[1][0]), "<=", 0.3)
    half = halving(loaded)
    return [None, half, Not(half), each, Both(half, each), Either(last, Not(cast))]


def some_recipes(loaded: LoadedModel) -> list[Recipe]:
    """Every operator, scope, schedule and gate, in recipes of one and two actions."""
    known, found = gates(loaded), []
    for i, operator in enumerate(OPERATORS):
        count = 1 if isinstance(operator, Clamp | Replace) else 1 + i % 3
        action = SteeringAction(
            operator,
            (RESIDUAL, RESIDUAL_IN, MLP)[i % 3],
            directions(i, (1, 2), count),
            (0.8,) * count,
            SCOPES[i % len(SCOPES)],
            SCHEDULES[(i + 1) % len(SCHEDULES)],
            known[(i + 1) % len(known)],
        )
        other = SteeringAction(
            OPERATORS[(i + 3) % 6], RESIDUAL, directions(20 + i, (1,)), (0.4,), SCOPES[(i + 2) % len(SCOPES)],
            SCHEDULES[i % len(SCHEDULES)], known[i % len(known)],
        )  # fmt: skip
        found.append((action,) if i % 2 else (action, other))
    return found


def logits(loaded: LoadedModel, ids: Tensor, *recipe: SteeringAction) -> Tensor:
    with Overlay(loaded, [recipe]), torch.no_grad():
        found: Tensor = loaded.model(input_ids=ids).logits
    return found


def fail_after(_: object) -> None:
    raise ZeroDivisionError


def some_ids(rows: int = 2, length: int = 7, seed: int = 0) -> Tensor:
    return torch.randint(3, VOCABULARY, (rows, length), generator=torch.Generator().manual_seed(seed))


def close(found: Tensor, wanted: Tensor) -> None:
    torch.testing.assert_close(found, wanted, rtol=2e-4, atol=2e-4 * float(wanted.abs().max()))


def test_scale_0_is_the_base_to_the_bit(loaded: LoadedModel) -> None:
    ids = some_ids()
    with torch.no_grad():
        base = loaded.model(input_ids=ids).logits
    for recipe in some_recipes(loaded):
        assert torch.equal(logits(loaded, ids, *(a.times(0.0) for a in recipe)), base)


def test_a_closed_gate_and_a_factor_of_0_are_the_base_to_the_bit(loaded: LoadedModel) -> None:
    ids = some_ids()
    with torch.no_grad():
        base = loaded.model(input_ids=ids).logits
    shut = Compare(Reading(CosineTo(), Point(RESIDUAL_IN, 0), torch.ones(WIDTH)), ">", 2.0)
    for operator in OPERATORS:
        for schedule, gate in ((None, shut), (Window(50, 60), None), (Linear(0.0, 1.0, 9), None)):
            action = SteeringAction(operator, RESIDUAL, directions(3), (1.0,), AllTokens(), schedule, gate)
            assert torch.equal(logits(loaded, ids, action), base), (operator, schedule)


def test_an_addition_and_its_opposite_cancel(loaded: LoadedModel) -> None:
    """Where they are summed beforehand to the bit; in the same stream at two places, within rounding."""
    ids, v = some_ids(), directions(4, (1,))[1]
    with torch.no_grad():
        base = loaded.model(input_ids=ids).logits
    one = SteeringAction(Add(), RESIDUAL, {1: v}, (0.9,))
    assert torch.equal(logits(loaded, ids, one, one.times(-1.0)), base)
    back = SteeringAction(Add(), RESIDUAL_IN, {2: v}, (-0.9,), FromToken(0))
    close(logits(loaded, ids, one, back), base)
    assert not torch.allclose(logits(loaded, ids, one), base, atol=1e-2)


def test_actions_commute_where_they_should_and_nowhere_else(loaded: LoadedModel) -> None:
    ids = some_ids()
    v, w = directions(5, (1,)), directions(6, (1,))
    aside = {1: w[1] - (w[1] @ v[1].T) / (v[1] @ v[1].T) * v[1]}
    add = SteeringAction(Add(), RESIDUAL, v, (1.2,))
    late = SteeringAction(Add(), RESIDUAL, w, (0.7,), FromToken(3), Linear(1.0, 0.5, 3))
    out, apart = SteeringAction(Ablate(), RESIDUAL, v, (1.0,)), SteeringAction(Ablate(), RESIDUAL, aside, (1.0,))
    turn = SteeringAction(Rotate(), RESIDUAL, w, (0.4,))
    for first, second in ((add, late), (out, apart)):
        close(logits(loaded, ids, first, second), logits(loaded, ids, second, first))
    for first, second in ((add, out), (add, turn), (turn, out), (SteeringAction(Clamp(2.0), RESIDUAL, v, (1.0,)), add)):
        assert not torch.allclose(
            logits(loaded, ids, first, second), logits(loaded, ids, second, first), atol=1e-3
        ), (first.operator, second.operator)


def test_ablation_is_idempotent(loaded: LoadedModel) -> None:
    ids = some_ids()
    for count in (1, 3):
        out = SteeringAction(Ablate(), RESIDUAL, directions(7, count=count), (1.0,) * count)
        close(logits(loaded, ids, out, out), logits(loaded, ids, out))


def test_keeping_preserves_norms(loaded: LoadedModel) -> None:
    item = items()[2]
    request = [CaptureRequest((0,), points(RESIDUAL, (1,)), All())]
    plain = torch.from_numpy(capture(loaded, [item], request)[0].states)
    for operator in (Add("keep"), Rotate(), Rotate("none")):
        for scale in (0.1, 3.0, -40.0):
            action = SteeringAction(operator, RESIDUAL, directions(8, (1,)), (scale,))
            with Overlay(loaded, [(action,)]):
                moved = torch.from_numpy(capture(loaded, [item], request)[0].states)
            torch.testing.assert_close(moved.norm(dim=-1), plain.norm(dim=-1), rtol=1e-5, atol=0)


def test_rows_of_one_batch_are_as_if_alone(loaded: LoadedModel) -> None:
    """Prompts × recipes, with scales, gates and schedules of their own, in one batch: greedy, cached, padded left."""
    texts, recipes = items(), [(), *some_recipes(loaded)]
    rows = [(text, r) for r in range(len(recipes)) for text in texts]
    together = generate(
        loaded, [text for text, _ in rows], max_new_tokens=5, recipes=recipes, rows=[r for _, r in rows],
        end_ids=frozenset(),
    )  # fmt: skip
    for (text, r), found in zip(rows, together, strict=True):
        alone = generate(loaded, [text], max_new_tokens=5, recipes=[recipes[r]], end_ids=frozenset())[0]
        assert found.ids == alone.ids, (r, text)


def test_gates_decide_row_by_row(loaded: LoadedModel) -> None:
    """Rows whose gate is shut have the base's logits to the bit, the others those of the ungated action."""
    texts, gate = items(), halving(loaded)
    v = directions(40, (0,))[0][0]
    action = SteeringAction(Add(), RESIDUAL, directions(9, (1,)), (3.0,))
    gated = SteeringAction(Add(), RESIDUAL, directions(9, (1,)), (3.0,), gate=gate)
    wanted_open = [c > gate.number for c in cosines(loaded, v, 0)]  # type: ignore[attr-defined]
    assert sum(wanted_open) == 2
    for text, is_open in zip(texts, wanted_open, strict=True):
        ids = torch.tensor([text.ids])
        found = logits(loaded, ids, gated)
        assert torch.equal(found, logits(loaded, ids, action) if is_open else logits(loaded, ids))


@pytest.mark.parametrize("side", ["left", "right"])
def test_padding_on_either_side_changes_nothing(loaded: LoadedModel, side: str) -> None:
    texts = items()
    longest = max(LENGTHS)
    ids, mask = torch.zeros(4, longest, dtype=torch.long), torch.zeros(4, longest, dtype=torch.long)
    spans = [slice(longest - n, longest) if side == "left" else slice(0, n) for n in LENGTHS]
    for row, (text, span) in enumerate(zip(texts, spans, strict=True)):
        ids[row, span], mask[row, span] = torch.tensor(text.ids), 1
    positions = {"position_ids": (mask.cumsum(-1) - 1).clamp_min(0)} if loaded.layout.takes_position_ids else {}
    for recipe in some_recipes(loaded):
        with Overlay(loaded, [recipe]), torch.no_grad():
            together = loaded.model(input_ids=ids, attention_mask=mask, **positions).logits
        for row, (text, span) in enumerate(zip(texts, spans, strict=True)):
            close(together[row, span], logits(loaded, torch.tensor([text.ids]), *recipe)[0])


def test_a_cache_changes_nothing(loaded: LoadedModel) -> None:
    """Step by step with a cache, one whole pass that is told where the prompt ends, and the same text uncached."""
    prompt, length = 5, 9
    ids = some_ids(2, length, 3)
    for recipe in some_recipes(loaded):
        with Overlay(loaded, [recipe]) as overlay, torch.no_grad():
            overlay.begin(prompt_lengths=[prompt, prompt])
            whole = loaded.model(input_ids=ids, use_cache=False).logits
            overlay.begin()
            uncached = [loaded.model(input_ids=ids[:, : prompt + t], use_cache=False).logits[:, -1] for t in range(5)]
            overlay.begin()
            first = loaded.model(input_ids=ids[:, :prompt], use_cache=True)
            steps, cache = [first.logits], first.past_key_values
            for t in range(prompt, length):
                mask = torch.ones(2, t + 1, dtype=torch.long)
                out = loaded.model(input_ids=ids[:, t : t + 1], attention_mask=mask, past_key_values=cache)
                steps.append(out.logits)
        close(torch.cat(steps, 1), whole)
        close(torch.stack(uncached, 1), whole[:, prompt - 1 :])


@pytest.mark.parametrize("use_cache", [True, False], ids=["cached", "uncached"])
def test_beams_are_those_of_the_row_alone(loaded: LoadedModel, use_cache: bool) -> None:
    recipes, ids = [(), *some_recipes(loaded)[1:4]], some_ids(4, 6, 5)
    options = {
        "max_new_tokens": 4, "num_beams": 3, "do_sample": False, "use_cache": use_cache, "eos_token_id": None,
    }  # fmt: skip
    with Overlay(loaded, recipes, rows=range(4)), torch.no_grad():
        together = loaded.model.generate(ids, attention_mask=torch.ones_like(ids), **options)
    for row, recipe in enumerate(recipes):
        one = ids[row : row + 1]
        with Overlay(loaded, [recipe]), torch.no_grad():
            alone = loaded.model.generate(one, attention_mask=torch.ones_like(one), **options)
        assert together[row].tolist() == alone[0].tolist()


def test_the_base_is_the_same_to_the_bit_after_an_exception(loaded: LoadedModel) -> None:
    ids = some_ids()
    with torch.no_grad():
        base = loaded.model(input_ids=ids).logits
    for recipe in some_recipes(loaded):
        with pytest.raises(ZeroDivisionError), Overlay(loaded, [recipe]), torch.no_grad():
            fail_after(loaded.model(input_ids=ids))
    with torch.no_grad():
        assert torch.equal(loaded.model(input_ids=ids).logits, base)


def test_the_recipes_of_these_tests_do_steer(loaded: LoadedModel) -> None:
    """Each moves the logits of some text, for some length of its prompt."""
    texts = [torch.tensor([text.ids]) for text in items()]
    for recipe in some_recipes(loaded):
        moved = 0.0
        for ids in texts:
            base = logits(loaded, ids)
            for prompt in range(1, ids.shape[1] + 1):
                with Overlay(loaded, [recipe]) as overlay, torch.no_grad():
                    overlay.begin(prompt_lengths=[prompt])
                    moved = max(moved, float((loaded.model(input_ids=ids).logits - base).abs().max()))
        assert moved > 1e-2, recipe
