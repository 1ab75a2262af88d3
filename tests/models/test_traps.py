"""Traps that today's steering tools fall into, each with the tests that keep this library out of it.

`TRAPS` names, for every trap, the tests that would fail; they are looked up, so that none is lost unseen. Those that no
other file has stand below.
"""

from __future__ import annotations

import ast
from pathlib import Path

import numpy as np
import pytest
import torch
from tiny_models import DEPTH, loaded_llama, random_directions, random_items

from steerlang.kernels import extraction
from steerlang.models import (
    RESIDUAL,
    Add,
    CaptureRequest,
    LoadedModel,
    Overlay,
    SteeringAction,
    capture,
    generate,
    points,
)
from steerlang.models.positions import Last
from steerlang.models.scopes import FromToken, GeneratedTokens, LastPromptToken

TESTS = Path(__file__).parents[1]
EXACT = "architectures/test_exactness.py"
OVERLAY = "models/test_models_overlay.py"
TRAPS: dict[str, list[str]] = {
    "positions under a cache": [
        f"{EXACT}::test_a_cache_changes_nothing",
        f"{OVERLAY}::test_cached_steps_of_any_scope_match_one_whole_pass",
        "models/test_traps.py::test_positions_are_of_the_whole_sequence_and_not_of_the_pass",
    ],
    "the position that produces the first generated token": [
        "models/test_traps.py::test_generated_tokens_begin_with_the_position_that_produces_the_first",
        f"{OVERLAY}::test_scopes_steer_the_positions_they_say",
    ],
    "row 0 decides for the batch": [
        f"{EXACT}::test_gates_decide_row_by_row",
        f"{EXACT}::test_rows_of_one_batch_are_as_if_alone",
        "models/test_traps.py::test_equal_rows_of_a_batch_are_steered_alike",
    ],
    "padding taken for tokens": [
        f"{EXACT}::test_padding_on_either_side_changes_nothing",
        "models/test_models_capture.py::test_a_batch_is_its_items_alone",
        "kernels/test_kernels_gates.py::test_means_are_over_the_marked_tokens_whatever_the_others_hold",
    ],
    "the vision tower taken for the decoder": [
        "models/test_models_layout.py::test_a_vision_tower_is_never_taken_for_the_decoder"
    ],
    "the last hidden state after the final norm": [
        "architectures/test_architectures.py::test_captured_states_are_those_of_a_hook_placed_by_hand",
        "models/test_traps.py::test_the_last_block_is_read_before_the_final_norm",
    ],
    "layers off by one": [
        "models/test_traps.py::test_layer_l_is_read_and_written_at_the_output_of_block_l",
        "architectures/test_architectures.py::test_a_free_addition_adds_exactly_what_it_says",
    ],
    "sign": [
        "kernels/test_kernels_extraction.py::test_swapping_the_sides_turns_the_direction_round",
        "models/test_traps.py::test_a_positive_scale_moves_towards_the_target_side",
    ],
    "centring that removes the signal": [
        "models/test_traps.py::test_centring_loses_the_contrast_that_the_default_finds"
    ],
    "options that are silently ignored": ["functions/test_vocabulary.py::test_no_call_ignores_an_argument"],
    "a norm kept for the whole batch at once": [
        f"{EXACT}::test_keeping_preserves_norms",
        "kernels/test_kernels_steering.py::test_cap_never_grows_and_is_free_addition_where_the_norm_shrank",
    ],
    "hooks left behind by an exception": [
        f"{EXACT}::test_the_base_is_the_same_to_the_bit_after_an_exception",
        "architectures/test_architectures.py::test_steering_leaves_no_trace_even_when_the_inside_raises",
    ],
    "a gate that reads what comes later": ["models/test_models_gates.py::test_a_gate_that_comes_too_late_is_an_error"],
    "in half precision, norms that overflow or lose their digits": [
        "kernels/test_kernels_gates.py::test_half_precision_is_computed_in_float32",
        "kernels/test_kernels_steering.py::test_dtype_and_shape_stay",
    ],
}


@pytest.mark.parametrize("trap", sorted(TRAPS))
def test_every_trap_has_its_tests(trap: str) -> None:
    assert TRAPS[trap]
    for name in TRAPS[trap]:
        path, _, function = name.partition("::")
        tree = ast.parse((TESTS / path).read_text(encoding="utf-8"))
        assert function in {node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)}, name


def test_positions_are_of_the_whole_sequence_and_not_of_the_pass(llama: LoadedModel) -> None:
    """`from_token(6)` begins at position 6 though a cached pass holds one token, whose index there is 0."""
    prompt = random_items(1, 3, 4, 4)
    late = SteeringAction(Add(), RESIDUAL, random_directions(2), (6.0,), FromToken(6))
    never = SteeringAction(Add(), RESIDUAL, random_directions(2), (6.0,), FromToken(60))
    base = generate(llama, prompt, max_new_tokens=8, end_ids=frozenset())[0].ids
    steered = generate(llama, prompt, max_new_tokens=8, recipes=[(late,)], end_ids=frozenset())[0].ids
    assert generate(llama, prompt, max_new_tokens=8, recipes=[(never,)], end_ids=frozenset())[0].ids == base
    # Positions 4 and 5 hold the first two new tokens, which positions 3, 4 and 5 have chosen with the third.
    assert steered[:3] == base[:3]
    assert steered[3:] != base[3:]


def test_generated_tokens_begin_with_the_position_that_produces_the_first(llama: LoadedModel) -> None:
    prompt = random_items(1, 5, 6, 6)
    v = random_directions(3)
    first = {}
    for scope in (GeneratedTokens(), LastPromptToken()):
        recipe = (SteeringAction(Add(), RESIDUAL, v, (6.0,), scope),)
        first[scope] = generate(llama, prompt, max_new_tokens=1, recipes=[recipe], end_ids=frozenset())[0].ids
    assert first[GeneratedTokens()] == first[LastPromptToken()]
    assert first[GeneratedTokens()] != generate(llama, prompt, max_new_tokens=1, end_ids=frozenset())[0].ids


def test_equal_rows_of_a_batch_are_steered_alike(llama: LoadedModel) -> None:
    ids = torch.tensor([random_items(1, 6, 7, 7)[0].ids]).expand(4, -1)
    with Overlay(llama, [(SteeringAction(Add("keep"), RESIDUAL, random_directions(4), (2.0,)),)]), torch.no_grad():
        rows = llama.model(input_ids=ids).logits
    for row in rows[1:]:
        torch.testing.assert_close(row, rows[0], rtol=0, atol=1e-5)


def test_the_last_block_is_read_before_the_final_norm() -> None:
    """The library's last "hidden state" is another: it has passed the norm."""
    llama = loaded_llama()  # asked for hidden states, the library leaves hooks of its own on a model
    item = random_items(1, 7, 5, 5)[0]
    read = capture(llama, [item], [CaptureRequest((0,), points(RESIDUAL, range(DEPTH)), Last())])[0].states[0]
    with torch.no_grad():
        hidden = llama.model(input_ids=torch.tensor([item.ids]), output_hidden_states=True).hidden_states
        normed = llama.layout.final_norm(torch.from_numpy(read[-1]))
    for layer in range(DEPTH - 1):
        np.testing.assert_allclose(read[layer], hidden[layer + 1][0, -1], rtol=1e-5, atol=1e-5)
    assert not np.allclose(read[-1], hidden[DEPTH][0, -1], atol=1e-3)
    torch.testing.assert_close(normed, hidden[DEPTH][0, -1], rtol=1e-5, atol=1e-5)


def test_layer_l_is_read_and_written_at_the_output_of_block_l(llama: LoadedModel) -> None:
    """What is added at layer l is seen at layer l, not before: read and write are one place."""
    item, v = random_items(1, 8, 5, 5)[0], random_directions(5)
    request = [CaptureRequest((0,), points(RESIDUAL, range(DEPTH)), Last())]
    plain = capture(llama, [item], request)[0].states[0]
    for layer in range(DEPTH):
        with Overlay(llama, [(SteeringAction(Add(), RESIDUAL, {layer: v[layer]}, (1.0,)),)]):
            moved = capture(llama, [item], request)[0].states[0]
        np.testing.assert_array_equal(moved[:layer], plain[:layer])
        np.testing.assert_allclose(moved[layer] - plain[layer], v[layer][0], atol=1e-5)


def test_a_positive_scale_moves_towards_the_target_side() -> None:
    """Between two sets of token embeddings: the mean difference, added, raises the component along it."""
    loaded = loaded_llama()
    texts = random_items(12, 9, 4, 4)
    request = [CaptureRequest(tuple(range(12)), points(RESIDUAL, (1,)), Last())]
    states = torch.from_numpy(capture(loaded, texts, request)[0].states)[:, 0]
    target, source = states[:6], states[6:]
    v = target.mean(0) - source.mean(0)
    assert (target @ v).mean() > (source @ v).mean()
    with Overlay(loaded, [(SteeringAction(Add(), RESIDUAL, {1: v[None]}, (0.5,)),)]):
        moved = torch.from_numpy(capture(loaded, texts, request)[0].states)[:, 0]
    assert ((moved - states) @ v > 0).all()


def test_centring_loses_the_contrast_that_the_default_finds() -> None:
    """Pairs that differ along one direction, and vary along others: uncentred methods alone find it (SL711 warns)."""
    generator = torch.Generator().manual_seed(0)
    truth = torch.zeros(1, 64)
    truth[0, 0] = 1.0
    x = torch.randn(128, 1, 64, generator=generator)
    y = x + 3 * truth + torch.randn(128, 1, 64, generator=generator) * 1.5
    found = {
        "mean_difference": extraction.mean_difference(x, y),
        **{f"pca, {centre}": extraction.pca(x, y, centre) for centre in ("none", "pairwise", "mean")},
    }
    cosines = {n: float(torch.nn.functional.cosine_similarity(e.directions, truth)) for n, e in found.items()}
    assert min(cosines["mean_difference"], cosines["pca, none"], cosines["pca, pairwise"]) > 0.9
    assert abs(cosines["pca, mean"]) < 0.5
