"""The 49 bad inputs that mergekit 0.1.5 was tried with, by their numbers, as programs and folders of this language.

Each is run as a whole command. What can be known from the text and from headers is an error of the program (exit 1)
before a weight is read; what only the numbers tell ends the run (exit 3). In either case one screen says what it is,
nothing is written, and no traceback is shown.

What cannot be written here, and what stands for it:

    15      `model:` for `models:`: there is no such list; an unknown argument stands for it
    21      a NaN as a coefficient: none can be written; a number beyond floats and a division by 0 stand for it
    40–42   YAML that is broken, empty, or a list: programs are no YAML; the same of programs stands for it
    46, 47  `layer_range`: there are no slices of layers; patterns of layers that do not exist stand for it
    49      `model+adapter` in one name: an adapter is a function; one that is not there stands for it

One has another answer: the same model twice (44) is a warning, since a task vector may be added twice.
"""

from __future__ import annotations

import errno
import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner, Result
from weights_models import CONFIG, LAYERS, VOCABULARY, WIDTH, Arrays, arrays, write

from steerlang.cli.main import cli
from steerlang.weights.checkpoint import Checkpoint

HEAD = "steerlang 1\n"
DEFINITIONS = {
    "base": 'model base = hf("base")\n', "a": 'model a = hf("a")\n', "b": 'model b = hf("b")\n',
    "t": "taskvector t = a - base\n", "u": "taskvector u = b - base\n",
}  # fmt: skip
UP = "model.layers.1.mlp.up_proj.weight"
WHOLE = {**CONFIG, "architectures": ["LlamaForCausalLM"], "hidden_size": WIDTH}
SECOND = "model-00002-of-00003.safetensors"
Harm = Callable[[Path], None]


def tuned(change: Callable[[Arrays], Arrays], name: str = "a", **config: object) -> Harm:
    """Changes the tensors, and the configuration, of one of the models."""

    def harm(home: Path) -> None:
        base = arrays(0)
        tensors = base if name == "base" else arrays(1, base)
        shutil.rmtree(home / name)
        write(home / name, change(tensors), shard=4000, config={**WHOLE, **config})

    return harm


def without(name: str) -> Callable[[Arrays], Arrays]:
    return lambda t: {k: v for k, v in t.items() if k != name}


def having(name: str, values: np.ndarray) -> Callable[[Arrays], Arrays]:
    return lambda t: {**t, name: values}


def tokens(rows: int) -> Callable[[Arrays], Arrays]:
    names = ("model.embed_tokens.weight", "lm_head.weight")
    return lambda t: {k: np.resize(v, (rows, WIDTH)) if k in names else v for k, v in t.items()}


def spoilt(value: float) -> Callable[[Arrays], Arrays]:
    def change(t: Arrays) -> Arrays:
        t[UP] = t[UP].copy()
        t[UP][3, 3] = value
        return t

    return change


def file(edit: Callable[[bytes], bytes], name: str = SECOND) -> Harm:
    """Changes the bytes of one file of `a`."""

    def harm(home: Path) -> None:
        path = home / "a" / name
        path.write_bytes(edit(path.read_bytes()))

    return harm


def gone(*names: str) -> Harm:
    def harm(home: Path) -> None:
        for name in names:
            path = home / name
            shutil.rmtree(path) if path.is_dir() else path.unlink()

    return harm


def pickled(home: Path) -> None:
    for path in (home / "a").glob("model*"):
        path.unlink()
    (home / "a" / "pytorch_model.bin").write_bytes(b"\x80\x02")


def nothing(_: Path) -> None: ...


@dataclass(frozen=True)
class Case:
    """numbers  in the list; code and exit  what is said; words  what the message must name."""

    numbers: str
    what: str
    code: str
    words: str
    edit: str = "base + 0.5 * t"
    harm: Harm = nothing
    exit: int = 1
    text: str | None = None
    options: str = ""

    def program(self) -> str:
        """The edit with what it uses."""
        if self.text is not None:
            return self.text
        export = f'export out = checkpoint({self.edit}, to = "out"{self.options})\n'
        used = set(re.findall(r"\w+", re.sub(r'"[^"]*"', "", export))) & DEFINITIONS.keys()
        for name in ("u", "t"):
            used |= set(re.findall(r"\w+", DEFINITIONS[name])) & DEFINITIONS.keys() if name in used else set()
        return HEAD + "".join(text for name, text in DEFINITIONS.items() if name in used) + export


def compose(arguments: str) -> str:
    return f"base + compose([t, u], {arguments})"


TIES = compose("method = ties")
CASES = (
    Case("01", "a tensor is missing", "SL505", UP, harm=tuned(without(UP))),
    Case("02", "a tensor is missing, ties", "SL505", UP, TIES, tuned(without(UP))),
    Case("03", "the head is missing, not tied", "SL505", "lm_head.weight", harm=tuned(without("lm_head.weight"),
         tie_word_embeddings=False)),
    Case("04", "another shape", "SL513", UP, harm=tuned(having(UP, np.zeros((10, WIDTH), np.float32)))),
    Case("05", "transposed", "SL513", UP, harm=tuned(lambda t: {**t, UP: t[UP].T})),
    Case("06", "more tokens", "SL513", "54 tokens", harm=tuned(tokens(54), vocab_size=54)),
    Case("07", "more tokens, ties", "SL513", "54 tokens", TIES, tuned(tokens(54), vocab_size=54)),
    Case("08", "fewer tokens", "SL513", "47 tokens", harm=tuned(tokens(47), vocab_size=47)),
    Case("09", "fewer tokens, ties", "SL513", "47 tokens", TIES, tuned(tokens(47), vocab_size=47)),
    Case("10", "a misspelt key at the top", "SL303", "dtpye", options=", dtpye = bfloat16"),
    Case("11", "a misspelt weight", "SL303", "wieght", compose("wieght = 0.7")),
    Case("12", "a misspelt density", "SL303", "densty", compose("method = ties(densty = 0.2)")),
    Case("13", "misspelt parameters", "SL303", "normalise", compose("method = ties(normalise = count, lamda = 3.0)")),
    Case("14", "a misspelt method", "SL308", "task_arithmatic", compose("method = task_arithmatic")),
    Case("15", "a wrong argument for the models", "SL303", "models", "base + compose(models = [t, u])"),
    Case("16", "no base", "SL304", "vector", "edit(base)"),
    Case("17", "a filter that matches nothing", "SL431", "self_atn",
         'base + blockwise(set(glob("**.self_atn.**"), 0.9)) * t'),
    Case("18", "a misspelt filter", "SL206", "golb", 'base + blockwise(set(golb("**.mlp.**"), 0.9)) * t'),
    Case("19", "a misspelt dtype", "SL308", "bf16", options=", dtype = bf16"),
    Case("20", "a word for a number", "SL302", "coefficients", compose('coefficients = ["lots", 1]')),
    Case("21", "an infinite number", "SL116", "1e999", "base + 1e999 * t"),
    Case("21", "a division by 0", "SL401", "division by zero", "base + (0 / 0) * t"),
    Case("21", "a word that is no number", "SL201", "nan", "base + nan * t"),
    Case("22", "a density of 2", "SL401", "density", compose("method = ties(density = 2.0)")),
    Case("23", "a density of −1", "SL401", "density", compose("method = ties(density = -1.0)")),
    Case("24", "NaN in a weight", "SL802", UP, harm=tuned(spoilt(np.nan)), exit=3),
    Case("25", "an infinite weight", "SL802", UP, harm=tuned(spoilt(np.inf)), exit=3),
    Case("26", "NaN in a weight, ties", "SL802", UP, TIES, tuned(spoilt(np.nan)), exit=3),
    Case("26", "NaN in the base", "SL802", UP, harm=tuned(spoilt(np.nan), "base"), exit=3),
    Case("27", "a folder that is not there", "SL503", "`a`", harm=gone("a")),
    Case("27", "a path that is not there", "SL501", "./nowhere",
         text=f'{HEAD}model x = hf("./nowhere")\n'),
    Case("28", "a shard is missing", "SL505", SECOND, harm=gone(f"a/{SECOND}")),
    Case("29", "a truncated shard", "SL505", SECOND, harm=file(lambda d: d[:-10])),
    Case("30", "a header that is too long", "SL505", SECOND, harm=file(lambda d: b"\xff" * 8 + d[8:])),
    Case("31", "a header that is no text", "SL505", SECOND, harm=file(lambda d: d[:8] + b"\xff\xfe" + d[10:])),
    Case("33", "an empty shard", "SL505", SECOND, harm=file(lambda d: b"")),
    Case("34", "no configuration", "SL505", "config.json", harm=gone("a/config.json")),
    Case("35", "no weights", "SL505", "no weights",
         harm=lambda home: [p.unlink() for p in (home / "a").glob("model*")]),
    Case("36", "a tensor too many", "SL505", "q_proj.bias",
         harm=tuned(having("model.layers.0.self_attn.q_proj.bias", np.zeros(8, np.float32)))),
    Case("37", "a configuration of 1 layer", "SL313", f"{LAYERS} layers", harm=tuned(lambda t: t, num_hidden_layers=1)),
    Case("38", "weights as int8", "SL805", UP, harm=tuned(having(UP, np.zeros((2 * WIDTH, WIDTH), np.int8)))),
    Case("39", "another architecture", "SL313", "gpt2", harm=tuned(lambda t: t, model_type="gpt2")),
    Case("40", "broken syntax", "SL104", "is not closed", "base + compose([t, u]"),
    Case("41", "an empty program", "SL111", "steerlang 1", text=""),
    Case("42", "a list for a program", "SL110", "", text="steerlang 1\n[1, 2]\n"),
    Case("43", "a key given twice", "SL208", "method", compose("method = linear, method = ties")),
    Case("44", "the same model twice", "SL435", "one and the same", "base + compose([t, a - base])", exit=0),
    Case("45", "a base that is not defined", "SL201", "bsae", "bsae + t"),
    Case("46", "layers past the end", "SL431", "layers.3",
         'base + blockwise(set(glob("model.layers.3.**"), 1.0)) * t'),
    Case("47", "a layer below 0", "SL431", "layers.-1", 'base + blockwise(set(glob("model.layers.-1.**"), 1.0)) * t'),
    Case("48", "nothing to compose", "SL402", "nothing to compose", "base + compose([])"),
    Case("49", "an adapter that is not there", "SL503", "tiny-lora", 'base + lora("tiny-lora")'),
    # Beyond the list.
    Case("", "pickled weights", "SL506", "only as a pickle", harm=pickled),
    Case("", "overlapping patterns", "SL432", "both match", 'base + blockwise(set(glob("**.mlp.**"), 0.9), '
         'set(glob("**.up_proj.weight"), 0.1)) * t'),
    Case("", "a pattern that is malformed", "SL422", "malformed", 'base + blockwise(set(glob("a..b"), 0.9)) * t'),
    Case("", "everything excluded", "SL431", "every tensor is excluded", options=', exclude = glob("**")'),
    Case("", "too large for the dtype", "SL802", "too large for F16", "base + 1e6 * t", exit=3,
         options=", dtype = float16"),
    Case("", "quantised weights", "SL805", "gptq",
         harm=tuned(lambda t: t, quantization_config={"quant_method": "gptq"})),
    Case("", "a task vector of another base", "SL313", "was taken from `b`", "base + (a - b)"),
    Case("", "a Git LFS pointer", "SL505", "Git LFS",
         harm=file(lambda d: b"version https://git-lfs.github.com/spec/v1\n")),
    Case("", "a difference without a rank", "SL433", "no exact factors",
         text=HEAD + DEFINITIONS["base"] + DEFINITIONS["a"] + 'export out = adapter(a - base, to = "out")\n'),
)  # fmt: skip


@pytest.fixture(scope="module")
def clean(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project whose models have no fault."""
    home = tmp_path_factory.mktemp("clean")
    base = arrays(0)
    for number, name in enumerate(("base", "a", "b")):
        write(home / name, base if name == "base" else arrays(number, base), shard=4000, config=WHOLE)
    (home / "pyproject.toml").write_text("")
    return home


@pytest.fixture
def home(clean: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(clean, tmp_path / "home"))


def steer(*arguments: str) -> Result:
    return CliRunner().invoke(cli, list(arguments))


def run(home: Path, program: str, *options: str) -> Result:
    (home / "main.steer").write_text(program)
    return steer("run", str(home / "main.steer"), "--cache-dir", str(home / "cache"), "--offline", *options)


def traces(home: Path) -> list[str]:
    """What a run left where its output should lie."""
    return [p.name for p in home.iterdir() if p.name == "out" or p.name.startswith(".out")]


def test_what_is_not_bad_is_written(home: Path) -> None:
    result = run(home, Case("", "", "", "").program())
    assert result.exit_code == 0, result.output
    assert traces(home) == ["out"]
    assert steer("verify", str(home / "out")).exit_code == 0


@pytest.mark.parametrize("case", CASES, ids=[f"{c.numbers or 'more'} {c.what}" for c in CASES])
def test_case(case: Case, home: Path) -> None:
    case.harm(home)
    result = run(home, case.program())
    assert result.exit_code == case.exit, result.output
    assert case.code in result.output, result.output
    assert case.words in result.output
    assert "Traceback" not in result.output
    assert case.exit == 0 or len(result.output.splitlines()) <= 24, result.output
    assert traces(home) == (["out"] if case.exit == 0 else [])
    document = json.loads(run(home, case.program(), "--format", "json").stdout)
    assert document["exit_code"] == case.exit
    assert case.code in [d["code"] for d in document["diagnostics"]]
    assert "traceback" not in json.dumps(document).lower()


@pytest.mark.parametrize("case", [c for c in CASES if c.exit == 1], ids=lambda c: f"{c.numbers or 'more'} {c.what}")
def test_validate_finds_it_before_a_weight_is_read(case: Case, home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Checkpoint, "_map", lambda *_: pytest.fail("weights were read"))
    case.harm(home)
    (home / "main.steer").write_text(case.program())
    options = ("--locked",) if case.code == "SL503" else ()
    result = steer("validate", str(home / "main.steer"), *options)
    assert result.exit_code == 1, result.output
    assert case.code in result.output


def test_32_one_flipped_bit(home: Path) -> None:
    """In an input it makes another model, whose results have other keys and whose digest the receipt holds; in what
    was written `verify` finds it."""
    program = Case("", "", "", "").program()
    assert run(home, program).exit_code == 0
    before = json.loads((home / "out" / "receipt.json").read_text())["inputs"]
    for folder in ("out", "a"):
        path = next(p for p in (home / folder).glob("model*.safetensors"))
        data = bytearray(path.read_bytes())
        data[-3] ^= 1
        path.write_bytes(bytes(data))
    result = steer("verify", str(home / "out"))
    assert result.exit_code == 1
    assert "were changed" in result.output
    assert run(home, program).exit_code == 0
    after = json.loads((home / "out" / "receipt.json").read_text())["inputs"]
    digests = [{given["name"]: given["digest"] for given in found.values()} for found in (before, after)]
    assert digests[0]["a"] != digests[1]["a"]
    assert digests[0]["base"] == digests[1]["base"]


@pytest.mark.parametrize("rows", [47, 54])
def test_common_tokens(rows: int, home: Path) -> None:
    """What 06 to 09 are told to say."""
    tuned(tokens(rows), vocab_size=rows)(home)
    program = Case("", "", "", "", "base + 0.5 * subtract(a, base, vocabulary = common)").program()
    result = run(home, program)
    assert result.exit_code == 0, result.output
    base, other = (Checkpoint.open(home / name) for name in ("base", "a"))
    made, common = Checkpoint.open(home / "out"), min(rows, VOCABULARY) * WIDTH
    for name in ("lm_head.weight", "model.embed_tokens.weight"):
        was, found = base.read(name, 0, VOCABULARY * WIDTH), made.read(name, 0, VOCABULARY * WIDTH)
        want = was[:common] + 0.5 * (other.read(name, 0, common) - was[:common])
        np.testing.assert_allclose(found[:common], want, atol=1e-6)
        assert (found[common:] == was[common:]).all()
    options = ("--cache-dir", str(home / "cache"), "--format", "json")
    plan = json.loads(steer("plan", str(home / "main.steer"), *options).stdout)
    assert "only one of the models has these tokens" in json.dumps(plan["edits"][0]["left_out"])


def test_a_full_disk(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "posix_fallocate", full)
    result = run(home, Case("", "", "", "").program())
    assert result.exit_code == 3, result.output
    assert "SL511" in result.output
    assert "Traceback" not in result.output
    assert traces(home) == []


def test_weights_alone_need_no_torch(home: Path) -> None:
    (home / "main.steer").write_text(Case("", "", "", "", TIES).program())
    code = (
        "import sys\nfrom steerlang.cli.main import cli\n"
        f"assert cli.main(['run', {str(home / 'main.steer')!r}, '--cache-dir', {str(home / 'cache')!r}, '-q'], "
        "standalone_mode=False) == 0\n"
        "print([m for m in ('torch', 'transformers', 'sklearn') if m in sys.modules])"
    )
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=120, check=True)
    assert found.stdout.splitlines()[-1] == "[]"
    assert traces(home) == ["out"]


def test_all_numbers_are_here() -> None:
    numbers = {int(c.numbers) for c in CASES if c.numbers} | {32}
    assert numbers == set(range(1, 50))
