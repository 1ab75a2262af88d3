"""Reading a program: hover, definitions, references, renaming, outline, hints, colours."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from lsprotocol import types as lsp
from pygls.exceptions import JsonRpcException

from steerlang.server.semantic import MODIFIERS, TYPES

from .editor import SPECS, Editor, place
from .test_diagnostics import apply

Fresh = Callable[[str], str]
PROGRAM = '''steerlang 1
import common = "common.steer"
# How strong it is.
param strength = number(default = 0.1, min = 0, help = "how strong")
sweep s = [0.0, 0.1]
vector both = mix([common.polite, common.formal])
model steered = apply(common.base, add(both, layers = 25%..75%, scale = s * strength, unit = residual))
samples out = generate([common.base, steered], ["Please."], max_new_tokens = 4)
metric share = word_share(out, words = common.polite_words)
expect more = share[steered, s = 0.1] >= share[common.base, s = 0.0]
'''


@pytest.fixture
def uri(fresh: Fresh) -> str:
    return fresh(PROGRAM)


def _at(needle: str, offset: int = 0, nth: int = 0) -> lsp.Position:
    return place(PROGRAM, needle, offset, nth)


# ---- hover ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("needle", "offset", "said"),
    [
        ("both,", 1, ["vector both = mix(", "a vector", "layers 0..5 of 6", "made for `models/courtesy`"]),
        ("common.polite,", 9, ["vector polite", "Defined in `common.steer`", "method = mean_difference"]),
        ("common.base,", 2, ['import common = "common.steer"']),
        ("strength, unit", 1, ["How strong it is.", "value `0.1`"]),
        ("mix(", 1, ["mix(vectors, weights = none)", "Gives a vector", "functions.md#mix"]),
        ("scale =", 1, ["`scale` of `add`", "default"]),
        ("residual", 1, ["`residual`: length 1 times the mean norm"]),
        ("25%", 1, ["`25%..75%`", "`models/courtesy`: layers 1..4"]),
        ("metric share", 1, ["`metric`"]),
        ("steered =", 1, ["at the points of `s`: 0.0, 0.1", "6 layers, width 160", "`add` at layers 1..4"]),
        ("s * strength", 0, ["sweep s = [0.0, 0.1]"]),
    ],
)
def test_hover(editor: Editor, uri: str, needle: str, offset: int, said: list[str]) -> None:
    found = editor.hover(uri, _at(needle, offset))
    for words in said:
        assert words in found


def test_hover_over_a_mistake_explains_its_code(editor: Editor, fresh: Fresh) -> None:
    text = "steerlang 1\nlet a = b\n"
    found = editor.hover(fresh(text), place(text, "b"))
    assert "SL201 unknown-name" in found
    assert "a name is used that nothing defines" in found


def test_hover_in_a_definition_with_mistakes(editor: Editor, fresh: Fresh) -> None:
    text = PROGRAM.replace("unit = residual))", "unit = residual, site = ")
    found = editor.hover(fresh(text), place(text, "both, layers", 1))
    assert "vector both = mix(" in found
    assert "`scale` of `add`" in editor.hover(fresh(text), place(text, "scale", 1))


def test_hover_over_nothing(editor: Editor, uri: str) -> None:
    assert editor.hover(uri, lsp.Position(50, 50)) == ""
    assert editor.hover(uri, _at("= mix")) == ""


# ---- definitions and uses ------------------------------------------------------------------------------------------


def test_definition_here_and_in_an_import(editor: Editor, uri: str) -> None:
    here = editor.at(lsp.TEXT_DOCUMENT_DEFINITION, uri, _at("both,", 1), lsp.DefinitionParams)
    assert (here.uri, here.range.start) == (uri, _at("both ="))
    there = editor.at(lsp.TEXT_DOCUMENT_DEFINITION, uri, _at("common.formal", 8), lsp.DefinitionParams)
    common = (SPECS / "common.steer").read_text(encoding="utf-8")
    assert (there.uri, there.range.start) == (editor.uri("common.steer"), place(common, "formal "))
    file = editor.at(lsp.TEXT_DOCUMENT_DEFINITION, uri, _at('"common.steer"', 3), lsp.DefinitionParams)
    assert file.uri == editor.uri("common.steer")


def _references(editor: Editor, uri: str, at: lsp.Position, declared: bool = True) -> list[tuple[str, lsp.Position]]:
    context = lsp.ReferenceContext(include_declaration=declared)
    found = editor.at(lsp.TEXT_DOCUMENT_REFERENCES, uri, at, lsp.ReferenceParams, context=context)
    return [(r.uri, r.range.start) for r in found]


def test_references(editor: Editor, uri: str) -> None:
    """Points of axes count: `[steered]` and `[s = 0.1]` name definitions too."""
    places = [_at("steered ="), _at("steered]"), _at("steered, s")]
    assert _references(editor, uri, _at("steered]", 2)) == [(uri, p) for p in places]
    assert _references(editor, uri, _at("steered]", 2), declared=False) == [(uri, p) for p in places[1:]]
    sweep = [_at("s = [0"), _at("s * str"), _at("s = 0.1"), _at("s = 0.0")]
    assert _references(editor, uri, _at("s * str")) == [(uri, p) for p in sweep]


def test_references_in_other_programs(editor: Editor, uri: str) -> None:
    """Of an imported definition: where it is defined, here, and in a program that is not open."""
    found = _references(editor, uri, _at("common.formal", 8))
    assert {Path(u).name for u, _ in found} == {"common.steer", "two_vectors.steer", Path(uri).name}
    assert [p for u, p in found if u == uri] == [_at("common.formal", 7)]


def test_highlights(editor: Editor, uri: str) -> None:
    found = editor.at(lsp.TEXT_DOCUMENT_DOCUMENT_HIGHLIGHT, uri, _at("both,"), lsp.DocumentHighlightParams)
    kinds = lsp.DocumentHighlightKind
    assert [(h.range.start, h.kind) for h in found] == [(_at("both ="), kinds.Write), (_at("both,"), kinds.Read)]


def _rename(editor: Editor, uri: str, at: lsp.Position, to: str) -> dict[str, list[lsp.TextEdit]]:
    return editor.at(lsp.TEXT_DOCUMENT_RENAME, uri, at, lsp.RenameParams, new_name=to).changes


def test_rename_in_one_program(editor: Editor, uri: str) -> None:
    asked = editor.at(lsp.TEXT_DOCUMENT_PREPARE_RENAME, uri, _at("steered]", 2), lsp.PrepareRenameParams)
    assert asked.placeholder == "steered"
    assert asked.range == lsp.Range(_at("steered]"), _at("steered]", 7))
    changes = _rename(editor, uri, _at("steered]", 2), "kinder")
    assert list(changes) == [uri]
    after = apply(PROGRAM, changes[uri])
    assert after == PROGRAM.replace("steered", "kinder")
    editor.replace(uri, after)
    assert editor.diagnostics(uri) == []


def test_rename_across_imports(editor: Editor, uri: str, project: Path) -> None:
    changes = _rename(editor, uri, _at("common.formal", 8), "official")
    texts = {u: PROGRAM if u == uri else Path(u.removeprefix("file://")).read_text(encoding="utf-8") for u in changes}
    assert {Path(u).name for u in changes} == {"common.steer", "two_vectors.steer", Path(uri).name}
    after = {u: apply(text, changes[u]) for u, text in texts.items()}
    assert "vector official" in after[editor.uri("common.steer")]
    assert "data/formality.jsonl" in after[editor.uri("common.steer")]
    assert "common.official" in after[editor.uri("two_vectors.steer")]
    assert after[uri] == PROGRAM.replace("common.formal", "common.official")


def test_rename_of_an_import(editor: Editor, uri: str) -> None:
    changes = _rename(editor, uri, _at("common =", 1), "shared")
    after = apply(PROGRAM, changes[uri])
    assert after == PROGRAM.replace("common.", "shared.").replace("import common", "import shared").replace(
        '"shared.steer"', '"common.steer"'
    )


@pytest.mark.parametrize(("name", "said"), [("not", "is no name"), ("1a", "is no name"), ("both", "defined already")])
def test_names_that_cannot_be(editor: Editor, uri: str, name: str, said: str) -> None:
    with pytest.raises(JsonRpcException, match=said):
        _rename(editor, uri, _at("steered]", 2), name)


def test_functions_and_options_are_not_renamed(editor: Editor, uri: str) -> None:
    for at in (_at("mix("), _at("residual", 2), _at("scale =", 2)):
        assert editor.at(lsp.TEXT_DOCUMENT_PREPARE_RENAME, uri, at, lsp.PrepareRenameParams) is None


# ---- the shape of a program ----------------------------------------------------------------------------------------


def test_symbols(editor: Editor, uri: str) -> None:
    found = editor.of(lsp.TEXT_DOCUMENT_DOCUMENT_SYMBOL, uri, lsp.DocumentSymbolParams)
    assert [s.name for s in found] == [
        "common", "strength", "s", "both", "steered", "out", "share", "more",
    ]  # fmt: skip
    assert found[3].detail == "a vector" if found[3].detail == "a vector" else "vector"
    assert found[0].kind == lsp.SymbolKind.Module
    assert found[3].selection_range.start == _at("both =")


def test_workspace_symbols(editor: Editor, uri: str) -> None:
    found = editor.ask(lsp.WORKSPACE_SYMBOL, lsp.WorkspaceSymbolParams("plt"))
    names = {(s.name, s.container_name) for s in found}
    assert ("polite", "common.steer") in names
    assert ("politeness", "quickstart.steer") in names
    assert all("p" in n and "l" in n and "t" in n for n, _ in names)


def test_folders_that_are_opened_later(editor: Editor, tmp_path: Path) -> None:
    (tmp_path / "elsewhere.steer").write_text("steerlang 1\nlet zyx = 1\n", encoding="utf-8")
    query = lsp.WorkspaceSymbolParams("zyx")
    assert len(editor.ask(lsp.WORKSPACE_SYMBOL, query)) == 0
    folder = lsp.WorkspaceFolder(tmp_path.as_uri(), "more")
    for added, removed, names in (([folder], [], ["zyx"]), ([], [folder], [])):
        event = lsp.DidChangeWorkspaceFoldersParams(lsp.WorkspaceFoldersChangeEvent(added=added, removed=removed))
        editor.tell(lsp.WORKSPACE_DID_CHANGE_WORKSPACE_FOLDERS, event)
        assert [s.name for s in editor.ask(lsp.WORKSPACE_SYMBOL, query)] == names


def test_folds(editor: Editor, fresh: Fresh) -> None:
    text = (
        'steerlang 1\n# One.\n# Two.\nimport a = "common.steer"\nimport b = "two_vectors.steer"\n'
        "vector both = mix(\n  [\n    a.polite,\n    a.formal,\n  ],\n)\n"
    )
    found = editor.of(lsp.TEXT_DOCUMENT_FOLDING_RANGE, fresh(text), lsp.FoldingRangeParams)
    assert [(f.start_line, f.end_line, f.kind) for f in found] == [
        (1, 2, "comment"), (3, 4, "imports"), (5, 10, None), (6, 9, None),
    ]  # fmt: skip


def test_selection_grows(editor: Editor, uri: str) -> None:
    (found,) = editor.of(
        lsp.TEXT_DOCUMENT_SELECTION_RANGE, uri, lsp.SelectionRangeParams, positions=[_at("strength, unit", 1)]
    )
    pieces, current = [], found
    lines = PROGRAM.split("\n")
    while current is not None:
        start, end = current.range.start, current.range.end
        pieces.append(lines[start.line][start.character : end.character] if start.line == end.line else "")
        current = current.parent
    assert pieces[:3] == ["strength", "s * strength", "scale = s * strength"]
    assert pieces[3].startswith("add(both")
    assert pieces[-2].startswith("model steered = ")


def test_links_lead_to_files(editor: Editor, fresh: Fresh) -> None:
    text = 'steerlang 1\ndata a = lines("data/requests.txt")\ndata b = lines("data/none.txt")\n'
    (found,) = editor.of(lsp.TEXT_DOCUMENT_DOCUMENT_LINK, fresh(text), lsp.DocumentLinkParams)
    assert found.target == editor.uri("data/requests.txt")
    assert found.range.start == place(text, "data/requests")


# ---- hints and colours ---------------------------------------------------------------------------------------------

ALL = lsp.Range(lsp.Position(0, 0), lsp.Position(99, 0))


def test_hints_of_layers(editor: Editor, uri: str) -> None:
    (found,) = editor.of(lsp.TEXT_DOCUMENT_INLAY_HINT, uri, lsp.InlayHintParams, range=ALL)
    assert (found.position, found.label) == (_at("25%..75%", 8), " = 1..4")
    nothing = lsp.Range(lsp.Position(0, 0), lsp.Position(2, 0))
    assert editor.of(lsp.TEXT_DOCUMENT_INLAY_HINT, uri, lsp.InlayHintParams, range=nothing) == ()


def test_hints_of_patterns(editor: Editor, fresh: Fresh) -> None:
    text = (
        'steerlang 1\nmodel base = hf("models/courtesy")\nmodel formal = hf("models/courtesy-formal")\n'
        "coefficients some = blockwise(set(glob(\"**.mlp.**\"), 0.5), rest = 0)\n"
        "model edited = base + compose([formal - base], coefficients = some)\n"
    )
    (found,) = editor.of(lsp.TEXT_DOCUMENT_INLAY_HINT, fresh(text), lsp.InlayHintParams, range=ALL)
    assert found.position == place(text, '"**.mlp.**")', 12)
    matched, _, every = found.label.removeprefix(" = ").removesuffix(" tensors").partition(" of ")
    assert 0 < int(matched) < int(every)


def _colours(editor: Editor, uri: str, text: str) -> list[tuple[str, str, set[str]]]:
    data = editor.of(lsp.TEXT_DOCUMENT_SEMANTIC_TOKENS_FULL, uri, lsp.SemanticTokensParams).data
    lines, line, column, found = text.split("\n"), 0, 0, []
    for i in range(0, len(data), 5):
        down, right, length, kind, bits = data[i : i + 5]
        line, column = line + down, right if down else column + right
        modifiers = {m for n, m in enumerate(MODIFIERS) if bits >> n & 1}
        found.append((lines[line][column : column + length], TYPES[kind], modifiers))
    return found


def test_colours(editor: Editor, uri: str) -> None:
    found = _colours(editor, uri, PROGRAM)
    assert ("common", "namespace", {"declaration"}) in found
    assert ("common", "namespace", set()) in found
    assert ("mix", "function", {"defaultLibrary"}) in found
    assert ("strength", "parameter", set()) in found
    assert ("residual", "enumMember", set()) in found
    assert ("scale", "property", set()) in found
    assert ("model", "keyword", set()) in found
    assert ("25%", "number", set()) in found


def test_a_name_like_an_option_is_a_name(editor: Editor, fresh: Fresh) -> None:
    head = 'steerlang 1\nmodel m = hf("models/courtesy")\n'
    text = head + 'vector last = extract(m, pairs([["a", "b"]]), tokens = last)\n'
    words = [(w, k) for w, k, _ in _colours(editor, fresh(text), text) if w == "last"]
    assert words == [("last", "variable"), ("last", "enumMember")]


def test_colours_of_a_range(editor: Editor, uri: str) -> None:
    line = lsp.Range(_at("sweep s"), _at("vector both"))
    found = editor.of(lsp.TEXT_DOCUMENT_SEMANTIC_TOKENS_RANGE, uri, lsp.SemanticTokensRangeParams, range=line)
    assert len(found.data) // 5 in (5, 6)
    assert found.data[0] == 4


# ---- formatting ----------------------------------------------------------------------------------------------------


def test_formatting_is_that_of_fmt(editor: Editor, fresh: Fresh) -> None:
    from steerlang.source import Source
    from steerlang.syntax.printing import format_source

    text = 'steerlang 1\n\n\nmodel   base=hf( "models/courtesy" )\nlet x=[1,2,\n3]\n# kept\nlet longer =  2\n'
    options = lsp.FormattingOptions(tab_size=8, insert_spaces=False)
    edits = editor.of(lsp.TEXT_DOCUMENT_FORMATTING, fresh(text), lsp.DocumentFormattingParams, options=options)
    assert apply(text, edits) == format_source(Source("x", text))[0]
    assert len(edits) > 1 or edits[0].range.start.line > 0  # only what changes


def test_broken_programs_are_left_alone(editor: Editor, fresh: Fresh) -> None:
    options = lsp.FormattingOptions(tab_size=8, insert_spaces=False)
    uri = fresh("steerlang 1\nlet   x = (1\n")
    assert editor.of(lsp.TEXT_DOCUMENT_FORMATTING, uri, lsp.DocumentFormattingParams, options=options) == ()
