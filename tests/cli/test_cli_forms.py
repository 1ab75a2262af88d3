"""Programs in the YAML and JSON form on the command line, and the verbs that turn and look at programs."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import xml.etree.ElementTree as ET
from pathlib import Path
from typing import Any

import pytest
from cli_support import GOOD, Steer
from jsonschema import Draft202012Validator

from steerlang import api
from steerlang.api.forms import convert
from steerlang.functions import registry
from steerlang.language.json_schema import program_schema
from steerlang.syntax import read_source
from steerlang.syntax.tables import shipped

SPECS = Path(__file__).resolve().parents[2] / "specs"
PROGRAMS = sorted(p for room in (SPECS, SPECS / "methods", SPECS / "weights") for p in room.glob("*.steer"))

YAML = """steerlang: 1
definitions:
  limit: {param: {number: [], default: 3, min: 0, max: 10}}
  small: {expect: 2 < limit}
"""
SWEEP = """steerlang 1
# What it is for.
param  limit = number(default = 3, min = 0, max = 10, help = "the limit")
let    half  = limit / 2
sweep  s     = [1, 2]
expect small = half < limit
expect other = s < 5
"""


@pytest.fixture
def place(folder: Path) -> Path:
    (folder / "p.steer.yaml").write_text(YAML, encoding="utf-8")
    (folder / "sweep.steer").write_text(SWEEP, encoding="utf-8")
    return folder


def document(steer: Steer, *arguments: str, code: int = 0) -> Any:
    result = steer(*arguments, "--format", "json")
    assert result.exit_code == code, result.output
    return json.loads(result.stdout)


# ---- forms ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("verb", ["validate", "run", "plan", "test"])
def test_verbs_read_yaml_and_json(verb: str, steer: Steer, place: Path) -> None:
    assert steer(verb, "p.steer.yaml").exit_code == 0
    assert steer("convert", "p.steer.yaml", "--to", "json", "-o", "p.steer.json").exit_code == 0
    assert steer(verb, "p.steer.json").exit_code == 0
    if verb in ("run", "test"):
        assert steer(verb, "p.steer.yaml", "--set", "limit=1").exit_code == 4


def test_mistakes_have_the_place_in_the_yaml(steer: Steer, place: Path) -> None:
    (place / "p.steer.yaml").write_text(YAML.replace("2 < limit", "'2 < limt'"), encoding="utf-8")
    found = document(steer, "validate", "p.steer.yaml", code=1)["diagnostics"]
    places = [(d["code"], d["range"]["start"]["line"], d["range"]["start"]["column"]) for d in found]
    assert places == [("SL201", 4, 24)]


def test_folders_hold_all_forms(steer: Steer, place: Path) -> None:
    (place / "other.yaml").write_text("a: 1\n", encoding="utf-8")
    (place / "bad.steer").unlink()
    programs = document(steer, "validate", ".")["programs"]
    assert [p["program"] for p in programs] == ["good.steer", "p.steer.yaml", "sweep.steer", "ugly.steer"]


def test_imports_cross_forms(steer: Steer, place: Path) -> None:
    (place / "shared.steer.yaml").write_text("steerlang: 1\ndefinitions:\n  one: {let: 1}\n", encoding="utf-8")
    text = 'steerlang 1\nimport shared = "shared.steer.yaml"\nexpect small = shared.one < 2\n'
    (place / "user.steer").write_text(text, encoding="utf-8")
    assert steer("run", "user.steer").exit_code == 0
    assert steer("convert", "user.steer", "--to", "yaml", "-o", "user.steer.yaml").exit_code == 0
    assert steer("run", "user.steer.yaml").exit_code == 0


@pytest.mark.parametrize("path", PROGRAMS, ids=lambda p: str(p.relative_to(SPECS)))
def test_every_form_gives_the_same_graph(path: Path) -> None:
    """Equal keys, diagnostics of the same codes, and a text that the schema takes."""
    source, _ = read_source(path)
    assert source is not None
    first = api.check(path)
    for form in ("yaml", "json"):
        text, _ = convert(source, "steer", form)
        assert text is not None
        other = path.with_name(f"{path.stem}.{form}")
        second = _checked(text, other)
        assert second.graph.roots == first.graph.roots
        assert [d.code for d in second.diagnostics] == [d.code for d in first.diagnostics]
    assert not list(SCHEMA.iter_errors(json.loads(text)))


def _checked(text: str, path: Path) -> Any:
    from steerlang.api.compiling import compile_text
    from steerlang.source import Source

    return compile_text(Source(path.name, text, str(path)), {}, api.Settings(), hashing=False)


def test_convert(steer: Steer, place: Path) -> None:
    result = steer("convert", "p.steer.yaml", "--to", "steer")
    assert result.stdout == ("steerlang 1\nparam  limit = number(default = 3, min = 0, max = 10)\n"
                             "expect small = 2 < limit\n")
    assert steer("convert", "-", "--from", "steer", "--to", "yaml", input=GOOD).stdout.startswith("steerlang: 1\n")
    assert steer("convert", "p.steer.yaml", "--to", "json", "-o", "good.steer").exit_code == 2
    assert (place / "good.steer").read_text(encoding="utf-8") == GOOD
    (place / "twice.steer").write_text("steerlang 1\nlet a = 1\nlet a = 2\n", encoding="utf-8")
    assert "SL202" in steer("convert", "twice.steer", "--to", "yaml").stderr
    assert document(steer, "convert", "p.steer.yaml", "--to", "json")["to"] == "json"


def test_fmt_leaves_other_forms_alone(steer: Steer, place: Path) -> None:
    result = steer("fmt", "p.steer.yaml")
    assert result.exit_code == 1
    assert "steerlang convert p.steer.yaml --to steer" in result.stderr
    (place / "bad.steer").unlink()
    assert steer("fmt", ".").exit_code == 0
    assert (place / "p.steer.yaml").read_text(encoding="utf-8") == YAML


# ---- the schema ----------------------------------------------------------------------------------------------------

SCHEMA = Draft202012Validator(program_schema(registry()))


def test_the_schema_is_a_schema_and_current(steer: Steer) -> None:
    Draft202012Validator.check_schema(SCHEMA.schema)
    assert json.loads(shipped("steerlang.schema.json")) == SCHEMA.schema
    assert json.loads(steer("schema").stdout) == SCHEMA.schema
    for name in ("outputs", "lock"):
        Draft202012Validator.check_schema(json.loads(steer("schema", name).stdout))


@pytest.mark.parametrize("definition", [
    {"modell": {"hf": ["a"]}}, {"model": {"hf": ["a"]}, "data": 1}, {"model": {"hg": ["a"]}},
    {"vector": {"extract": ["base", "manners"], "layer": 1}}, {"vector": {"extract": ["base", "manners", "more"]}},
    {"model": {"apply": ["base", {"add": ["v"], "norm": "kep"}]}},
    {"samples": {"generate": ["base", ["a"]], "max_new_tokens": 0}}, {"model": {"lines": ["a"]}}, {}, 3,
    {"let": {"$text": 1}},
])  # fmt: skip
def test_what_the_schema_refuses_the_checker_refuses(definition: Any) -> None:
    program = {"steerlang": 1, "definitions": {
        "base": {"model": {"hf": ["models/courtesy"]}},
        "manners": {"data": {"jsonl": ["data/manners.jsonl"], "source": "rude", "target": "polite"}},
        "v": {"vector": {"extract": ["base", "manners"]}},
    }}  # fmt: skip
    assert not list(SCHEMA.iter_errors(program))
    assert not [d for d in _checked(json.dumps(program), SPECS / "x.json").diagnostics if d.is_error]
    program["definitions"]["x"] = definition  # type: ignore[index]
    assert list(SCHEMA.iter_errors(program))
    assert [d for d in _checked(json.dumps(program), SPECS / "x.json").diagnostics if d.is_error]


# ---- explain -------------------------------------------------------------------------------------------------------


def test_explain_says_where_values_come_from(steer: Steer, place: Path) -> None:
    found = document(steer, "explain", str(SPECS / "two_vectors.steer"), "steered", "best", "--set", "budget=0.2")
    steered, best = found["definitions"]
    origins = {s["path"]: (s["value"], s["origin"]) for s in steered["settings"]}
    assert origins["actions[0].scale"] == ("s", "sweep s")
    assert origins["actions[0].layers"] == ("25%..75%", "written")
    assert origins["actions[0].site"] == ("residual", "default")
    assert [r["label"] for r in steered["resolved"]][:2] == ["steered[s = 0.0]", "steered[s = 0.02]"]
    assert any("layers 1..4 of 6" in line for line in steered["resolved"][0]["lines"])
    assert best["uses"] == ["polite", "fluency", "budget"]
    assert best["used_by"] == ["steers", "is_the_axis"]


def test_explain_follows_parameters_and_constants(steer: Steer, place: Path) -> None:
    (place / "p.steer").write_text(
        'steerlang 1\nparam n = number(default = 2, integer = true)\nlet t = "x {text}"\n'
        'data d = sample(lines("rows.txt", template = t), k = n)\n', encoding="utf-8")
    (place / "rows.txt").write_text("a\nb\nc\n", encoding="utf-8")
    cases = (((), "2", "param n, its default"), (("--set", "n=3"), "3", "param n, set for this run"))
    for setting, value, origin in cases:
        found = document(steer, "explain", "p.steer", "d", *setting)["definitions"][0]
        settings = {s["path"]: s for s in found["settings"]}
        assert (settings["k"]["value"], settings["k"]["origin"]) == (value, origin)
        assert (settings["data.template"]["value"], settings["data.template"]["origin"]) == ('"x {text}"', "let t")
        assert settings["data.path"]["place"] == "p.steer:4:23"
    text = steer("explain", "p.steer").stdout
    assert "param n, its default (4:54)" in text
    assert "used by d" in text


def test_explain_what_is_not_there(steer: Steer, place: Path) -> None:
    result = steer("explain", "sweep.steer", "smal")
    assert result.exit_code == 1
    assert "did you mean `small`?" in result.stderr
    assert "pattern-matches-nothing" in steer("explain", "SL431").stdout
    assert steer("explain", "SL999").exit_code == 2


# ---- graph ---------------------------------------------------------------------------------------------------------


def test_graph_in_every_format(steer: Steer, place: Path) -> None:
    path = str(SPECS / "two_vectors.steer")
    found = document(steer, "graph", path)
    names = [n["name"] for n in found["nodes"]]
    edges = [(e["from"], e["to"]) for e in found["edges"]]
    assert ("both", "steered") in edges
    assert all(names.index(a) < names.index(b) for a, b in edges)
    dot = steer("graph", path, "--format", "dot").stdout
    assert dot.count("->") == len(edges)
    mermaid = steer("graph", path, "--format", "mermaid").stdout
    assert mermaid.count("-->") == len(edges)
    boxes = _boxes(steer("graph", path, "--format", "svg").stdout)
    assert len(boxes) == len(names)
    assert not [(a, b) for i, a in enumerate(boxes) for b in boxes[:i] if _overlap(a, b)]
    assert "← common.base, both, s" in steer("graph", path).stdout


def _boxes(svg: str) -> list[tuple[float, float, float, float]]:
    space = "{http://www.w3.org/2000/svg}"
    found = ET.fromstring(svg).findall(f"{space}rect")[1:]  # the first is the ground
    return [tuple(float(r.attrib[k]) for k in ("x", "y", "width", "height")) for r in found]  # type: ignore[misc]


def _overlap(a: tuple[float, ...], b: tuple[float, ...]) -> bool:
    return a[0] < b[0] + b[2] and b[0] < a[0] + a[2] and a[1] < b[1] + b[3] and b[1] < a[1] + a[3]


def test_graph_of_a_part_and_of_operations(steer: Steer, place: Path) -> None:
    part = document(steer, "graph", "sweep.steer", "--node", "small")
    assert [n["name"] for n in part["nodes"]] == ["limit", "half", "small"]
    full = document(steer, "graph", str(SPECS / "quickstart.steer"), "--full")
    assert "polite/capture" in [n["name"] for n in full["nodes"]]
    assert steer("graph", "sweep.steer", "--node", "nobody").exit_code == 1
    assert steer("graph", "bad.steer").exit_code == 1


def test_the_drawing_in_the_docs_is_current(steer: Steer) -> None:
    drawn = (SPECS.parent / "docs" / "images" / "quickstart_graph.svg").read_text(encoding="utf-8")
    assert steer("graph", "quickstart.steer", "-C", str(SPECS), "--format", "svg").stdout == drawn


# ---- diff ----------------------------------------------------------------------------------------------------------


def test_diff_of_one_program_written_in_two_ways(steer: Steer, place: Path) -> None:
    other = SWEEP.replace("# What it is for.\n", "").replace("min = 0,", "integer = false, min = 0.0,")
    lines = other.splitlines()
    (place / "other.steer").write_text("\n".join([lines[0], *reversed(lines[1:])]) + "\n", encoding="utf-8")
    result = steer("diff", "sweep.steer", "other.steer")
    assert (result.exit_code, result.stdout) == (0, "sweep.steer and other.steer mean the same\n")
    assert steer("convert", "other.steer", "--to", "yaml", "-o", "other.steer.yaml").exit_code == 0
    assert steer("diff", "sweep.steer", "other.steer.yaml").exit_code == 0


def test_diff_says_what_changed(steer: Steer, place: Path) -> None:
    other = SWEEP.replace("default = 3", "default = 4").replace("half", "part").replace("expect other = s < 5\n", "")
    other = other.replace("s     = [1, 2]", "s     = [1, 3]") + "expect fresh = s < 6\n"
    (place / "other.steer").write_text(other, encoding="utf-8")
    found = document(steer, "diff", "sweep.steer", "other.steer", code=1)
    assert found["added"] == [{"name": "part", "kind": "let"}, {"name": "fresh", "kind": "expect"}]
    assert found["removed"] == [{"name": "half", "kind": "let"}, {"name": "other", "kind": "expect"}]
    changed = {c["name"]: c["changes"] for c in found["changed"]}
    assert changed["limit"] == [{"option": "default", "first": "3", "second": "4"}]
    assert changed["s"] == [{"option": "value", "first": "[1, 2]", "second": "[1, 3]"}]
    renamed = SWEEP.replace("half", "part")
    (place / "other.steer").write_text(renamed, encoding="utf-8")
    result = steer("diff", "sweep.steer", "other.steer")
    assert (result.exit_code, result.stdout) == (1, "= half → part, renamed\n")


def test_diff_of_methods_and_what_is_made_of_them(steer: Steer, place: Path) -> None:
    text = (SPECS / "quickstart.steer").read_text(encoding="utf-8")
    for number, method in enumerate(("method = icv", "method = icv(rank = 1)", "method = icv(rank = 2)")):
        (SPECS / f"_diff{number}.steer").write_text(text.replace("method = icv", method), encoding="utf-8")
    try:
        names = [str(SPECS / f"_diff{number}.steer") for number in range(3)]
        assert steer("diff", names[0], names[1]).exit_code == 0
        found = document(steer, "diff", names[0], names[2], code=1)
    finally:
        for number in range(3):
            (SPECS / f"_diff{number}.steer").unlink()
    assert found["changed"] == [{"name": "polite", "kind": "vector", "changes": [
        {"option": "method.rank", "first": "1", "second": "2"}]}]  # fmt: skip
    assert found["affected"] == ["kind", "replies", "politeness", "surprise", "kinder", "fluent"]


def test_a_program_and_a_checkpoint_are_not_compared(steer: Steer, place: Path) -> None:
    assert steer("diff", "good.steer", "model.safetensors").exit_code == 2


# ---- projects, shells, editions ------------------------------------------------------------------------------------


@pytest.mark.parametrize("template", ["vector", "sweep", "concepts", "merge"])
def test_projects_begin_without_mistakes(template: str, steer: Steer, place: Path) -> None:
    found = document(steer, "init", "new", "--template", template)
    assert found["files"][0] == f"{template}.steer"
    assert all((place / "new" / name).exists() for name in found["files"])
    result = document(steer, "validate", f"new/{template}.steer")
    assert result["diagnostics"] == []
    assert steer("fmt", "--check", "new").exit_code == 0
    again = steer("init", "new", "--template", template)
    assert again.exit_code == 2
    assert "SL507" in again.stderr


def test_workflows_stand_at_the_top_of_a_repository(steer: Steer, place: Path) -> None:
    workflow = ".github/workflows/steerlang.yml"
    assert workflow in document(steer, "init", "alone")["files"]
    (place / "repository" / ".git").mkdir(parents=True)
    assert workflow in document(steer, "init", "repository")["files"]
    assert workflow not in document(steer, "init", "repository/below")["files"]


def test_projects_with_a_model_of_ones_own(steer: Steer, place: Path) -> None:
    assert steer("init", "new", "--model", 'some/"model"').exit_code == 0
    assert 'hf("some/\\"model\\"")' in (place / "new" / "vector.steer").read_text(encoding="utf-8")
    assert not (place / "new" / "models").exists()
    assert steer("init", "other", "--template", "merge", "--model", "x").exit_code == 2
    assert not (place / "other").exists()


@pytest.mark.slow
@pytest.mark.parametrize("template", ["vector", "sweep", "concepts", "merge"])
def test_projects_run_without_a_network(template: str, steer: Steer, place: Path) -> None:
    assert steer("init", "new", "--template", template).exit_code == 0
    assert steer("run", f"new/{template}.steer", "--offline", "--device", "cpu").exit_code == 0


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion(shell: str, steer: Steer) -> None:
    assert "_STEERLANG_COMPLETE" in steer("completion", shell).stdout


def test_shells_get_answers() -> None:
    asked = {"_STEERLANG_COMPLETE": "bash_complete", "COMP_WORDS": "steerlang conv", "COMP_CWORD": "1"}
    found = subprocess.run([sys.executable, "-m", "steerlang"], env={**_environment(), **asked}, capture_output=True,
                           text=True, timeout=120, check=False)
    assert found.stdout.strip() == "plain,convert"


def _environment() -> dict[str, str]:
    return {**os.environ, "PYTHONPATH": str(SPECS.parent)}


def test_migrate(steer: Steer, place: Path) -> None:
    assert "edition 1, the newest" in steer("migrate", "good.steer", "p.steer.yaml").stdout
    (place / "new.steer").write_text("steerlang 2\n", encoding="utf-8")
    result = steer("migrate", "new.steer")
    assert result.exit_code == 1
    assert "SL621" in result.stderr


def test_torch_is_not_imported(tmp_path: Path) -> None:
    script = f"""
import sys
from steerlang.cli.main import cli
for words in (["convert", {str(SPECS / "quickstart.steer")!r}, "--to", "yaml"],
              ["graph", {str(SPECS / "quickstart.steer")!r}], ["schema"],
              ["diff", {str(SPECS / "quickstart.steer")!r}, {str(SPECS / "quickstart_controls.steer")!r}],
              ["explain", {str(SPECS / "quickstart.steer")!r}], ["init", {str(tmp_path / "new")!r}]):
    cli.main(words, standalone_mode=False)
print("heavy:", sorted({{"torch", "transformers"}} & set(sys.modules)))
"""
    surroundings = {**_environment(), "STEERLANG_CACHE_DIR": str(tmp_path / "cache")}
    found = subprocess.run([sys.executable, "-c", script], env=surroundings, capture_output=True, text=True,
                           timeout=120, check=False)
    assert found.stdout.splitlines()[-1] == "heavy: []", found.stdout[-500:] + found.stderr[-500:]
