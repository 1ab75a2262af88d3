"""Writing a program: completion and signatures, mostly at places where the program is not whole."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from lsprotocol import types as lsp

from steerlang.functions import registry
from steerlang.server.completing_values import OFFERS

from .editor import Editor, marked

Fresh = Callable[[str], str]
HEAD = (
    'steerlang 1\nimport common = "common.steer"\nmodel base = hf("models/courtesy")\nsweep s = [0.0, 0.1]\n'
    'data manners = jsonl("data/manners.jsonl", source = "rude", target = "polite")\n'
    "vector polite = extract(base, manners)\n"
    'samples out = generate([base, common.base], ["Please."])\n'
)

# A program up to the cursor and behind it, what is offered first, and what is not offered.
CASES = {
    "header": ("|", ["steerlang 1"], ["model"]),
    "kinds": (HEAD + "|", ["import", "model", "vector"], ["base", "extract"]),
    "kind begun": (HEAD + "vec|", ["vector"], ["base"]),
    "kind before more": (HEAD + "|\nlet a = 1\n", ["vector"], ["base"]),
    "no name": (HEAD + "vector |", [], ["base", "vector", "extract"]),
    "value of a kind": (HEAD + "model new = |", ["base", "common.base", "hf", "apply"], ["polite", "jsonl", "glob"]),
    "value before more": (HEAD + "model new = |\nlet a = 1\n", ["base", "hf"], ["polite"]),
    "itself": (HEAD + "model new = |", [], ["new"]),
    "members": (HEAD + "vector v = common.|", ["base", "polite", "formal"], ["extract", "manners"]),
    "members in a call": (HEAD + "vector v = unit(common.po|)", ["polite"], ["manners"]),
    "subjects": (HEAD + "vector v = extract(|", ["base", "common.base"], ["lines", "polite_words"]),
    "second subject": (HEAD + "vector v = extract(base, |)", ["manners", "pairs", "method"], ["hf", "model"]),
    "arguments": (HEAD + "vector v = extract(base, manners, |)", ["method", "layers", "site", "tokens"], ["base"]),
    "arguments left": (HEAD + "vector v = extract(base, manners, |, tokens = last)", ["method"], ["tokens", "data"]),
    "argument begun": (HEAD + "vector v = extract(base, manners, to|)", ["tokens"], []),
    "methods": (HEAD + "vector v = extract(base, manners, method = |)", ["mean_difference", "pca", "icv"], ["base"]),
    "options": (HEAD + "vector v = extract(base, manners, method = pca(center = |))", ["none", "mean"], ["base"]),
    "options of a method": (HEAD + "vector v = extract(base, manners, method = pca(|))", ["center"], ["tokens"]),
    "layers": (HEAD + "vector v = extract(base, manners, layers = |)", ["all", "first", "last", "25%..75%"], ["pca"]),
    "tokens": (HEAD + "vector v = extract(base, manners, tokens = |", ["last", "first", "mean", "at"], ["pca"]),
    "a list": (HEAD + "samples o = generate([base, |], manners)", ["base", "common.base", "hf"], ["polite"]),
    "flags": (HEAD + 'export f = gguf(polite, to = "x.gguf", overwrite = |)', ["true", "false"], ["base"]),
    "sweeps": (HEAD + "metric m = perplexity(out, by = base)\nlet b = argmax(m, over = |)", ["s"], ["base", "polite"]),
    "numbers": (HEAD + "let k = 3\nmodel m = apply(base, add(polite, scale = |))", ["s", "k"], ["manners", "base"]),
    "points": (HEAD + "metric m = perplexity(out, by = base)\nexpect e = m[|]", ["base", "common.base"], ["extract"]),
    "points of a sweep": (
        HEAD + "model k = apply(base, add(polite, scale = s))\nmetric m = perplexity(generate(k, [\"a\"]), by = base)\n"
        "let b = argmax(m, over = s)\nexpect e = m[s = |]", ["0.0", "0.1", "b"], ["base", "polite"],
    ),
    "layers of a vector": (HEAD + "vector v = polite[|]", ["all", "last", "25%..75%"], ["base"]),
    "behind a value": (HEAD + "vector v = polite |", [], ["base", "polite", "vector", "unit"]),
    "behind an argument": (HEAD + "vector v = extract(base |", [], ["base", "manners", "method"]),
    "after an operator": (HEAD + "model m = base + |", ["compose"], ["manners"]),
    "unclosed before more": (HEAD + "vector v = extract(base, |\nlet a = 1\n", ["manners"], ["a"]),
    "columns": (HEAD + 'data d = jsonl("data/manners.jsonl", text = "|")', ["rude", "polite"], ["base"]),
    "columns of a filter": (
        HEAD + 'data d = jsonl("data/manners.jsonl", text = "rude", where = contains("|', ["rude", "polite"], ["base"],
    ),
    "files": (HEAD + 'data d = jsonl("data/|")', ["formality.jsonl", "manners.jsonl"], ["requests.txt"]),
    "folders": (HEAD + 'data d = lines("|', ["data", "models"], ["common.steer"]),
    "models": (HEAD + 'model m = hf("models/co|', ["courtesy", "courtesy-formal"], ["config.json"]),
    "programs": ('steerlang 1\nimport c = "|', ["common.steer", "two_vectors.steer"], ["pyproject.toml"]),
    "other texts": (HEAD + 'model m = hf("models/courtesy", revision = "|")', [], ["base", "models"]),
    "comments": (HEAD + "# vec|", [], ["vector"]),
}  # fmt: skip


@pytest.mark.parametrize("case", sorted(CASES))
def test_completion(editor: Editor, fresh: Fresh, case: str) -> None:
    written, first, never = CASES[case]
    text, position = marked(written)
    found = editor.labels(fresh(text), position)
    assert [f for f in first if f not in found] == []
    assert [f for f in found if f in first] == first
    assert [n for n in never if n in found] == []
    assert len(found) == len(set(found)) or case == "second subject"


def _completed(editor: Editor, uri: str, text: str, position: lsp.Position, label: str) -> str:
    """The text once an offer is taken."""
    item = next(i for i in editor.items(uri, position) if i.label == label)
    edit = item.text_edit
    assert isinstance(edit, lsp.TextEdit)
    line = text.split("\n")[position.line]
    assert edit.range.end == position
    return line[: edit.range.start.character] + edit.new_text + line[position.character :]


@pytest.mark.parametrize(
    ("written", "label", "after"),
    [
        ("vector v = ext|", "extract", "vector v = extract($0)"),
        ("vector v = extract(base, manners, met|)", "method", "vector v = extract(base, manners, method = )"),
        ("vector v = unit(common.po|)", "polite", "vector v = unit(common.polite)"),
        ('data d = lines("data/req|")', "requests.txt", 'data d = lines("data/requests.txt")'),
        ('data d = lines("da|', "data", 'data d = lines("data/'),
        ('model m = hf("models/courtesy-f|', "courtesy-formal", 'model m = hf("models/courtesy-formal'),
    ],
)
def test_what_is_inserted(editor: Editor, fresh: Fresh, written: str, label: str, after: str) -> None:
    text, position = marked(HEAD + written)
    assert _completed(editor, fresh(text), text, position, label) == after


def test_offers_are_described(editor: Editor, fresh: Fresh) -> None:
    text, position = marked(HEAD + "vector v = extract(base, manners, method = |)")
    item = next(i for i in editor.items(fresh(text), position) if i.label == "icv")
    assert item.kind == lsp.CompletionItemKind.Method
    assert item.detail
    assert item.documentation is None  # asked for when it is looked at
    item = editor.ask(lsp.COMPLETION_ITEM_RESOLVE, item)
    assert isinstance(item.documentation, lsp.MarkupContent)
    assert "Liu et al." in item.documentation.value


def test_every_type_of_parameter_is_known() -> None:
    """What no function offers for is made of words and of other types."""
    types = [p.type for f in registry().functions.values() for p in f.all_parameters]
    known = tuple(OFFERS)
    assert [t for t in types if not (isinstance(t, known) or t.bare_words or t.parts)] == []


# ---- signatures ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("written", "name", "active"),
    [
        ("vector v = extract(|", "extract", "model"),
        ("vector v = extract(base, |)", "extract", "data"),
        ("vector v = extract(base, manners, layers = |", "extract", "layers"),
        ("vector v = extract(base, manners, method = pca(center = |))", "pca", "center"),
        ("model m = apply(base, add(polite, scale = 1), |)", "apply", "actions"),
        ('vector v = extract(base, jsonl("|', "jsonl", "path"),
    ],
)
def test_signature_help(editor: Editor, fresh: Fresh, written: str, name: str, active: str) -> None:
    text, position = marked(HEAD + written)
    found = editor.at(lsp.TEXT_DOCUMENT_SIGNATURE_HELP, fresh(text), position, lsp.SignatureHelpParams)
    (signature,) = found.signatures
    assert signature.label.startswith(f"{name}(")
    start, end = signature.parameters[found.active_parameter].label
    assert signature.label[start:end].split(" = ")[0].removesuffix(", …") == active


def test_no_signature_outside_calls(editor: Editor, fresh: Fresh) -> None:
    text, position = marked(HEAD + "vector v = polite|")
    assert editor.at(lsp.TEXT_DOCUMENT_SIGNATURE_HELP, fresh(text), position, lsp.SignatureHelpParams) is None
