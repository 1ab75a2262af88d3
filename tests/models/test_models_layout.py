"""Finding the parts: what the zoo of architectures does not show."""

from __future__ import annotations

import pytest
import torch
from tiny_models import loaded_llama, random_items
from torch import Tensor
from transformers import (
    CLIPVisionConfig,
    Gemma3ForCausalLM,
    Gemma3TextConfig,
    LlamaConfig,
    LlavaConfig,
    LlavaForConditionalGeneration,
    OPTConfig,
    OPTForCausalLM,
)

from steerlang.models import (
    ATTENTION,
    FINAL_NORM,
    MLP,
    RESIDUAL,
    CaptureRequest,
    Point,
    capture,
    generate,
    points,
    wrap,
)
from steerlang.models.block_parts import close, find_parts
from steerlang.models.errors import SiteUnavailable
from steerlang.models.layout import LayoutOverride
from steerlang.models.positions import Last


def states(*seeds: int) -> list[Tensor]:
    return [torch.randn(3, 5, 8, generator=torch.Generator().manual_seed(s)) for s in seeds]


def alike(x: Tensor) -> Tensor:
    """Row 1 differs from row 0 in the first token only."""
    x = x.clone()
    x[1, 1:] = x[0, 1:]
    return x


def test_a_block_that_runs_its_mlp_first() -> None:
    entered, per_token, mixed = alike(states(1)[0]), alike(states(2)[0]), states(3)[0]
    seen = {"norm": entered * 2, "feed": per_token, "mix": mixed}
    parts = find_parts(entered, (entered + per_token) + mixed, seen, None, LayoutOverride())
    assert (parts.attention, parts.mlp) == ("mix", "feed")


def test_outermost_names_win_and_names_of_the_block_before_come_first() -> None:
    entered, a, m = states(1, 2, 3)
    seen = {"attn.out": a, "attn": a, "attn_drop": a, "ff.out": m, "ff": m}
    parts = find_parts(entered, (entered + a) + m, seen, None, LayoutOverride())
    assert (parts.attention, parts.mlp) == ("attn", "ff")
    swapped = {"attn": m, "ff": a, "other": a + 1, "late": m}
    after = find_parts(entered, (entered + a) + m, swapped, parts, LayoutOverride())
    assert {after.attention, after.mlp} == {"attn", "ff"}
    hybrid = {"mixer": a, "ff": m}  # another kind of block
    other = find_parts(entered, (entered + a) + m, hybrid, parts, LayoutOverride())
    assert (other.attention, other.mlp) == ("mixer", "ff")


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float16])
def test_small_additions_to_a_large_stream_are_told_apart(dtype: torch.dtype) -> None:
    """In bfloat16 the stream's rounding is as large as what is added: only the exact sum tells."""
    entered, a, m, wrong = (t.to(dtype) for t in states(1, 2, 3, 4))
    entered = 300 * entered
    seen = {"wrong": wrong, "a": a, "also wrong": -wrong, "m": m}
    parts = find_parts(entered, (entered + a) + m, seen, None, LayoutOverride())
    assert (parts.attention, parts.mlp) == ("a", "m")


def test_what_is_not_a_sum_is_explained() -> None:
    entered, a, m = states(1, 2, 3)
    scaled = find_parts(entered, entered + 0.5 * a + 0.25 * m, {"a": a, "m": m}, None, LayoutOverride())
    assert scaled.attention is None
    assert "0.5 × the output of a and 0.25 × that of m" in scaled.why_not
    normed = find_parts(entered, a, {"norm": a, "m": m}, None, LayoutOverride())
    assert "output is that of its module norm" in normed.why_not
    product = find_parts(entered, entered + a * m, {"a": a, "m": m}, None, LayoutOverride())
    assert "no two of its modules' outputs" in product.why_not
    assert "(a, m)" in product.why_not


def test_close_is_relative() -> None:
    (x,) = states(1)
    assert close(x, x * (1 + 1e-5))
    assert not close(x, x * (1 + 1e-3))
    assert not close(x[0], x)


def test_a_bidirectional_model_is_seen_to_be_one() -> None:
    torch.manual_seed(0)
    config = Gemma3TextConfig(
        vocab_size=50, hidden_size=16, intermediate_size=24, num_hidden_layers=2, num_attention_heads=2,
        num_key_value_heads=1, head_dim=8, sliding_window=8, use_bidirectional_attention=True, initializer_range=0.3,
    )  # fmt: skip
    loaded = wrap(Gemma3ForCausalLM(config), None)
    assert not loaded.layout.causal
    items = random_items(4, 1, 2, 6)
    items = [type(i)(tuple(t % 50 for t in i.ids)) for i in items]
    request = [CaptureRequest((0, 1, 2, 3), points(RESIDUAL, (0, 1)), Last())]
    together = capture(loaded, items, request)[0].states
    for row, item in enumerate(items):
        alone = capture(loaded, [item], [CaptureRequest((0,), points(RESIDUAL, (0, 1)), Last())])[0].states
        torch.testing.assert_close(
            torch.from_numpy(together[row]), torch.from_numpy(alone[0]), rtol=1e-4, atol=1e-5
        )


def test_a_vision_tower_is_never_taken_for_the_decoder() -> None:
    """Tower and decoder have the same depth and width here."""
    torch.manual_seed(0)
    size = {"hidden_size": 16, "intermediate_size": 24, "num_hidden_layers": 2, "num_attention_heads": 2}
    vision = CLIPVisionConfig(**size, image_size=8, patch_size=4, projection_dim=16)
    text = LlamaConfig(**size, vocab_size=60, bos_token_id=1, eos_token_id=2)
    model = LlavaForConditionalGeneration(
        LlavaConfig(vision_config=vision, text_config=text, image_token_id=59)
    )
    layout = wrap(model, None).layout
    assert layout.blocks_name == "model.language_model.layers"
    assert layout.place(Point(MLP, 1)).module is model.model.language_model.layers[1].mlp
    assert layout.decoder is model.model.language_model
    item = random_items(1, 2, 5, 5)[0]
    with torch.no_grad():
        wanted = model.generate(input_ids=torch.tensor([item.ids]), max_new_tokens=4, do_sample=False)
    assert generate(wrap(model, None), [item], max_new_tokens=4)[0].ids == tuple(wanted[0, 5:].tolist())


def test_a_block_that_norms_after_adding_has_no_such_sites() -> None:
    torch.manual_seed(0)
    config = OPTConfig(
        vocab_size=50, hidden_size=16, ffn_dim=24, num_hidden_layers=2, num_attention_heads=2, word_embed_proj_dim=8,
        do_layer_norm_before=False, max_position_embeddings=32,
    )  # fmt: skip
    layout = wrap(OPTForCausalLM(config), None).layout
    layout.place(Point(RESIDUAL, 1))
    with pytest.raises(SiteUnavailable, match="final_layer_norm, after the residual add"):
        layout.place(Point(ATTENTION, 0))
    with pytest.raises(SiteUnavailable, match="no norm between"):
        layout.place(Point(FINAL_NORM))


def test_the_probe_leaves_nothing_behind() -> None:
    loaded = loaded_llama()
    assert not any(m._forward_hooks or m._forward_pre_hooks for m in loaded.model.modules())
    assert loaded.model.model is loaded.layout.decoder
