"""What is wrong, as the editor shows it, and what mends it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from lsprotocol import types as lsp

from .editor import SPECS, Editor, place

Fresh = Callable[[str], str]
HEAD = 'steerlang 1\nmodel base = hf("models/courtesy")\n'


def _codes(found: list[lsp.Diagnostic]) -> list[str]:
    return [str(d.code) for d in found]


def test_a_sound_program_has_none(editor: Editor) -> None:
    assert editor.diagnostics(editor.open("two_vectors.steer")) == []


def test_place_code_help_and_links(editor: Editor, fresh: Fresh) -> None:
    text = HEAD + "vector polite = extract(bse, pairs([[\"so rude\", \"very kind\"], [\"rude\", \"kind\"]]))\n"
    (found,) = editor.diagnostics(fresh(text))
    assert found.code == "SL201"
    assert found.severity == lsp.DiagnosticSeverity.Error
    assert found.range == lsp.Range(place(text, "bse"), place(text, "bse", 3))
    assert "nothing is defined under the name `bse`" in found.message
    assert "help: did you mean `base`?" in found.message
    assert found.code_description is not None
    assert found.code_description.href.endswith("errors/SL201.md")
    assert Path(found.code_description.href.removeprefix("file://")).exists()
    assert found.related_information is not None
    assert [r.message for r in found.related_information] == ["defined here"]
    assert found.related_information[0].location.range.start == place(text, "base")


def test_unused_definitions_are_faded(editor: Editor, fresh: Fresh) -> None:
    uri = fresh(HEAD + "let unused = 3\nexpect sound = 1 < 2\n")
    found = editor.diagnostics(uri)
    assert _codes(found) == ["SL209", "SL209"]
    assert all(list(d.tags or ()) == [lsp.DiagnosticTag.Unnecessary] for d in found)
    assert all(d.severity == lsp.DiagnosticSeverity.Warning for d in found)


def test_they_follow_the_text(editor: Editor, fresh: Fresh) -> None:
    uri = fresh("steerlang 1\nexpect a = b\n")
    assert _codes(editor.diagnostics(uri)) == ["SL201"]
    editor.replace(uri, "steerlang 1\nexpect a = 1 < 2\n")
    assert editor.diagnostics(uri) == []


def test_many_changes_give_few_answers(editor: Editor, fresh: Fresh) -> None:
    """Diagnostics wait for a pause."""
    uri = fresh(HEAD)
    editor.diagnostics(uri)
    before = len(editor.published[uri])
    for i in range(20):
        editor.replace(uri, HEAD + f"let a = {i}\n")
    editor.diagnostics(uri)
    assert len(editor.published[uri]) - before <= 3


def test_a_closed_file_has_none(editor: Editor) -> None:
    uri = editor.open("closing.steer", HEAD + "let a = b\n")
    editor.diagnostics(uri)
    tell = lsp.DidCloseTextDocumentParams(lsp.TextDocumentIdentifier(uri))
    editor.tell(lsp.TEXT_DOCUMENT_DID_CLOSE, tell)
    editor.ask(lsp.WORKSPACE_SYMBOL, lsp.WorkspaceSymbolParams("nothing"))
    assert not editor.published[uri][-1].diagnostics


def test_mistakes_of_form_leave_the_rest_checked(editor: Editor, fresh: Fresh) -> None:
    uri = fresh(HEAD + "let a = (1 + \nlet b = c\n")
    assert {"SL201"} < set(_codes(editor.diagnostics(uri)))


def test_imported_text_is_that_of_the_editor(editor: Editor) -> None:
    """An import that is open counts as it is in the editor, and its mistakes show at the import."""
    program = 'steerlang 1\nimport parts = "parts.steer"\nexpect twice = 2 * parts.size < 9\n'
    uri = editor.open("whole.steer", program)
    assert _codes(editor.diagnostics(uri)) == ["SL501"]
    other = editor.open("parts.steer", "steerlang 1\nlet size = 3\n")
    assert editor.diagnostics(uri, lambda found: not found) == []
    editor.replace(other, "steerlang 1\nlet sise = 3\nlet wrong = nothing\n")
    found = editor.diagnostics(uri, lambda found: bool(found))
    assert sorted(_codes(found)) == ["SL201", "SL207"]
    at_import = next(d for d in found if d.code == "SL201")
    assert at_import.range.start == place(program, '"parts.steer"')
    assert at_import.related_information is not None
    assert at_import.related_information[0].location.uri == other
    assert _codes(editor.diagnostics(other)) == ["SL201"]
    for one in (uri, other):
        editor.shut(one)


def test_files_are_looked_at_again_when_saved(editor: Editor, project: Path) -> None:
    (project / "late.txt").unlink(missing_ok=True)
    uri = editor.open("late.steer", 'steerlang 1\ndata late = lines("late.txt")\n')
    assert _codes(editor.diagnostics(uri)) == ["SL501"]
    (project / "late.txt").write_text("a line\n", encoding="utf-8")
    editor.tell(lsp.TEXT_DOCUMENT_DID_SAVE, lsp.DidSaveTextDocumentParams(lsp.TextDocumentIdentifier(uri)))
    assert editor.diagnostics(uri, lambda found: not found) == []
    (project / "late.txt").unlink()
    event = lsp.FileEvent(editor.uri("late.txt"), lsp.FileChangeType.Deleted)
    editor.tell(lsp.WORKSPACE_DID_CHANGE_WATCHED_FILES, lsp.DidChangeWatchedFilesParams([event]))
    assert _codes(editor.diagnostics(uri, lambda found: bool(found))) == ["SL501"]
    editor.shut(uri)


def test_programs_in_yaml_are_checked_too(editor: Editor) -> None:
    text = "steerlang: 1\ndefinitions:\n  a: {let: b}\n"
    uri = editor.open("program.steer.yaml", text)
    (found,) = editor.diagnostics(uri)
    assert (found.code, found.range.start) == ("SL201", place(text, "b}"))
    editor.shut(uri)


# ---- fixes ---------------------------------------------------------------------------------------------------------


def _actions(editor: Editor, uri: str, range: lsp.Range, only: list[str] | None = None) -> list[lsp.CodeAction]:
    context = lsp.CodeActionContext([], only=only)
    return editor.of(lsp.TEXT_DOCUMENT_CODE_ACTION, uri, lsp.CodeActionParams, range=range, context=context)


def apply(text: str, edits: list[lsp.TextEdit]) -> str:
    lines = text.split("\n")
    starts = [sum(len(x) + 1 for x in lines[:i]) for i in range(len(lines) + 1)]
    for edit in sorted(edits, key=lambda e: (e.range.start.line, e.range.start.character), reverse=True):
        start, end = (starts[p.line] + p.character for p in (edit.range.start, edit.range.end))
        text = text[:start] + edit.new_text + text[end:]
    return text


def test_a_fix_mends(editor: Editor, fresh: Fresh) -> None:
    text = "steerlang 1\nlet size = 3\nexpect small = 2 * sise < 9\n"
    uri = fresh(text)
    (found,) = editor.diagnostics(uri)
    (action,) = _actions(editor, uri, found.range)
    assert (action.title, action.kind, action.is_preferred) == ("use `size`", lsp.CodeActionKind.QuickFix, True)
    assert action.edit is not None
    assert action.edit.changes is not None
    mended = apply(text, action.edit.changes[uri])
    assert mended == text.replace("sise", "size")
    editor.replace(uri, mended)
    assert editor.diagnostics(uri) == []


def test_words_kinds_and_functions_have_fixes(editor: Editor, fresh: Fresh) -> None:
    rows = 'jsonl("data/manners.jsonl", source = "rude", target = "polite")'
    text = HEAD + f'vektor a = extrct(base, {rows}, metod = "icv", tokens = lst)\n'
    uri = fresh(text)
    for _ in range(6):
        found = [d for d in editor.diagnostics(uri) if d.severity == lsp.DiagnosticSeverity.Error]
        if not found:
            break
        action = next(iter(_actions(editor, uri, found[0].range)), None)
        assert action is not None, (text, found)
        assert action.edit is not None
        assert action.edit.changes is not None
        text = apply(text, action.edit.changes[uri])
        editor.replace(uri, text)
    assert text.endswith(f"vector a = extract(base, {rows}, method = icv, tokens = last)\n")
    assert editor.diagnostics(uri) == []


def test_safe_fixes_all_at_once(editor: Editor, fresh: Fresh) -> None:
    text = "let a = ‘one’\n// two\nlet b = “three”\n"
    uri = fresh(text)
    found = editor.diagnostics(uri)
    whole = lsp.Range(lsp.Position(0, 0), lsp.Position(9, 0))
    (action,) = _actions(editor, uri, whole, ["source.fixAll"])
    assert action.kind == "source.fixAll.steerlang"
    assert action.edit is not None
    assert action.edit.changes is not None
    editor.replace(uri, apply(text, action.edit.changes[uri]))
    assert len(editor.diagnostics(uri)) < len(found)


def test_an_unused_definition_can_be_taken_out(editor: Editor, fresh: Fresh) -> None:
    text = HEAD.replace("model base", "model bass") + "let unused = 3\nexpect sound = 1 < 2\n"
    uri = fresh(text)
    found = next(d for d in editor.diagnostics(uri) if "unused" in d.message)
    (action,) = _actions(editor, uri, found.range, [lsp.CodeActionKind.QuickFix])
    assert action.edit is not None
    assert action.edit.changes is not None
    assert apply(text, action.edit.changes[uri]) == text.replace("let unused = 3\n", "")


def test_clients_that_ask_for_diagnostics_are_answered(project: Path) -> None:
    editor = Editor(project, pulls=True)
    uri = editor.open("pulled.steer", "steerlang 1\nlet a = b\n")
    found = editor.of(lsp.TEXT_DOCUMENT_DIAGNOSTIC, uri, lsp.DocumentDiagnosticParams)
    assert _codes(found.items) == ["SL201"]
    assert uri not in editor.published
    assert editor.close() == 0


def test_pages_of_a_site(project: Path) -> None:
    editor = Editor(project, docs="https://docs.example.org/{page}.html")
    (found,) = editor.diagnostics(editor.open("site.steer", "steerlang 1\nlet a = b\n"))
    assert found.code_description is not None
    assert found.code_description.href == "https://docs.example.org/errors/SL201.html"
    assert editor.close() == 0


def test_the_programs_of_the_specs_show_no_errors() -> None:
    editor = Editor(SPECS)
    for name in ("quickstart.steer", "methods/gates.steer", "weights/methods.steer"):
        assert [d for d in editor.diagnostics(editor.open(name)) if d.severity == lsp.DiagnosticSeverity.Error] == []
    assert editor.logged == []
    assert editor.close() == 0
