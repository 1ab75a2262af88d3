"""One batch whose rows are steered each its own way, from Python."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from operations.tiny import HEAD, PROMPTS, make_project, program

from steerlang import SteerlangError
from steerlang.models import RESIDUAL, Add, SteeringAction

TEXT = """vector w = extract(m, pairs, tokens = mean)
steering gentle = [
  add(v, layers = 1, scale = 1.5, tokens = generated, schedule = linear(1.0, 0.2, 4)),
  rotate(w, scale = 0.4, when = cosine(v, layer = 0) > 0.05, layers = 1),
]
steering hard = [clamp(w, to = 2, layers = 0..1), ablate(v, w, layers = 1, site = mlp, across = true)]
model kind = apply(m, add(w, scale = 2))
model kinder = apply(kind, gentle)
"""


@pytest.fixture(scope="module")
def run(project: Path, tmp_path_factory: pytest.TempPathFactory) -> Any:
    text = TEXT.replace("ablate(v, w,", "ablate([v, w],")
    done = program(project, text, cache=tmp_path_factory.mktemp("rows")).run()
    assert done.outcome == "done", done.diagnostics
    return done


def explicit() -> tuple[SteeringAction, ...]:
    v = torch.randn(1, 16, generator=torch.Generator().manual_seed(3))
    return (SteeringAction(Add(), RESIDUAL, {0: v}, (4.0,)),)


def test_each_row_is_as_if_it_were_alone(run: Any) -> None:
    base = run.model("m")
    kinds = [None, run["gentle"], run["hard"], run["kind"], explicit(), run["kinder"]]
    rows = [(prompt, kind) for kind in kinds for prompt in PROMPTS]
    together = base.generate([p for p, _ in rows], 6, steering=[k for _, k in rows])
    alone = [base.generate(p, 6, steering=k)[0] for p, k in rows]
    assert together == alone
    assert base.generate(PROMPTS, 6) == together[: len(PROMPTS)]
    assert len({tuple(together[i : i + len(PROMPTS)]) for i in range(0, len(rows), len(PROMPTS))}) > 3


def test_a_steering_is_what_a_model_of_the_program_does(run: Any) -> None:
    base, kind = run.model("m"), run.model("kind")
    assert base.generate(PROMPTS, 6, steering=run["kinder"]) == run.model("kinder").generate(PROMPTS, 6)
    assert kind.generate(PROMPTS, 6, steering=run["gentle"]) == run.model("kinder").generate(PROMPTS, 6)


def test_scales_multiply_the_row_own_steering_and_0_is_the_base(run: Any) -> None:
    base, v = run.model("m"), explicit()
    scales = [0.0, 0.25, 1.0, -2.0, 0.5]
    together = base.generate(PROMPTS, 6, steering=v, scales=scales)
    for prompt, scale, found in zip(PROMPTS, scales, together, strict=True):
        assert base.generate(prompt, 6, steering=(v[0].times(scale),)) == [found]
    assert base.generate(PROMPTS, 6, steering=run["hard"], scales=0) == base.generate(PROMPTS, 6)
    kind = run.model("kind")
    assert kind.generate(PROMPTS, 6, steering=v, scales=0.0) == kind.generate(PROMPTS, 6)


@pytest.mark.parametrize("count", [3, 6])
def test_more_or_fewer_recipes_than_rows_are_an_error(run: Any, count: int) -> None:
    base = run.model("m")
    with pytest.raises(SteerlangError, match=rf"`steering` has {count} entries for 5 prompts \[SL416\]"):
        base.generate(PROMPTS, 6, steering=[run["gentle"]] * count)
    with pytest.raises(SteerlangError, match=r"`scales` has .* one for each prompt"):
        base.generate(PROMPTS, 6, steering=run["gentle"], scales=[1.0] * count)


def test_what_is_no_steering_of_the_model(run: Any, project: Path, tmp_path: Path) -> None:
    base = run.model("m")
    with pytest.raises(SteerlangError, match=r"row 1: 'gentle' is no steering \[SL302\]"):
        base.generate(PROMPTS, 6, steering=[None, "gentle", None, None, None])
    with pytest.raises(SteerlangError, match=r"row 0: a `Tensor` is no steering \[SL302\]"):
        base.generate(PROMPTS, 6, steering=[torch.ones(3), None, None, None, None])
    wide = (SteeringAction(Add(), RESIDUAL, {0: torch.ones(1, 17)}, (1.0,)),)
    with pytest.raises(SteerlangError, match=r"width 17.*\[SL513\]"):
        base.generate(PROMPTS, 6, steering=wide)
    other = program(project, 'model o = hf("other")\nsteering gentle = [add(v)]\n', cache=tmp_path).run()
    with pytest.raises(SteerlangError, match=r"read from `m`, and this steers `other`.*\[SL313\]"):
        other.model("o").generate(PROMPTS, 6, steering=other["gentle"])
    with pytest.raises(SteerlangError, match="`m` is another model"):
        other.model("o").generate(PROMPTS, 6, steering=other["m"])


def test_no_prompts_give_no_texts(run: Any) -> None:
    assert run.model("m").generate([], steering=[]) == []


def test_a_steering_serves_several_models_and_files(tmp_path: Path) -> None:
    """One list, imported, on a model and on a model that is steered already."""
    project = make_project(tmp_path)
    shared = HEAD + "steering gentle = [add(v, scale = 1.5, when = projection(v, layer = 0) > -100), rotate(v)]\n"
    (project / "common.steer").write_text(shared)
    head = 'steerlang 1\nimport c = "common.steer"\n'
    text = """model one = apply(c.m, c.gentle)
model two = apply(apply(c.m, ablate(c.v, layers = 0)), c.gentle)
model three = apply(c.m, add(c.v, scale = 1.5), rotate(c.v))
samples x = generate([c.m, one, two, three], c.words, max_new_tokens = 5)
"""
    found = program(project, text, head=head).run()["x"]
    texts = {name: [sample.completion for sample in found[name]] for name in ("c.m", "one", "two", "three")}
    assert texts["one"] == texts["three"]
    assert texts["one"] != texts["c.m"]
    assert texts["two"] != texts["one"]
