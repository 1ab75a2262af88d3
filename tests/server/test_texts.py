"""Texts stay those of the editor, whatever is typed; and nothing that is typed ends the server."""

from __future__ import annotations

import random
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from lsprotocol import types as lsp

from steerlang.server.serving import QUESTIONS
from steerlang.server.texts import UNITS, Text

from .editor import ROOT, Editor

PIECES = (
    "a", "\n", "\r\n", "\r", "é", "😀", "\u2028", "\x0c", "\t", "", "(", ")", "[", '"', '"""', "# ", "'", "=", " = ",
    "model base = hf(\"models/courtesy\")\n", "vector polite = extract(base, ", "steerlang 1\n", "common.",
    "let x = 1\n", "25%..75%", "import common = \"other.steer\"\n", "method = pca(", ", ",
    "report page = html(to = \"r.html\")\n",
)  # fmt: skip
ENCODINGS = sorted(UNITS)


class Model:
    """An independent editor: lines of lists of encoded characters, edited by cutting them."""

    def __init__(self, text: str, encoding: str) -> None:
        self.text, self.codec = text, {"utf-8": "utf-8", "utf-16": "utf-16-le", "utf-32": "utf-32-le"}[encoding]
        self.size = {"utf-8": 1, "utf-16": 2, "utf-32": 4}[encoding]

    def places(self) -> list[tuple[int, lsp.Position]]:
        """Every place a cursor can stand at, with its offset in characters."""
        found, line, column = [], 0, 0
        for i, c in enumerate(self.text):
            inside = c == "\n" and i > 0 and self.text[i - 1] == "\r"
            if not inside:
                found.append((i, lsp.Position(line, column)))
            column += len(c.encode(self.codec, "surrogatepass")) // self.size
            if c == "\n" or (c == "\r" and self.text[i + 1 : i + 2] != "\n"):
                line, column = line + 1, 0
        return [*found, (len(self.text), lsp.Position(line, column))]

    def edit(self, random: random.Random) -> lsp.TextDocumentContentChangePartial:
        """A random change, made here and told."""
        places = self.places()
        first, second = sorted((random.randrange(len(places)), random.randrange(len(places))))
        if random.random() < 0.6:  # most of what one types takes nothing away
            second = first
        (start, begin), (end, last) = places[first], places[min(second, first + 40)]
        piece = "".join(random.choice(PIECES) for _ in range(random.randrange(3)))
        self.text = self.text[:start] + piece + self.text[end:]
        return lsp.TextDocumentContentChangePartial(lsp.Range(begin, last), piece)


@settings(max_examples=150, deadline=None, derandomize=True)
@given(st.lists(st.sampled_from(PIECES)).map("".join), st.sampled_from(ENCODINGS), st.randoms(use_true_random=False))
def test_edits_leave_the_text_of_the_editor(text: str, encoding: str, random: random.Random) -> None:
    model, ours = Model(text, encoding), Text(text, encoding)
    for _ in range(8):
        ours = ours.changed([model.edit(random) for _ in range(random.randrange(1, 4))])
        assert ours.text == model.text


@settings(max_examples=150, deadline=None, derandomize=True)
@given(st.lists(st.sampled_from(PIECES)).map("".join) | st.text(), st.sampled_from(ENCODINGS))
def test_places_and_offsets(text: str, encoding: str) -> None:
    ours = Text(text, encoding)
    for offset, position in Model(text, encoding).places():
        assert ours.position(offset) == position
        assert ours.offset(position) == offset
    assert ours.offset(lsp.Position(10**6, 0)) == len(text)
    assert ours.offset(lsp.Position(0, 10**6)) <= len(text)


def test_a_place_within_a_character_is_its_start() -> None:
    assert Text("a😀b", "utf-16").offset(lsp.Position(0, 2)) == 1
    assert Text("a😀b", "utf-8").offset(lsp.Position(0, 4)) == 1


# ---- over the wire -------------------------------------------------------------------------------------------------

_AT = {
    lsp.TEXT_DOCUMENT_HOVER: lsp.HoverParams, lsp.TEXT_DOCUMENT_COMPLETION: lsp.CompletionParams,
    lsp.TEXT_DOCUMENT_SIGNATURE_HELP: lsp.SignatureHelpParams, lsp.TEXT_DOCUMENT_DEFINITION: lsp.DefinitionParams,
    lsp.TEXT_DOCUMENT_DOCUMENT_HIGHLIGHT: lsp.DocumentHighlightParams,
    lsp.TEXT_DOCUMENT_PREPARE_RENAME: lsp.PrepareRenameParams,
}  # fmt: skip
_OF = {
    lsp.TEXT_DOCUMENT_DOCUMENT_SYMBOL: lsp.DocumentSymbolParams,
    lsp.TEXT_DOCUMENT_FOLDING_RANGE: lsp.FoldingRangeParams,
    lsp.TEXT_DOCUMENT_SEMANTIC_TOKENS_FULL: lsp.SemanticTokensParams,
    lsp.TEXT_DOCUMENT_DIAGNOSTIC: lsp.DocumentDiagnosticParams,
    lsp.TEXT_DOCUMENT_DOCUMENT_LINK: lsp.DocumentLinkParams,
}  # fmt: skip


def _ask(editor: Editor, random: random.Random, uri: str, model: Model) -> None:
    """A random question at a random place, whose answer is only that there is one."""
    method = random.choice(sorted(QUESTIONS))
    position = random.choice(model.places())[1]
    whole = lsp.Range(lsp.Position(0, 0), position)
    if method in _AT:
        editor.at(method, uri, position, _AT[method])
    elif method in _OF:
        editor.of(method, uri, _OF[method])
    elif method == lsp.TEXT_DOCUMENT_REFERENCES:
        editor.at(method, uri, position, lsp.ReferenceParams, context=lsp.ReferenceContext(True))
    elif method == lsp.TEXT_DOCUMENT_SELECTION_RANGE:
        editor.of(method, uri, lsp.SelectionRangeParams, positions=[position])
    elif method == lsp.TEXT_DOCUMENT_CODE_ACTION:
        editor.of(method, uri, lsp.CodeActionParams, range=whole, context=lsp.CodeActionContext([]))
    elif method == lsp.TEXT_DOCUMENT_FORMATTING:
        editor.of(method, uri, lsp.DocumentFormattingParams, options=lsp.FormattingOptions(2, True))
    elif method == lsp.TEXT_DOCUMENT_INLAY_HINT:
        editor.of(method, uri, lsp.InlayHintParams, range=whole)
    elif method == lsp.TEXT_DOCUMENT_SEMANTIC_TOKENS_RANGE:
        editor.of(method, uri, lsp.SemanticTokensRangeParams, range=whole)
    elif method == lsp.COMPLETION_ITEM_RESOLVE:
        editor.ask(method, lsp.CompletionItem("extract", data=random.randrange(90)))
    elif method == lsp.WORKSPACE_SYMBOL:
        editor.ask(method, lsp.WorkspaceSymbolParams("a"))


@pytest.mark.parametrize(
    ("encoding", "seed", "steps"),
    [
        ("utf-16", 1, 150),
        ("utf-8", 2, 150),
        *(pytest.param(e, seed, 1500, marks=pytest.mark.slow) for seed, e in enumerate(ENCODINGS, 10)),
    ],
)
def test_any_interleaving_of_edits_and_questions(project: Path, encoding: str, seed: int, steps: int) -> None:
    """Two programs, one of which imports the other: opened, edited, closed and asked about in any order."""
    editor = Editor(project, encodings=(encoding,))
    assert editor.initialized.capabilities.position_encoding == encoding
    chance = random.Random(seed)
    texts = {
        "main.steer": (project / "two_vectors.steer").read_text().replace("common.steer", "other.steer"),
        "other.steer": (project / "common.steer").read_text(),
    }
    open_now: dict[str, Model] = {}
    for _ in range(steps):
        name = chance.choice(sorted(texts))
        uri = editor.uri(name)
        if name not in open_now:
            open_now[name] = Model(texts[name], encoding)
            editor.open(name, texts[name])
        elif chance.random() < 0.03:
            texts[name] = open_now.pop(name).text
            editor.shut(uri)
        elif chance.random() < 0.65:
            editor.change(uri, *(open_now[name].edit(chance) for _ in range(chance.randrange(1, 4))))
        else:
            _ask(editor, chance, uri, open_now[name])
    for name, model in open_now.items():
        assert editor.held(editor.uri(name)) == model.text
    assert editor.logged == []
    assert editor.close() == 0


def test_nonsense_is_survived(project: Path) -> None:
    """Changes of files that were never opened, places far outside, methods nobody knows."""
    editor = Editor(project)
    uri = editor.uri("never.steer")
    editor.versions[uri] = 1
    end = lsp.Range(lsp.Position(9, 9), lsp.Position(3, 3))
    editor.change(uri, lsp.TextDocumentContentChangePartial(end, "steerlang 1\nlet a = b\n"))
    assert editor.held(uri) == "steerlang 1\nlet a = b\n"
    editor.shut(editor.uri("another.steer"))
    assert editor.labels(uri, lsp.Position(99, 99))
    assert editor.hover(editor.uri("nowhere.steer"), lsp.Position(0, 0)) == ""
    editor.tell("steerlang/unknown", {"what": 1})
    assert editor.labels("untitled:Untitled-1", lsp.Position(0, 0)) == []
    large = editor.open("large.steer", "steerlang 1\n" + "let a = 1\n" * 120_000)
    assert [d.code for d in editor.diagnostics(large)] == ["SL112"]
    assert editor.labels(large, lsp.Position(5, 5)) == []
    editor.open("odd.steer", "steerlang 1\n\0\ud800 let a = 1")
    editor.diagnostics(editor.uri("odd.steer"))
    assert editor.close() == 0


def test_a_mistake_of_ours_is_logged_and_survived(project: Path) -> None:
    """A server whose hover fails answers nothing there, says so in the log, and goes on."""
    broken = project / "broken_site"
    broken.mkdir(exist_ok=True)
    (broken / "sitecustomize.py").write_text(
        "import sys, importlib.abc\n"
        "class Late(importlib.abc.MetaPathFinder):\n"
        "    def find_spec(self, name, path, target=None):\n"
        "        if name == 'steerlang.server.serving':\n"
        "            from steerlang.server import hovering\n"
        "            def fail(*args): raise ZeroDivisionError('on purpose')\n"
        "            hovering.hover = fail\n"
        "sys.meta_path.insert(0, Late())\n",
        encoding="utf-8",
    )
    editor = Editor(project, path=str(broken))
    uri = editor.open("failing.steer", "steerlang 1\nlet a = 1\n")
    assert editor.hover(uri, lsp.Position(1, 4)) == ""
    assert editor.labels(uri, lsp.Position(2, 0))
    assert any("hover failed: ZeroDivisionError: on purpose" in line for line in editor.logged)
    assert editor.close() == 0


# ---- beginning and end ---------------------------------------------------------------------------------------------


def test_exit_without_shutdown_is_code_1(project: Path) -> None:
    editor = Editor(project)
    editor.tell("exit", None)
    assert editor.ended() == 1


def test_a_client_that_goes_away_ends_the_server(project: Path) -> None:
    editor = Editor(project)
    editor.process.stdin.close()
    assert editor.ended() == 1


def test_nothing_heavy_is_loaded(project: Path) -> None:
    """Neither torch nor transformers, whatever is asked."""
    code = (
        "import sys\n"
        "from lsprotocol import types as lsp\n"
        "from steerlang.server.answers import Answers\n"
        f"answers, uri = Answers(), {(project / 'two_vectors.steer').as_uri()!r}\n"
        "document, place = lsp.TextDocumentIdentifier(uri), lsp.Position(9, 30)\n"
        "assert answers.hover(lsp.HoverParams(document, place))\n"
        "assert answers.completion(lsp.CompletionParams(document, place)).items\n"
        "assert answers.problems(uri) == []\n"
        "print(*[m for m in ('torch', 'transformers') if m in sys.modules])\n"
    )
    found = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=120, check=False, cwd=ROOT,
    )  # fmt: skip
    assert (found.returncode, found.stdout.strip()) == (0, ""), found.stderr


def test_without_pygls_the_extra_is_named(tmp_path: Path) -> None:
    code = (
        "import sys, importlib.util\n"
        "real = importlib.util.find_spec\n"
        "importlib.util.find_spec = lambda name, *a: None if name == 'pygls' else real(name, *a)\n"
        "sys.argv = ['steerlang', 'lsp']\n"
        "from steerlang.cli.main import entry\n"
        "entry()\n"
    )
    found = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=120, check=False, cwd=ROOT,
    )  # fmt: skip
    assert found.returncode == 3
    assert "SL512" in found.stderr
    assert "pip install 'steerlang[lsp]'" in found.stderr
    assert "Traceback" not in found.stderr
