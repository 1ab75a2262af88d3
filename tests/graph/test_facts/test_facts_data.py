"""Facts of data files and documents, texts as the tokenizer cuts them, and the promise that nothing heavy loads."""

from __future__ import annotations

import json
import subprocess
import sys
import time

import pytest
from model_files import TOKENIZER, write

from steerlang.data import Contains, Equals, RowOptions
from steerlang.diagnostics import codes
from steerlang.graph.facts import (
    Absent,
    DataFacts,
    DiskFacts,
    DocumentFacts,
    FakeFacts,
    ModelReference,
    Rendered,
    Trouble,
    fake_data,
    fake_model,
)

PAIRS = {"source": "rude", "target": "polite"}
ROWS = [{"rude": f"no {i}", "polite": f"yes {i}", "topic": "dog" if i % 2 else "cat"} for i in range(6)]


def lines(rows) -> str:
    return "".join(json.dumps(row) + "\n" for row in rows)


@pytest.fixture
def look(project, facts):
    """What is found of a data file of this content."""

    def look(content, path="data/a.jsonl", columns=PAIRS, options=None, format=None):
        file = project / path
        file.parent.mkdir(exist_ok=True)
        file.write_bytes(content if isinstance(content, bytes) else content.encode())
        return facts.data(path, format or file.suffix[1:], str(project), columns, options)

    return look


def only(found) -> Trouble:
    assert isinstance(found, tuple)
    assert len(found) == 1
    return found[0]


def test_a_good_file(look, project):
    found = look(lines(ROWS))
    assert isinstance(found, DataFacts)
    assert (found.path, found.name, found.format) == (project / "data/a.jsonl", "data/a.jsonl", "jsonl")
    assert (found.columns, found.rows, found.kept) == (("rude", "polite", "topic"), 6, 6)
    assert [e["source"] for e in found.examples] == ["no 0", "no 1", "no 2"]


def test_options_are_applied(look):
    found = look(lines(ROWS), options=RowOptions(where=(Contains("topic", "dog"),), limit=2, template="<{text}>"))
    assert (found.rows, found.kept) == (6, 2)
    assert [e["source"] for e in found.examples] == ["<no 1>", "<no 3>"]


def test_a_digest_is_of_the_bytes(look):
    first = look(lines(ROWS), "a.jsonl")
    assert first.digest() == look(lines(ROWS), "b.jsonl").digest()
    assert first.digest() != look(lines(ROWS[:3]), "b.jsonl").digest()


def test_a_missing_file_with_the_nearest_name(look, facts, project):
    look(lines(ROWS), "data/manners.jsonl")
    found = only(facts.data("data/maners.jsonl", "jsonl", str(project), PAIRS))
    assert (found.code, found.help) == (codes.FILE_NOT_FOUND, ("did you mean `data/manners.jsonl`?",))
    found = only(facts.data("dta/manners.jsonl", "jsonl", str(project), PAIRS))
    assert found.help == ("did you mean `data/manners.jsonl`?",)


def test_a_file_outside_the_project(facts, project):
    assert only(facts.data("../a.jsonl", "jsonl", str(project), PAIRS)).code is codes.OUTSIDE_PROJECT


def test_folders_and_devices_are_no_data(facts, project):
    (project / "data").mkdir()
    for path in ("data", "/dev/null"):
        assert only(facts.data(path, "lines", str(project), {})).code is codes.UNREADABLE_FILE


def test_a_missing_column(look):
    found = only(look(lines(ROWS), columns={"source": "rude", "target": "polit"}))
    assert (found.code, found.column) == (codes.MISSING_COLUMN, "polit")
    assert found.message == "`data/a.jsonl` has no column `polit`"
    assert found.help == ("did you mean `polite`?",)
    assert found.notes == ("it has `rude`, `polite`, `topic`",)


def test_each_missing_column_is_told(look):
    assert [t.column for t in look(lines(ROWS), columns={"source": "a", "target": "b"})] == ["a", "b"]


def test_one_bad_row(look):
    found = only(look(lines(ROWS) + '{"rude": ""}\n'.replace("}", ', "polite": "a"}')))
    assert found.code is codes.BAD_ROW
    assert found.message == "line 7 of `data/a.jsonl`: column `rude` is empty"
    assert found.place.endswith("data/a.jsonl:7")


def test_many_bad_rows_are_one_trouble_with_every_line(look):
    found = only(look(lines(ROWS) + "x\n[]\n"))
    assert found.message == "2 rows of `data/a.jsonl` are malformed or empty"
    assert found.notes == ("line 7 is not JSON: expecting value at column 1", "line 8 is a list, not an object")
    found = only(look(lines(ROWS) + "x\n" * 50))
    assert len(found.notes) == 11
    assert found.notes[-1] == "and 40 more"


@pytest.mark.parametrize("content", ["", "\n\n"])
def test_an_empty_file(look, content):
    assert only(look(content)).code is codes.EMPTY_DATA


def test_a_filter_that_keeps_nothing(look):
    found = only(look(lines(ROWS), options=RowOptions(where=(Equals("topic", "cow"),))))
    assert (found.code, found.help) == (codes.EMPTY_DATA, ("loosen `where`",))


def test_options_that_do_not_fit(look):
    options = RowOptions(template="{text} {topik}", where=(Equals("topics", 1),))
    found = look(lines(ROWS), options=options)
    assert [(t.code, t.help) for t in found] == [(codes.MISSING_COLUMN, ("did you mean `topic`?",))] * 2


def test_rows_that_strip_empties(look):
    found = only(look(lines(ROWS) + '{"rude": "!", "polite": "a"}\n', options=RowOptions(strip="punctuation")))
    assert found.code is codes.BAD_ROW
    assert found.place.endswith(":7")


def test_parquet_without_its_package(look, monkeypatch):
    monkeypatch.setitem(sys.modules, "pyarrow.parquet", None)
    found = only(look(b"PAR1", "data/a.parquet"))
    assert found.code is codes.MISSING_EXTRA
    assert "pip install pyarrow" in found.help[0]


def test_binary_data(look):
    assert only(look(b"\0\1\2")).code is codes.UNREADABLE_FILE


def test_images_must_exist_and_are_part_of_the_digest(look, project):
    content = "file,caption\n" + "".join(f"{i}.png,a\n" for i in range(5))
    found = only(look(content, "data/a.csv", {"image": "file"}))
    assert found.message == "5 of 5 images named in `data/a.csv` do not exist"
    assert found.notes[0] == "line 2: `0.png`"
    for i in range(5):
        (project / "data" / f"{i}.png").write_bytes(b"\x89PNG\r\n\x1a\nx")
    first = look(content, "data/a.csv", {"image": "file"}).digest()
    (project / "data" / "4.png").write_bytes(b"\x89PNG\r\n\x1a\ny")
    assert look(content, "data/a.csv", {"image": "file"}).digest() != first


# ---- documents -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("file", "content"), [("a.yaml", "red: [a, b]\n"), ("a.json", '{"red": ["a", "b"]}')])
def test_documents(facts, project, file, content):
    (project / file).write_text(content)
    found = facts.document(file, str(project))
    assert isinstance(found, DocumentFacts)
    assert found.value == {"red": ["a", "b"]}
    assert len(found.digest()) == 64


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "`a.yaml` is empty"),
        (b"a: [b\nc: d", "line 2 of `a.yaml` is not YAML"),
        (b"a: 1\nb: 2\na: 3", "line 3 of `a.yaml` is not YAML: key `a` stands twice"),
        (b"a: &x [1]\nb: *x", "line 2 of `a.yaml` is not YAML: aliases (`*name`) are not read"),
        (b"a: !!python/object/apply:os.system [ls]", "line 1 of `a.yaml` is not YAML"),
        (b"a: 2001-99-99", "line 1 of `a.yaml` is not YAML"),
        (b"[" * 10_000, "line 1 of `a.yaml` is not YAML"),
        (b"\xff\xfe", "`a.yaml` is not UTF-8 text"),
    ],
)
def test_bad_documents(facts, project, content, said):
    (project / "a.yaml").write_bytes(content)
    found = facts.document("a.yaml", str(project))
    assert isinstance(found, Trouble)
    assert found.message.startswith(said)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ('{"a": 1, "b": {"c": 1, "c": 2}}', "in `a.json` the key `c` stands twice"),
        ('{"a": 1', "`a.json` is not JSON"),
        ("[" * 100_000, "`a.json` is not JSON"),
    ],
)
def test_bad_json(facts, project, content, said):
    (project / "a.json").write_text(content)
    found = facts.document("a.json", str(project))
    assert isinstance(found, Trouble)
    assert found.message.startswith(said)


def test_missing_documents(facts, project):
    assert facts.document("a.yaml", str(project)).code is codes.FILE_NOT_FOUND


# ---- tokens --------------------------------------------------------------------------------------------------------


def test_texts_as_the_tokenizer_cuts_them(folder, facts, project):
    pytest.importorskip("tokenizers")
    folder()
    found = facts.rendered(ModelReference("models/tiny", base_folder=str(project)), ["a b", ""])
    assert found == (Rendered("a b", ("a", "b"), (0, 1), ((0, 1), (2, 3))), Rendered("", (), (), ()))


def test_texts_without_a_tokenizer(folder, facts, project, monkeypatch):
    folder("none", **{"tokenizer.json": None})
    folder("bad", **{"tokenizer.json": {"model": {}}})
    folder("good")
    assert facts.rendered(ModelReference("none", base_folder=str(project)), ["a"]) is None
    assert facts.rendered(ModelReference("bad", base_folder=str(project)), ["a"]) is None
    assert facts.rendered(ModelReference("org/absent", base_folder=str(project)), ["a"]) is None
    monkeypatch.setitem(sys.modules, "tokenizers", None)
    assert facts.rendered(ModelReference("good", base_folder=str(project)), ["a"]) is None


def test_padding_a_tokenizer_asks_for_is_not_shown(folder, facts, project):
    pytest.importorskip("tokenizers")
    padding = {"strategy": {"Fixed": 8}, "direction": "Right", "pad_id": 0, "pad_type_id": 0, "pad_token": "a"}
    folder(**{"tokenizer.json": {**TOKENIZER, "padding": {**padding, "pad_to_multiple_of": None}}})
    found = facts.rendered(ModelReference("models/tiny", base_folder=str(project)), ["a b"])
    assert found[0].tokens == ("a", "b")


# ---- the fake ------------------------------------------------------------------------------------------------------


def test_the_fake_answers_what_it_is_given():
    models = {"tiny": fake_model("tiny", layers=3)}
    facts = FakeFacts(models, data={"a.jsonl": ROWS}, documents={"c.yaml": {"a": 1}})
    assert facts.model(ModelReference("tiny")).layers == 3
    assert isinstance(facts.model(ModelReference("other")), Absent)
    assert facts.data("a.jsonl", "jsonl", ".", PAIRS).kept == 6
    assert only(facts.data("b.jsonl", "jsonl", ".", PAIRS)).help == ("did you mean `a.jsonl`?",)
    assert only(facts.data("a.jsonl", "jsonl", ".", {"text": "rud"})).code is codes.MISSING_COLUMN
    assert facts.document("c.yaml", ".").value == {"a": 1}
    assert facts.rendered(ModelReference("tiny"), ["so it"])[0].offsets == ((0, 2), (3, 5))


def test_fake_models_differ_by_what_they_are():
    assert fake_model("a").digest() == fake_model("b").digest()
    assert fake_model("a").digest() != fake_model("a", seed=1).digest()
    assert fake_model("a").parameters == sum(t.count for t in fake_model("a").tensors.values())


def test_the_fake_finds_what_the_disk_finds(look):
    options = RowOptions(where=(Contains("topic", "dog"),))
    real, fake = look(lines(ROWS), options=options), fake_data("data/a.jsonl", ROWS, columns=PAIRS, options=options)
    assert (real.columns, real.rows, real.kept, real.examples) == (fake.columns, fake.rows, fake.kept, fake.examples)


# ---- light and quick -----------------------------------------------------------------------------------------------

LOOK = """
import sys
from steerlang.graph.facts import DiskFacts, ModelReference
facts = DiskFacts()
model = facts.model(ModelReference("tiny", base_folder="."))
data = facts.data("a.jsonl", "jsonl", ".", {"source": "rude", "target": "polite"})
assert model.layers == 2 and data.kept == 6 and model.digest() and data.digest()
heavy = {"torch", "transformers", "numpy", "safetensors", "huggingface_hub", "tokenizers", "pyarrow", "sklearn", "yaml"}
print(sorted(heavy & sys.modules.keys()))
"""


def test_looking_imports_nothing_heavy(tmp_path):
    (tmp_path / "tiny").mkdir()
    write(tmp_path / "tiny", {})
    (tmp_path / "a.jsonl").write_text(lines(ROWS))
    found = subprocess.run([sys.executable, "-c", LOOK], cwd=tmp_path, capture_output=True, text=True, check=True)
    assert found.stdout.strip() == "[]"


def test_looking_is_quick(folder, look, project, environment):
    folder()
    look(lines(ROWS), "a.jsonl")
    look(lines(ROWS), "b.jsonl")

    def once() -> float:
        start = time.process_time()
        facts = DiskFacts(environment=environment)
        facts.model(ModelReference("models/tiny", base_folder=str(project))).digest()
        for name in ("a.jsonl", "b.jsonl"):
            facts.data(name, "jsonl", str(project), PAIRS).digest()
        return time.process_time() - start

    assert min(once() for _ in range(5)) < 0.03
