"""Every JSON document that verbs print is of the published schema, and the schema leaves none of its keys out."""

from __future__ import annotations

import copy
import json
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml
from cli_support import FakeApi, FakeRun, Steer

ROOT = Path(__file__).parents[2]
SCHEMAS = ROOT / "grammar" / "schemas"
SPECS = ROOT / "specs"


def closed(schema: dict[str, Any]) -> dict[str, Any]:
    """The schema with no room for keys that it does not name: what is published allows them, for later versions."""
    found = copy.deepcopy(schema)
    documents = {"envelope", "ran"}
    for name, part in found["$defs"].items():
        _close(part, inner=name in documents or name.startswith("steerlang."))
    found["unevaluatedProperties"] = False
    # A run stands among the keys of its document, in `test` as an object of its own.
    programs = found["$defs"]["steerlang.test"]["properties"]["programs"]
    programs["items"] = {**programs["items"], "unevaluatedProperties": False}
    return found


def _close(part: Any, inner: bool = False) -> None:
    if isinstance(part, list):
        for one in part:
            _close(one)
    if not isinstance(part, dict):
        return
    if "properties" in part and not inner:
        part.setdefault("additionalProperties", False)
    for name, one in part.items():
        if name != "properties":
            _close(one)
        else:
            for below in one.values():
                _close(below)


SCHEMA = json.loads((SCHEMAS / "outputs.v1.json").read_text(encoding="utf-8"))
CHECKER = jsonschema.Draft202012Validator(closed(SCHEMA))
COMMANDS = [
    ("validate", "good.steer"), ("validate", "bad.steer"), ("validate", "."), ("plan", "good.steer"),
    ("plan", "bad.steer"), ("run", "good.steer"), ("run", "good.steer", "--set", "limit=1"), ("run", "none.steer"),
    ("test", "."), ("fmt", "--check", "."), ("fmt", "--diff", "ugly.steer"), ("lock", "good.steer"),
    ("lock", "--check", "good.steer"), ("explain", "SL201"), ("explain", "SL999"),
    ("cache", "ls"), ("cache", "verify"), ("cache", "gc"),
    ("cache", "where"), ("doctor",), ("rnu",), ("validate", "--frmat"), (),
    ("convert", "good.steer", "--to", "yaml"), ("convert", "bad.steer", "--to", "json", "-o", "bad.steer.json"),
    ("graph", "good.steer"), ("graph", "good.steer", "--full"), ("explain", "good.steer"),
    ("init", "new"), ("init", "new/sub", "--template", "merge"), ("migrate", "."), ("schema", "lock"),
    ("schema", "program"), ("completion", "fish"), ("diff", "good.steer", "ugly.steer"),
    ("diff", "good.steer", "good.steer"),
]
# Verbs whose documents need models or vectors: tests of their own, below.
ELSEWHERE = {"steerlang.inspect", "steerlang.verify", "steerlang.diff", "steerlang.report"}


def test_the_schemas_are_schemas() -> None:
    for path in SCHEMAS.glob("*.json"):
        jsonschema.Draft202012Validator.check_schema(json.loads(path.read_text(encoding="utf-8")))


@pytest.mark.usefixtures("folder")
@pytest.mark.parametrize("arguments", COMMANDS, ids=lambda a: " ".join(a) or "nothing")
def test_documents_are_of_the_schema(arguments: tuple[str, ...], steer: Steer) -> None:
    CHECKER.validate(json.loads(steer(*arguments, "--format", "json").stdout))


@pytest.mark.usefixtures("folder")
def test_a_fmt_of_standard_input(steer: Steer) -> None:
    CHECKER.validate(json.loads(steer("fmt", "-", "--format", "json", input="steerlang 1\nlet a=1\n").stdout))


@pytest.mark.usefixtures("folder")
def test_every_document_has_a_schema_and_is_tried(steer: Steer) -> None:
    found = {json.loads(steer(*arguments, "--format", "json").stdout)["format"] for arguments in COMMANDS}
    published = {name for name in SCHEMA["$defs"] if name.startswith("steerlang.")}
    assert found | ELSEWHERE == published
    chosen = {part["if"]["properties"]["format"]["const"] for part in SCHEMA["allOf"] if "if" in part}
    assert chosen == published


def test_what_checks_exports(steer: Steer, tmp_path: Path) -> None:
    (tmp_path / "receipt.json").write_text("{}", encoding="utf-8")
    CHECKER.validate(json.loads(steer("verify", str(tmp_path), "--format", "json").stdout))


def test_programs_compared_by_meaning(steer: Steer) -> None:
    names = [str(SPECS / name) for name in ("quickstart.steer", "quickstart_controls.steer")]
    document = json.loads(steer("diff", *names, "--format", "json").stdout)
    CHECKER.validate(document)
    assert document["changed"]


def test_pages_of_stored_results(steer: Steer, tmp_path: Path) -> None:
    program, page = str(SPECS / "quickstart.steer"), str(tmp_path / "page.html")
    found = steer("report", program, "--to", page, "--cache-dir", str(tmp_path / "cache"), "--format", "json")
    document = json.loads(found.stdout)
    CHECKER.validate(document)
    assert document["missing"] > 0
    assert [d["code"] for d in document["diagnostics"]] == ["SL840"]
    assert Path(page).is_file()


def test_plans_of_a_real_program(steer: Steer) -> None:
    for path in ("quickstart.steer", "two_vectors.steer", "weights/addition.steer"):
        CHECKER.validate(json.loads(steer("plan", str(SPECS / path), "--format", "json").stdout))


def test_an_inspection_of_a_file(steer: Steer) -> None:
    pytest.importorskip("numpy")
    found = steer("inspect", str(SPECS / "data" / "vectors" / "polite.safetensors"), "--format", "json")
    CHECKER.validate(json.loads(found.stdout))
    assert json.loads(found.stdout)["vectors"]


def test_a_difference_of_checkpoints(steer: Steer) -> None:
    pytest.importorskip("numpy")
    models = [str(SPECS / "models" / name) for name in ("courtesy-lora", "courtesy-lora")]
    CHECKER.validate(json.loads(steer("diff", *models, "--format", "json").stdout))


def test_definitions_explained(steer: Steer) -> None:
    document = json.loads(steer("explain", str(SPECS / "quickstart.steer"), "polite", "--format", "json").stdout)
    CHECKER.validate(document)
    assert [d["label"] if "label" in d else d["name"] for d in document["definitions"]] == ["polite"]


@pytest.mark.usefixtures("folder")
def test_runs_that_end_badly(steer: Steer) -> None:
    run = FakeApi(lambda program, *a, **k: FakeRun(program, "failed", traceback="Traceback"))
    CHECKER.validate(json.loads(steer("run", "good.steer", "--format", "json", "-vv", obj=run).stdout))


@pytest.mark.parametrize("spoil", [
    lambda d: d.pop("exit_code"), lambda d: d["diagnostics"][0].pop("slug"), lambda d: d.update(more=1),
    lambda d: d["diagnostics"][0]["range"]["start"].update(line=0), lambda d: d.update(format="other"),
])  # fmt: skip
@pytest.mark.usefixtures("folder")
def test_the_schema_refuses(spoil: Any, steer: Steer) -> None:
    document = json.loads(steer("validate", "bad.steer", "--format", "json").stdout)
    spoil(document)
    assert not CHECKER.is_valid(document)


@pytest.mark.usefixtures("folder")
def test_lock_files_are_of_their_schema(steer: Steer) -> None:
    steer("lock", "good.steer")
    schema = json.loads((SCHEMAS / "lock.v1.json").read_text(encoding="utf-8"))
    jsonschema.validate(yaml.safe_load(Path("good.steer.lock").read_text(encoding="utf-8")), schema)
