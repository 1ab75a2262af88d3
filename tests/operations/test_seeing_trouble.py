"""Images and models that do not go together, damaged images, and images of unusual kinds."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from models.tiny_seeing import llava, noise, save
from PIL import Image

from steerlang.api import Settings, SteerlangError, load

ASK = 'prompt = "describe the picture ."'


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("trouble")
    (folder / "pyproject.toml").write_text("")
    save(llava(), folder / "llava")
    save(llava(additional=3), folder / "generous")
    save(llava(template=None), folder / "untold")
    (folder / "img").mkdir()
    for i in range(4):
        noise(i, 20, 24).save(folder / f"img/{i}.png")
    whole = (folder / "img/0.png").read_bytes()
    (folder / "img/cut.png").write_bytes(whole[: len(whole) // 2])
    (folder / "img/text.png").write_text("<!DOCTYPE html>")
    noise(5, 20, 24, "L").save(folder / "img/grey.png")
    noise(6, 20, 24, "RGBA").save(folder / "img/alpha.png")
    return folder


@pytest.fixture
def table(place: Path) -> Iterator[Callable[..., None]]:
    path = place / "odd.csv"
    yield lambda *files: path.write_text("\n".join(["file,key,asked", *(f"img/{f}.png,{f},yes" for f in files)]) + "\n")
    path.unlink(missing_ok=True)


@pytest.fixture
def said(place: Path, tmp_path: Path) -> Callable[..., Any]:
    """The diagnostics of a program, and the run where it is asked for."""

    def go(text: str, *names: str, run: bool = False) -> Any:
        (place / "p.steer").write_text(f"steerlang 1\n{text}\n")
        try:
            program = load(place / "p.steer", settings=Settings(cache_dir=tmp_path / "cache", device="cpu"))
        except SteerlangError as refused:
            return [(d.code.id, d.message) for d in refused.diagnostics], None
        found = program.run(list(names) or None) if run else None
        return [(d.code.id, d.message) for d in (found or program).diagnostics], found

    return go


def test_a_text_that_holds_the_token_of_an_image_is_not_read(said: Any, place: Path) -> None:
    """The model would look for an image there, and say that the processor and it do not agree."""
    (place / "told.csv").write_text("file,caption\nimg/0.png,a red circle\nimg/1.png,a <image> circle\n")
    data = f'data d = images("told.csv", {ASK}, references = "caption")'
    read = "activations a = capture(m, d, during = reference)"
    ((code, message),), _ = said(f'model m = hf("llava", task = image_text_to_text)\n{data}\n{read}', run=True)
    assert code == "SL570"
    assert message.startswith("the text of row 2 holds the token that stands for an image")


def test_a_processor_that_counts_otherwise_than_its_model(said: Any, table: Any) -> None:
    table(0, 1)
    text = f'model m = hf("generous")\ndata d = images("odd.csv", {ASK})\n'
    for more, name in (("samples x = generate(m, d)", "x"), ("activations x = capture(m, d, layers = 0)", "x")):
        ((code, message), *rest), _ = said(text + more, name, run=True)
        assert code == "SL570"
        assert not rest
        assert message.startswith("the processor and the model do not agree on how many tokens an image has")


def test_a_prompt_with_a_second_place_for_an_image(said: Any, table: Any) -> None:
    table(0, 1)
    text = 'model m = hf("llava")\ndata d = images("odd.csv", prompt = "<image> describe")\nsamples x = generate(m, d)'
    ((code, message),), _ = said(text, "x", run=True)
    assert code == "SL570"
    assert message.startswith("the processor does not take the prompt and its image: ")


def test_a_cut_image_is_named_with_its_row(said: Any, table: Any) -> None:
    table(0, "cut", 1)
    text = f'model m = hf("llava")\ndata d = images("odd.csv", {ASK})\nsamples x = generate(m, d)'
    assert said(text)[0] == []
    ((code, message),), _ = said(text, "x", run=True)
    assert code == "SL457"
    assert message.startswith("line 3 of `odd.csv`: the image ")
    text = f'model m = hf("llava")\ndata d = images("odd.csv", {ASK})\nactivations x = capture(m, d, layers = 0)'
    ((code, message),), _ = said(text, "x", run=True)
    assert message.startswith("line 3 of `odd.csv`: the image ")


def test_broken_images_may_be_left_out(said: Any, table: Any) -> None:
    table(0, "cut", "text", 1, "gone")
    head = 'model m = hf("llava")\n'
    ((code, message),), _ = said(head + f'data d = images("odd.csv", {ASK})\nsamples x = generate(m, d)')
    assert (code, message) == ("SL501", "1 of 5 images named in `odd.csv` do not exist")
    text = head + f'data d = images("odd.csv", {ASK}, broken = skip)\nsamples x = generate(m, d, max_new_tokens = 4)'
    diagnostics, found = said(text, "x", run=True)
    assert ("SL457", "3 of 5 images of `d` cannot be read and are left out") in diagnostics
    table(0, 1)
    text_of_whole = text.replace(", broken = skip", "")
    _, plain = said(text_of_whole, "x", run=True)
    assert [s.completion for s in found["x"]] == [s.completion for s in plain["x"]]
    table("cut", "text")
    ((code, message),), _ = said(text, "x", run=True)
    assert (code, message[:23]) == ("SL457", "none of 2 images of `od")


def test_an_image_that_comes_later_changes_the_key(place: Path, table: Any, tmp_path: Path) -> None:
    table(0, "later")
    (place / "p.steer").write_text(f'steerlang 1\ndata d = images("odd.csv", {ASK}, broken = skip)\n')

    def key() -> str:
        program = load(place / "p.steer", settings=Settings(cache_dir=tmp_path / "cache"))
        return program.compiled.graph.roots["d"].key

    before = key()
    noise(9).save(place / "img/later.png")
    assert key() != before
    (place / "img/later.png").unlink()
    assert key() == before


def test_grey_and_transparent_images_are_seen(said: Any, table: Any, place: Path) -> None:
    """Grey is the three channels alike; transparency is dropped."""
    for kind in ("grey", "alpha"):
        with Image.open(place / f"img/{kind}.png") as image:
            image.convert("RGB").save(place / f"img/{kind}-rgb.png")
    table("grey", "grey-rgb", "alpha", "alpha-rgb")
    text = f'model m = hf("llava")\ndata d = images("odd.csv", {ASK})\n'
    text += "activations x = capture(m, d, layers = 1, tokens = image)"
    states = said(text, "x", run=True)[1]["x"]["states"]
    np.testing.assert_array_equal(states[0], states[1])
    np.testing.assert_array_equal(states[2], states[3])


def test_a_gigantic_image_is_refused_before_it_is_decoded(said: Any, table: Any, place: Path) -> None:
    import struct
    import zlib

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    head = chunk(b"IHDR", struct.pack(">IIBBBBB", 60_000, 60_000, 8, 2, 0, 0, 0))
    (place / "img/huge.png").write_bytes(b"\x89PNG\r\n\x1a\n" + head + chunk(b"IDAT", b"") + chunk(b"IEND", b""))
    table(0, "huge")
    text = f'model m = hf("llava")\ndata d = images("odd.csv", {ASK})\nsamples x = generate(m, d)'
    ((code, message),), _ = said(text, "x", run=True)
    assert code == "SL457"
    assert message.startswith("line 3 of `odd.csv`: the image ")
    assert "(3600000000 pixels)" in message


def test_what_is_refused_while_checking(said: Any, table: Any) -> None:
    table(0, 1)
    head = f'model m = hf("llava")\nmodel t = hf("llava", task = causal)\ndata d = images("odd.csv", {ASK})\n'
    blind = ("SL515", "`llava` is a language model that reads texts, and these rows are images")
    cases = {
        "samples x = generate(t, d)": blind,
        "activations x = capture(t, d)": blind,
        'samples x = generate(m, images("odd.csv"))': ("SL455", "these images have no prompt"),
        'activations x = capture(m, ["yes"], tokens = image)': (
            "SL455",
            "`image` reads the image of a prompt, and here are only texts",
        ),
        "activations x = capture(m, d, tokens = image, during = generation)": (
            "SL455",
            "`image` reads the image of a prompt, and here are only texts",
        ),
        "activations x = capture(m, d, tokens = generated)": (
            "SL455",
            "`generated` reads what is generated, and nothing is generated here",
        ),
        'vector v = extract(m, pairs([["yes", "no"], ["one", "two"]]))\n'
        'samples x = generate(apply(m, add(v, tokens = image)), ["yes"])': (
            "SL455",
            "`llava` is steered at the tokens of an image, and these rows are texts",
        ),
        f'samples x = generate(m, images("odd.csv", {ASK}, question = "asked"))': (
            "SL302",
            "the prompt is said twice",
        ),
        'samples x = generate(m, images("odd.csv", question = "askd"))': (
            "SL451",
            "`odd.csv` has no column `askd`",
        ),
        'samples x = generate(m, images("odd.csv", prompt = "{nothing} ?"))': (
            "SL451",
            "the prompt has a place `{nothing}`, which is no column of the data",
        ),
        'model u = hf("untold")\n'
        f'samples x = generate(u, images("odd.csv", {ASK}, system = "yes"))': (
            "SL505",
            "the tokenizer of `untold` has no chat template",
        ),
    }  # fmt: skip
    for text, wanted in cases.items():
        found, _ = said(head + text)
        assert found[:1] == [wanted], text


def test_rows_by_a_list_of_ids(said: Any, table: Any, place: Path) -> None:
    table(0, 1, 2, 3)
    (place / "ids.txt").write_text("3\n1\n")
    for ids in ('lines("ids.txt")', '["1", "3"]'):
        text = f'data d = images("odd.csv", {ASK}, where = one_of("key", {ids}))\n'
        text += 'model m = hf("llava")\nsamples x = generate(m, d, max_new_tokens = 3)'
        found = said(text, "x", run=True)[1]
        assert len(found["x"]) == 2
    ((code, _),), _ = said(f'data d = images("odd.csv", {ASK}, where = one_of("kee", ["1"]))')
    assert code == "SL451"


def test_a_prompt_without_a_template_has_its_image_first(said: Any, table: Any) -> None:
    table(0, 1)
    text = 'model u = hf("untold")\ndata d = images("odd.csv", prompt = "{} ?")\n'
    text += "samples x = generate(u, d, max_new_tokens = 3)"
    plain = said(text.format("describe"), "x", run=True)[1]["x"]
    placed = said(text.format("<image>describe"), "x", run=True)[1]["x"]
    assert [s.completion for s in plain] == [s.completion for s in placed]
