"""Models that see, each with its own processor: prompts with images are read, steered and continued as the library does
it, whatever the batch."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from tiny_seeing import DEPTH, SEEING, WIDTH, noise, save
from torch import Tensor

from steerlang.models import (
    EMBEDDING,
    RESIDUAL,
    RESIDUAL_IN,
    Add,
    CaptureRequest,
    LoadedModel,
    Overlay,
    Recipe,
    Rotate,
    SteeringAction,
    TokenisedItem,
    capture,
    generate,
    points,
)
from steerlang.models.loading import load
from steerlang.models.positions import All, ImageMean
from steerlang.models.prompts import marks_of
from steerlang.models.replies import spelled
from steerlang.models.scopes import AllTokens, FromToken, GeneratedTokens, ImageTokens, LastPromptToken, TokenScope
from steerlang.models.seeing import Shown

torch.set_num_threads(1)
STEPS = 4
ASKED = ("what colour is it ?", "describe the picture .", "is it a red circle ?", "what is it ?", "describe it")
SIZES = ((16, 20), (24, 20), (32, 16), (16, 20), (20, 33))


@pytest.fixture(params=sorted(SEEING), scope="module")
def name(request: pytest.FixtureRequest) -> str:
    if request.param == "smolvlm":
        pytest.importorskip("num2words", reason="the library's processor of SmolVLM asks for it")
    return str(request.param)


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("pictures")
    for i, size in enumerate(SIZES):
        noise(i, *size).save(folder / f"{i}.png")
    return folder


@pytest.fixture(scope="module")
def loaded(name: str, place: Path) -> Iterator[LoadedModel]:
    made = load(save(SEEING[name](), place / name, seed=3), sees=True, device="cpu")
    before = {key: tensor.clone() for key, tensor in made.model.state_dict().items()}
    yield made
    after = made.model.state_dict()
    assert all(torch.equal(before[key], after[key]) for key in before)
    # The library leaves hooks of its own on some vision towers, whose inner states it collects.
    assert not any(m._forward_hooks or m._forward_pre_hooks for m in made.layout.decoder.modules())
    assert not made.model._forward_pre_hooks


def text_of(loaded: LoadedModel, i: int) -> str:
    processor = loaded.eyes.processor  # type: ignore[union-attr]
    if not processor.chat_template:
        return f"<image>{ASKED[i]}"
    said = [{"role": "user", "content": [{"type": "image"}, {"type": "text", "text": ASKED[i]}]}]
    return str(
        processor.tokenizer.apply_chat_template(
            said, chat_template=processor.chat_template, tokenize=False, add_generation_prompt=True
        )
    )


@pytest.fixture(scope="module")
def items(loaded: LoadedModel, place: Path) -> list[TokenisedItem]:
    eyes = loaded.eyes
    assert eyes is not None
    return eyes.items([Shown(text_of(loaded, i), str(place / f"{i}.png"), f"row {i}") for i in range(len(SIZES))])


def asked(loaded: LoadedModel, place: Path, i: int) -> dict[str, Any]:
    """A row as the library's processor gives it, alone."""
    processor = loaded.eyes.processor  # type: ignore[union-attr]
    with Image.open(place / f"{i}.png") as image:
        given = processor(images=[[image.convert("RGB")]], text=[text_of(loaded, i)], return_tensors="pt")
    return {key: value for key, value in given.items() if key != "labels"}


def watched(loaded: LoadedModel, run: Any) -> Tensor:
    """What leaves each block in all passes of `run`, by hooks of our own: [T, L, D]."""
    seen: dict[int, list[Tensor]] = {layer: [] for layer in range(DEPTH)}
    handles = [
        block.register_forward_hook(
            lambda _, __, o, layer=layer: seen[layer].append((o if torch.is_tensor(o) else o[0])[0].clone())
        )
        for layer, block in enumerate(loaded.layout.blocks)
    ]
    with torch.no_grad():
        run()
    for handle in handles:
        handle.remove()
    return torch.stack([torch.cat(parts) for parts in seen.values()], dim=1)


def continued(loaded: LoadedModel, given: dict[str, Any]) -> list[int]:
    with torch.no_grad():
        made = loaded.model.generate(**given, max_new_tokens=STEPS, do_sample=False, eos_token_id=None)
    return list(made[0, given["input_ids"].shape[1] :].tolist())


def recipe(scope: TokenScope, seed: int = 1, scale: float = 0.7) -> Recipe:
    generator = torch.Generator().manual_seed(seed)
    vectors = [{layer: torch.randn(1, WIDTH, generator=generator) for layer in range(DEPTH)} for _ in range(2)]
    return (
        SteeringAction(Add(), RESIDUAL, vectors[0], (scale,), scope),
        SteeringAction(Rotate(), RESIDUAL_IN, vectors[1], (0.3 * scale,), scope),
    )


def near(found: Any, wanted: Any) -> None:
    wanted = np.asarray(wanted)
    np.testing.assert_allclose(np.asarray(found), wanted, atol=3e-5 * np.abs(wanted).max())


def test_the_decoder_of_the_text_is_found_and_not_the_eyes(loaded: LoadedModel) -> None:
    assert loaded.layout.depth == DEPTH
    inside = {id(m) for m in loaded.layout.decoder.modules()}
    eyes = [m for n, m in loaded.model.named_modules() if "vision" in n or "visual" in n]
    assert eyes
    assert not any(id(m) in inside for m in eyes)


def test_states_are_those_of_the_library_one_by_one(
    loaded: LoadedModel, items: list[TokenisedItem], place: Path
) -> None:
    """All rows in one batch, each against its own pass of the model on what its processor gives."""
    everyone = tuple(range(len(items)))
    requests = [CaptureRequest(everyone, points(RESIDUAL, range(DEPTH)), s) for s in (All(), ImageMean())]
    each, image = capture(loaded, items, requests)
    for i in everyone:
        given = asked(loaded, place, i)
        assert given["input_ids"][0].tolist() == list(items[i].ids)
        wanted = watched(loaded, lambda given=given: loaded.model(**given))
        near(each.states[slice(*each.offsets[i : i + 2])], wanted)
        at = given["input_ids"][0] == loaded.model.config.image_token_id
        assert at.any()
        near(image.states[i], wanted[at].mean(0))


def test_each_place_of_an_image_holds_a_part_of_it(
    loaded: LoadedModel, name: str, items: list[TokenisedItem], place: Path
) -> None:
    """Another image moves what enters the decoder at the image's tokens, and nowhere else."""
    other = replace(items[0], picture=replace(items[0].picture, path=str(place / "3.png")))  # type: ignore[type-var]
    found = capture(loaded, [items[0], other], [CaptureRequest((0, 1), points(EMBEDDING, (0,)), All())])[0].states
    half = len(items[0])
    moved = np.abs(found[:half] - found[half:]).max(axis=(1, 2)) > 0
    same = set(items[0].image) - set(np.flatnonzero(moved).tolist())
    assert set(np.flatnonzero(moved).tolist()) <= set(items[0].image)
    # LLaVA-NeXT ends each row of patches with a token of its own, whatever the image.
    assert len(same) == (2 if name == "llava_next" else 0)


@pytest.mark.parametrize(
    "scope",
    [None, AllTokens(), GeneratedTokens(), ImageTokens(), LastPromptToken()],
    ids=["base", "all", "generated", "image", "last"],
)
def test_what_is_written_is_what_the_library_writes(
    loaded: LoadedModel, items: list[TokenisedItem], place: Path, scope: TokenScope | None
) -> None:
    how: Recipe = () if scope is None else recipe(scope)
    made = generate(loaded, items, max_new_tokens=STEPS, recipes=[how], end_ids=frozenset())
    for i in range(3):
        with Overlay(loaded, [how]) as overlay:
            if isinstance(scope, ImageTokens):
                overlay.begin(prompt_lengths=[len(items[i])], marks=marks_of([scope], [items[i]], loaded.device))
            assert list(made[i].ids) == continued(loaded, asked(loaded, place, i))


def test_a_scale_of_0_is_the_model_itself_to_the_bit(loaded: LoadedModel, items: list[TokenisedItem]) -> None:
    request = [CaptureRequest(tuple(range(len(items))), points(RESIDUAL, range(DEPTH)), All())]
    plain = capture(loaded, items, request)[0].states
    with Overlay(loaded, [recipe(AllTokens(), scale=0.0)]):
        np.testing.assert_array_equal(capture(loaded, items, request)[0].states, plain)


def test_steering_the_image_moves_its_states_and_no_others_before_it_acts(
    loaded: LoadedModel, items: list[TokenisedItem]
) -> None:
    request = [CaptureRequest(tuple(range(len(items))), points(RESIDUAL, (0,)), All())]
    plain = capture(loaded, items, request)[0]
    v = torch.randn(1, WIDTH, generator=torch.Generator().manual_seed(2))
    action = SteeringAction(Add(), RESIDUAL, {0: v}, (0.5,), ImageTokens())
    with Overlay(loaded, [(action,)]) as overlay:

        def begin(batch: Any) -> None:
            some = [items[i] for i in batch]
            marks = marks_of(overlay.scopes, some, loaded.device)
            overlay.begin(prompt_lengths=[len(item) for item in some], marks=marks)

        moved = capture(loaded, items, request, begin=begin)[0].states
    for i, item in enumerate(items):
        wanted = np.zeros((len(item), WIDTH), dtype=np.float32)
        wanted[list(item.image)] = 0.5 * v.numpy()
        start = int(plain.offsets[i])
        found = (moved - plain.states)[start : start + len(item), 0]
        np.testing.assert_allclose(found, wanted, atol=3e-5 * np.abs(plain.states).max())


def test_rows_are_as_if_alone(loaded: LoadedModel, items: list[TokenisedItem]) -> None:
    recipes = [(), recipe(GeneratedTokens()), recipe(ImageTokens(), 4), recipe(FromToken(8), 5)]
    rows = [0, 1, 2, 3, 2]
    options: dict[str, Any] = {"max_new_tokens": STEPS, "recipes": recipes, "end_ids": frozenset()}
    together = generate(loaded, items, rows=rows, **options)
    for i, item in enumerate(items):
        assert together[i].ids == generate(loaded, [item], rows=[rows[i]], **options)[0].ids


def test_reading_a_reply_again_gives_the_states_of_writing_it(
    loaded: LoadedModel, items: list[TokenisedItem], place: Path
) -> None:
    """One pass over prompt and reply against the passes of the library's `generate`, token by token with a cache."""
    read = []
    for i, item in enumerate(items[:3]):
        ids = continued(loaded, asked(loaded, place, i))
        told = spelled(loaded.tokenizer, ids)
        more = {"text": told.text, "offsets": told.offsets, "specials": told.specials, "prompt": len(item)}
        read.append(replace(item, ids=(*item.ids, *ids), **more))
    found = capture(loaded, read, [CaptureRequest((0, 1, 2), points(RESIDUAL, range(DEPTH)), All())])[0]
    for i in range(3):
        wanted = watched(loaded, lambda i=i: continued(loaded, asked(loaded, place, i)))
        # Selectors see the reply alone; the last token is written and never read.
        near(found.states[slice(*found.offsets[i : i + 2])][:-1], wanted[len(items[i]) :])


@pytest.mark.parametrize("scope", [GeneratedTokens(), AllTokens(), ImageTokens()], ids=["generated", "all", "image"])
def test_a_sweep_is_as_if_each_scale_ran_alone(
    loaded: LoadedModel, name: str, items: list[TokenisedItem], scope: TokenScope
) -> None:
    """Rows of one prompt see its image once, and share the pass over it where steering leaves the prompt alone."""
    recipes = [recipe(scope, scale=s) for s in (0.0, 0.3, 0.6, 0.9)]
    rows = [r for r in range(4) for _ in items]
    seen: list[int] = []
    tower = next(
        module
        for part, module in loaded.model.named_modules()
        if part.endswith(("vision_tower", "vision_model", "visual"))
    )
    handle = tower.register_forward_hook(lambda _, given, kwargs, __: seen.append(1), with_kwargs=True)
    try:
        options: dict[str, Any] = {"max_new_tokens": STEPS, "recipes": recipes, "end_ids": frozenset()}
        together = generate(loaded, items * 4, rows=rows, batch_tokens=100_000, **options)
    finally:
        handle.remove()
    assert len(seen) <= 3  # once, and twice where it is found out whether a prompt can be read in two parts
    for i, item in enumerate(items):
        for r in range(4):
            alone = generate(loaded, [item], rows=[r], **options)[0]
            assert together[r * len(items) + i].ids == alone.ids
    found = loaded.findings.get("reads_forward_only")
    assert found is None or found == (name != "paligemma")
    plain = generate(loaded, items, max_new_tokens=STEPS, end_ids=frozenset())
    assert [made.ids for made in plain] == [made.ids for made in together[: len(items)]]


def test_rows_that_end_leave_the_batch(loaded: LoadedModel, items: list[TokenisedItem]) -> None:
    plain = generate(loaded, items, max_new_tokens=6, end_ids=frozenset())
    # An end token for most rows early on, and for others late or never.
    ends = frozenset({plain[0].ids[1], plain[1].ids[2], plain[3].ids[0]})
    found = generate(loaded, items, max_new_tokens=6, end_ids=ends)
    for made, whole in zip(found, plain, strict=True):
        length = next((k + 1 for k, token in enumerate(whole.ids) if token in ends), 6)
        assert made.ids == whole.ids[:length]
