"""Programs about models that see, from the text to the numbers; every number against plain transformers."""

from __future__ import annotations

import csv
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import transformers as hf
from models.tiny_seeing import DEPTH, IMAGE, llava, noise, save
from PIL import Image

from steerlang.api import Settings, SteerlangError, load

COUNT = 7
PROMPT = "describe the picture ."
QUESTIONS = ("what colour is it ?", "describe it", "is the circle red ?")
HEAD = f'model m = hf("llava")\ndata photos = images("data/t.csv", prompt = "{PROMPT}")\n'


@pytest.fixture(scope="session")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A LLaVA `llava`, one with other weights `other`, images of several sizes with captions and questions."""
    folder = tmp_path_factory.mktemp("seeing")
    (folder / "pyproject.toml").write_text("")
    save(llava(), folder / "llava")
    save(llava(), folder / "other", seed=1)
    (folder / "data" / "img").mkdir(parents=True)
    with (folder / "data/t.csv").open("w", newline="") as out:
        table = csv.writer(out)
        table.writerow(("file", "caption", "asked"))
        for i in range(COUNT):
            noise(i, 16 + 5 * (i % 3), 20).save(folder / f"data/img/{i}.png")
            table.writerow((f"img/{i}.png", f"a {'red' if i % 2 else 'blue'} circle", QUESTIONS[i % 3]))
    return folder


@pytest.fixture
def program(place: Path, tmp_path: Path) -> Callable[..., Any]:
    def go(text: str, head: str = HEAD) -> Any:
        (place / "p.steer").write_text(f"steerlang 1\n{head}{text}\n")
        return load(place / "p.steer", settings=Settings(cache_dir=tmp_path / "cache", device="cpu"))

    return go


@pytest.fixture
def run(program: Callable[..., Any]) -> Callable[..., Any]:
    def go(text: str, *names: str, head: str = HEAD) -> Any:
        found = program(text, head).run(list(names))
        assert found.ok, [str(d.message) for d in found.diagnostics]
        return found

    return go


@pytest.fixture(scope="session")
def plain(place: Path) -> tuple[Any, Any]:
    return (
        hf.LlavaForConditionalGeneration.from_pretrained(place / "llava").eval(),
        hf.AutoProcessor.from_pretrained(place / "llava"),
    )


def asked(place: Path, plain: tuple[Any, Any], i: int, prompt: str = PROMPT) -> Any:
    """A row as the library's own documentation asks of it."""
    said = [{"role": "user", "content": [{"type": "image"}, {"type": "text", "text": prompt}]}]
    text = plain[1].apply_chat_template(said, add_generation_prompt=True)
    with Image.open(place / f"data/img/{i}.png") as image:
        return plain[1](images=image, text=text, return_tensors="pt")


def blocks(model: Any, **given: Any) -> np.ndarray[Any, Any]:
    """What leaves each block of the decoder, by hooks of our own: [T, L, D]."""
    seen: list[torch.Tensor] = []
    handles = [
        b.register_forward_hook(lambda _, __, o: seen.append((o if torch.is_tensor(o) else o[0])[0].clone()))
        for b in model.model.language_model.layers
    ]
    with torch.no_grad():
        model(**given)
    for handle in handles:
        handle.remove()
    return torch.stack(seen, dim=1).numpy()


def written(place: Path, plain: tuple[Any, Any], i: int, count: int = 6, prompt: str = PROMPT) -> list[int]:
    given = asked(place, plain, i, prompt)
    with torch.no_grad():
        made = plain[0].generate(**given, max_new_tokens=count, do_sample=False)
    return list(made[0, given["input_ids"].shape[1] :].tolist())


def test_what_is_generated_is_what_the_library_generates(run: Any, place: Path, plain: Any) -> None:
    found = run("samples said = generate(m, photos, max_new_tokens = 6)", "said")
    texts = [s.completion for s in found["said"]]
    ids = [written(place, plain, i) for i in range(COUNT)]
    assert texts == [plain[1].decode(row, skip_special_tokens=True) for row in ids]


def test_each_row_may_ask_its_own(run: Any, place: Path, plain: Any) -> None:
    head = 'model m = hf("llava")\ndata photos = images("data/t.csv", question = "asked")\n'
    found = run("samples said = generate(m, photos, max_new_tokens = 5)", "said", head=head)
    for i, sample in enumerate(found["said"]):
        assert sample.prompt == QUESTIONS[i % 3]
        ids = written(place, plain, i, 5, QUESTIONS[i % 3])
        assert sample.completion == plain[1].decode(ids, skip_special_tokens=True)


@pytest.mark.parametrize(("tokens", "take"), [("image", "image"), ("last", "last"), ("mean", "mean")])
def test_states_of_prompts(run: Any, place: Path, plain: Any, tokens: str, take: str) -> None:
    text = f"activations acts = capture(m, photos, layers = 0..{DEPTH - 1}, tokens = {tokens})"
    states = run(text, "acts")["acts"]["states"]
    assert states.shape[0] == COUNT
    for i in range(COUNT):
        given = asked(place, plain, i)
        wanted = blocks(plain[0], **given)
        at = (given["input_ids"][0] == IMAGE).numpy()
        assert at.sum() == 4
        taken = {"image": wanted[at].mean(0), "last": wanted[-1], "mean": wanted.mean(0)}[take]
        np.testing.assert_allclose(states[i], taken, atol=2e-5 * np.abs(wanted).max())


def test_states_while_generating(run: Any, place: Path, plain: Any) -> None:
    """`predicting` a word: the state whose next token begins it, among the tokens that were generated."""
    text = (
        'activations acts = capture(m, photos, layers = 1, tokens = predicting("yes"), during = generation, '
        "max_new_tokens = 6)"
    )
    found = run(text, "acts")
    states, seen = found["acts"]["states"], []
    yes = plain[1].tokenizer.convert_tokens_to_ids("yes")
    for i in range(COUNT):
        ids = written(place, plain, i)
        if yes not in ids:
            assert not states[i].any()
            continue
        seen.append(i)
        given = asked(place, plain, i)
        whole = torch.cat([given["input_ids"], torch.tensor([ids])], dim=1)
        wanted = blocks(plain[0], input_ids=whole, pixel_values=given["pixel_values"])
        at = given["input_ids"].shape[1] + ids.index(yes) - 1
        np.testing.assert_allclose(states[i, 0], wanted[at, 1], atol=2e-5 * np.abs(wanted).max())
    assert 0 < len(seen) < COUNT
    assert any("lack" in str(d.message) for d in found.diagnostics)


def test_steering_the_image_alone(run: Any, place: Path, plain: Any) -> None:
    """A vector of image states added at the image's tokens, in a sweep with 0: 0 is the model itself."""
    text = """
    data red  = images("data/t.csv", prompt = "describe it", where = contains("caption", "red"))
    data blue = images("data/t.csv", prompt = "describe it", where = contains("caption", "blue"), limit = 3)
    activations to   = capture(m, red, layers = 0, tokens = image)
    activations from = capture(m, blue, layers = 0, tokens = image)
    vector v = extract(to, from)
    sweep s = [0, 4]
    model steered = apply(m, add(v, scale = s, tokens = image))
    samples said = generate(steered, photos, max_new_tokens = 6)
    samples base = generate(m, photos, max_new_tokens = 6)
    """
    found = run(text, "said", "base")
    none, much = found["said"][0], found["said"][4]
    assert [s.completion for s in none] == [s.completion for s in found["base"]]
    assert [s.completion for s in much] != [s.completion for s in found["base"]]


def test_images_before_a_model_of_texts_are_refused_while_checking(program: Any) -> None:
    head = f'model m = hf("llava", task = causal)\ndata photos = images("data/t.csv", prompt = "{PROMPT}")\n'
    with pytest.raises(SteerlangError) as refused:
        program("samples said = generate(m, photos)", head)
    assert refused.value.diagnostics[0].code.id == "SL515"


def test_images_without_prompts_are_refused_while_checking(program: Any) -> None:
    head = 'model m = hf("llava")\ndata photos = images("data/t.csv")\n'
    with pytest.raises(SteerlangError) as refused:
        program("samples said = generate(m, photos)", head)
    assert "no prompt" in str(refused.value.diagnostics[0].message)


# ---- measuring, editing --------------------------------------------------------------------------------------------


def logits_of(place: Path, plain: tuple[Any, Any], i: int, model: Any = None) -> np.ndarray[Any, Any]:
    with torch.no_grad():
        return (model or plain[0])(**asked(place, plain, i)).logits[0].double().numpy()


def test_a_difference_of_answers(run: Any, place: Path, plain: Any) -> None:
    text = 'metric x = logit_difference(m, photos, target = "yes", source = "no")'
    found = run(text, "x")["x"]
    yes, no = (plain[1].tokenizer.convert_tokens_to_ids(w) for w in ("yes", "no"))
    wanted = [(row := logits_of(place, plain, i)[-1])[yes] - row[no] for i in range(COUNT)]
    assert found.value == pytest.approx(np.mean(wanted), rel=1e-4)


def test_how_far_steering_moves_what_is_said_of_images(run: Any, place: Path, plain: Any) -> None:
    """KL(base || steered) after each token that follows the image, against the library with a hook."""
    text = """
    vector v = extract(m, pairs([["yes", "no"], ["one", "two"]]), layers = 0)
    metric all  = kl_from(apply(m, add(v, scale = 0.5)), photos, base = m)
    metric last = kl_from(apply(m, add(v, scale = 0.5)), photos, base = m, positions = last)
    """
    found = run(text, "all", "last", "v")
    v = torch.tensor(found["v"].directions[0])
    before = [torch.from_numpy(logits_of(place, plain, i)).log_softmax(-1) for i in range(COUNT)]
    block = plain[0].model.language_model.layers[0]
    handle = block.register_forward_hook(lambda _, __, o: o + 0.5 * v)
    after = [torch.from_numpy(logits_of(place, plain, i)).log_softmax(-1) for i in range(COUNT)]
    handle.remove()
    each = [(p.exp() * (p - q)).sum(-1) for p, q in zip(before, after, strict=True)]
    starts = [int((asked(place, plain, i)["input_ids"][0] == IMAGE).nonzero().max()) for i in range(COUNT)]
    wanted = np.mean([float(kl[s:-1].mean()) for kl, s in zip(each, starts, strict=True)])
    assert found["all"].value == pytest.approx(wanted, rel=1e-3)
    # The last place at which the next token is known: what predicts the prompt's last token.
    assert found["last"].value == pytest.approx(np.mean([float(kl[-1]) for kl in each]), rel=1e-3)


def test_how_surprising_captions_are(run: Any, place: Path, plain: Any) -> None:
    """By the model that wrote them, which sees the images, and by another that sees them too."""
    head = HEAD + 'model o = hf("other")\n'
    text = "samples said = generate(m, photos, max_new_tokens = 5)\nmetric x = perplexity(said, by = o)"
    found = run(text, "x", head=head)["x"]
    other = hf.LlavaForConditionalGeneration.from_pretrained(place / "other").eval()
    total, count = 0.0, 0
    for i in range(COUNT):
        given, ids = asked(place, plain, i), written(place, plain, i, 5)
        whole = torch.cat([given["input_ids"], torch.tensor([ids])], dim=1)
        with torch.no_grad():
            rows = other(input_ids=whole, pixel_values=given["pixel_values"]).logits[0].log_softmax(-1)
        start = given["input_ids"].shape[1]
        total -= sum(float(rows[start + k - 1, token]) for k, token in enumerate(ids))
        count += len(ids)
    assert found.value == pytest.approx(np.exp(total / count), rel=1e-4)


def test_an_edited_model_sees_as_its_weights_say(run: Any, place: Path, plain: Any) -> None:
    head = HEAD + 'model o = hf("other")\n'
    text = """
    model half = m + 0.5 * (o - m)
    activations acts = capture(half, photos, layers = 1, tokens = image)
    samples said = generate([m, half], photos, max_new_tokens = 5)
    """
    found = run(text, "acts", "said", head=head)
    half = hf.LlavaForConditionalGeneration.from_pretrained(place / "llava").eval()
    other = hf.LlavaForConditionalGeneration.from_pretrained(place / "other")
    with torch.no_grad():
        for one, two in zip(half.parameters(), other.parameters(), strict=True):
            one.add_(0.5 * (two - one))
    for i in range(COUNT):
        given = asked(place, plain, i)
        wanted = blocks(half, **given)[(given["input_ids"][0] == IMAGE).numpy()][:, 1].mean(0)
        np.testing.assert_allclose(found["acts"]["states"][i, 0], wanted, atol=3e-5 * np.abs(wanted).max())
        ids = written(place, (half, plain[1]), i, 5)
        assert found["said"]["half"][i].completion == plain[1].decode(ids, skip_special_tokens=True)


def test_a_gate_on_what_is_seen(run: Any) -> None:
    """Steered where the prompt's states point one way, and not where they do not; the share that was is measured."""
    text = """
    vector v = extract(m, pairs([["yes", "no"], ["one", "two"]]), layers = 0..1)
    model k = apply(m, add(v, layers = 1, scale = 30, when = projection(v, layer = 0) > CUT))
    samples said = generate([m, k], photos, max_new_tokens = 5)
    metric open = open_share(k, photos)
    activations at = capture(m, photos, layers = 0, tokens = last)
    """
    found = run(text.replace("CUT", "0.0"), "said", "open", "at", "v")
    v = found["v"].directions[0]
    number = found["at"]["states"][:, 0] @ (v / np.linalg.norm(v))
    cut = float(np.median(number))
    found = run(text.replace("CUT", f"{cut:.6f}"), "said", "open")
    moved = [a.completion != b.completion for a, b in zip(found["said"]["m"], found["said"]["k"], strict=True)]
    assert any(moved)
    assert 0 < found["open"].value <= 1
    assert found["open"].value >= np.mean(moved)


# ---- reading given text, words ---------------------------------------------------------------------------------------


def with_caption(place: Path, plain: tuple[Any, Any], i: int) -> tuple[np.ndarray[Any, Any], list[int], int]:
    """States of a prompt and the row's own caption after it, the caption's tokens, and where they begin."""
    given = asked(place, plain, i)
    ids = plain[1].tokenizer(f"a {'red' if i % 2 else 'blue'} circle", add_special_tokens=False)["input_ids"]
    whole = torch.cat([given["input_ids"], torch.tensor([ids])], dim=1)
    return blocks(plain[0], input_ids=whole, pixel_values=given["pixel_values"]), ids, given["input_ids"].shape[1]


REFERRED = f'model m = hf("llava")\ndata photos = images("data/t.csv", prompt = "{PROMPT}", references = "caption")\n'


@pytest.mark.parametrize(
    ("tokens", "wanted"),
    [
        ('predicting("circle")', lambda states, start: states[start + 1]),
        ('at("circle")', lambda states, start: states[start + 2]),
        ('before("circle")', lambda states, start: states[start : start + 2].mean(0)),
        ("generated", lambda states, start: states[start:].mean(0)),
        ("last", lambda states, start: states[-1]),
        ("index(0)", lambda states, start: states[start]),
        ('predicting(["red", "blue"])', lambda states, start: states[start]),
        ('predicting("a")', lambda states, start: states[start - 1]),
    ],
)
def test_states_while_reading_a_caption(run: Any, place: Path, plain: Any, tokens: str, wanted: Any) -> None:
    text = f"activations acts = capture(m, photos, layers = 0..1, tokens = {tokens}, during = reference)"
    found = run(text, "acts", head=REFERRED)["acts"]["states"]
    for i in range(COUNT):
        states, _, start = with_caption(place, plain, i)
        taken = wanted(states, start)
        np.testing.assert_allclose(found[i], taken, atol=3e-5 * np.abs(states).max())


def test_words_are_whole_and_the_first_counts(run: Any, place: Path) -> None:
    """`red` is no part of another word; rows without any of the words are left out and counted."""
    text = 'activations acts = capture(m, photos, layers = 0, tokens = predicting(["RED", "re"]), during = reference)'
    found = run(text, "acts", head=REFERRED)
    states = found["acts"]["states"]
    assert [bool(row.any()) for row in states] == [bool(i % 2) for i in range(COUNT)]
    assert any("holds 3 of 7 texts" in str(d.message) for d in found.diagnostics)


@pytest.mark.parametrize("how", ['yaml("colours.yaml")', 'words = yaml("colours.yaml")', 'words = ["red", "blue"]'])
def test_words_of_classes(run: Any, place: Path, how: str) -> None:
    (place / "colours.yaml").write_text("warm: [red]\ncold: [blue]\n")
    text = f"""
    activations a = capture(m, photos, layers = 0, tokens = predicting({how}), during = reference)
    activations b = capture(m, photos, layers = 0, tokens = index(0), during = reference)
    """
    found = run(text, "a", "b", head=REFERRED)
    np.testing.assert_array_equal(found["a"]["states"], found["b"]["states"])


def test_references_after_plain_prompts(run: Any, place: Path, plain: Any) -> None:
    head = 'model m = hf("llava")\ndata rows = csv("data/t.csv", text = "asked", references = "caption")\n'
    text = 'activations acts = capture(m, rows, layers = 0, tokens = predicting("circle"), during = reference)'
    found = run(text, "acts", head=head)["acts"]["states"]
    for i in range(3):
        ids = plain[1].tokenizer(f"{QUESTIONS[i % 3]} a {'red' if i % 2 else 'blue'} circle", return_tensors="pt")
        wanted = blocks(plain[0], **ids)[-2, 0]
        np.testing.assert_allclose(found[i, 0], wanted, atol=3e-5 * np.abs(wanted).max())


def test_messages_without_images_are_written_by_a_template_that_looks_for_parts(
    run: Any, place: Path, plain: Any
) -> None:
    head = 'model m = hf("llava")\ndata rows = csv("data/t.csv", text = "asked", chat = true, limit = 3)\n'
    text = "activations acts = capture(m, rows, layers = 0, tokens = mean)"
    found = run(text, "acts", head=head)["acts"]["states"]
    for i in range(3):
        said = [{"role": "user", "content": [{"type": "text", "text": QUESTIONS[i]}]}]
        rendered = plain[1].apply_chat_template(said, add_generation_prompt=False)
        assert QUESTIONS[i] in rendered
        ids = plain[1].tokenizer(rendered, add_special_tokens=False, return_tensors="pt")
        wanted = blocks(plain[0], **ids)[:, 0].mean(0)
        np.testing.assert_allclose(found[i, 0], wanted, atol=3e-5 * np.abs(wanted).max())


def test_a_reference_that_is_not_named(program: Any) -> None:
    with pytest.raises(SteerlangError) as refused:
        program("activations acts = capture(m, photos, layers = 0, during = reference)")
    assert refused.value.diagnostics[0].code.id == "SL455"


def test_a_model_of_a_run_sees(run: Any, place: Path) -> None:
    """In Python: one image a prompt or one for all, as in the program; images of the rows are told with the replies."""
    found = run("samples said = generate(m, photos, max_new_tokens = 5)", "said")
    assert [s.image for s in found["said"]] == [f"img/{i}.png" for i in range(COUNT)]
    model = found.model("m")
    paths = [place / f"data/img/{i}.png" for i in range(COUNT)]
    assert model.generate([PROMPT] * COUNT, 5, images=paths) == [s.completion for s in found["said"]]
    assert model.generate([PROMPT, PROMPT], 5, images=paths[2]) == [found["said"][2].completion] * 2
    with pytest.raises(ValueError, match="2 images for 1 prompts"):
        model.generate(PROMPT, images=paths[:2])
    with pytest.raises(SteerlangError) as refused:
        model.generate(PROMPT, images=place / "data/t.csv")
    assert refused.value.diagnostics[0].code.id == "SL457"


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda f: (f / "processor_config.json").unlink(), "has no image processor"),
        (lambda f: (f / "tokenizer.json").unlink(), "has no tokenizer"),
    ],
)
def test_a_model_without_what_it_needs_to_see(program: Any, place: Path, change: Any, message: str) -> None:
    folder = place / "lacking"
    shutil.copytree(place / "llava", folder)
    change(folder)
    try:
        with pytest.raises(SteerlangError) as refused:
            program('model l = hf("lacking", task = image_text_to_text)')
        assert refused.value.diagnostics[0].code.id == "SL516"
        assert message in refused.value.diagnostics[0].message
    finally:
        shutil.rmtree(folder)
