"""The server itself: which question goes where, when diagnostics are sent, and that nothing ends it but its client."""

from __future__ import annotations

import asyncio
import functools
import logging
import sys
import time
import traceback
from collections.abc import Callable, Mapping
from typing import Any, BinaryIO

from lsprotocol import types as lsp
from pygls.exceptions import JsonRpcException
from pygls.lsp.server import LanguageServer
from pygls.protocol import LanguageServerProtocol
from pygls.protocol.language_server import lsp_method

from steerlang import __version__

from .answers import Answers, Client
from .desk import path_of
from .links import Links
from .occurrences import CannotRename
from .problems import FIX_ALL
from .semantic import LEGEND

#: Seconds without a key before diagnostics are sent; programs that take long to check wait longer.
DEBOUNCE = 0.15
#: A request of our own, with `{"uri": …}`: the text of a file as the server has it.
VIEW_TEXT = "steerlang/viewText"
_WATCHED = "**/*.{steer,yaml,yml,json,jsonl,csv,tsv,txt,parquet,safetensors,gguf}"
_log = logging.getLogger(__name__)


class RequestFailed(JsonRpcException):
    """A request that is understood and cannot be carried out; the editor shows the message."""

    CODE = lsp.LSPErrorCodes.RequestFailed.value
    MESSAGE = "Request Failed"


class Protocol(LanguageServerProtocol):
    """Texts are kept by ourselves: a position in an editor's units must mean the same place here and there."""

    _server: SteerServer

    @lsp_method(lsp.TEXT_DOCUMENT_DID_OPEN)
    def lsp_text_document__did_open(self, params: lsp.DidOpenTextDocumentParams) -> None:
        document = params.text_document
        self._server.answers.desk.open(document.uri, document.text, document.version)
        self._server.changed()

    @lsp_method(lsp.TEXT_DOCUMENT_DID_CHANGE)
    def lsp_text_document__did_change(self, params: lsp.DidChangeTextDocumentParams) -> None:
        document = params.text_document
        self._server.answers.desk.change(document.uri, list(params.content_changes), document.version)
        self._server.changed()

    @lsp_method(lsp.TEXT_DOCUMENT_DID_CLOSE)
    def lsp_text_document__did_close(self, params: lsp.DidCloseTextDocumentParams) -> None:
        self._server.answers.desk.close(params.text_document.uri)
        self._server.cleared(params.text_document.uri)
        self._server.changed()

    @lsp_method(lsp.EXIT)
    def lsp_exit(self, *args: Any) -> None:  # type: ignore[override]  # a generator there, to call further handlers
        self._server.exit_code = 0 if self._shutdown else 1
        self._server.shutdown()  # type: ignore[no-untyped-call]


class SteerServer(LanguageServer):
    """`answers` knows programs; this class knows the protocol. `exit_code` is 0 after an orderly shutdown."""

    def __init__(self) -> None:
        self.answers = Answers()
        self.exit_code = 1
        self._waiting: asyncio.TimerHandle | None = None
        self._took = 0.0
        self._others = False  # whether files other than the one that is edited have changed
        super().__init__("steerlang", __version__, protocol_cls=Protocol)
        self._register()

    def _register(self) -> None:
        self.feature(lsp.INITIALIZE)(guarded(self, self.begin))
        self.feature(lsp.INITIALIZED)(guarded(self, self.watch))
        self.feature(lsp.TEXT_DOCUMENT_DID_OPEN)(_nothing)  # so that the client is told to send them
        self.feature(lsp.TEXT_DOCUMENT_DID_CLOSE)(_nothing)
        self.feature(lsp.TEXT_DOCUMENT_DID_SAVE)(guarded(self, self.looked_again))
        self.feature(lsp.WORKSPACE_DID_CHANGE_WATCHED_FILES)(guarded(self, self.looked_again))
        self.feature(lsp.WORKSPACE_DID_CHANGE_WORKSPACE_FOLDERS)(guarded(self, self.know_folders))
        self.feature(VIEW_TEXT)(guarded(self, self.view_text))
        for method, (name, options) in QUESTIONS.items():
            self.feature(method, options)(guarded(self, getattr(self.answers, name)))

    # ---- the session -------------------------------------------------------------------------------------------

    def begin(self, params: lsp.InitializeParams) -> None:
        """What the client says of itself. `initializationOptions.docs` is an address of pages with `{page}` in it."""
        encoding = self.protocol.workspace.position_encoding
        given = params.initialization_options
        docs = given.get("docs") if isinstance(given, Mapping) else None
        self.answers.desk.encoding = str(getattr(encoding, "value", encoding))
        self.know_folders(None)
        self.answers.links = Links(docs if isinstance(docs, str) else "")
        self.answers.client = client_of(params.capabilities)

    def know_folders(self, _: Any) -> None:
        """The folders that are open in the editor, now or after a change."""
        workspace = self.protocol.workspace
        uris = [f.uri for f in workspace.folders.values()] or [workspace.root_uri or ""]
        self.answers.desk.folders = tuple(p for p in map(path_of, uris) if p is not None)

    def watch(self, _: Any) -> None:
        """Asks to be told of changes of files on disk, where the client can tell."""
        workspace = self.client_capabilities.workspace
        watching = workspace.did_change_watched_files if workspace is not None else None
        if watching is not None and watching.dynamic_registration:
            options = lsp.DidChangeWatchedFilesRegistrationOptions([lsp.FileSystemWatcher(_WATCHED)])
            registration = lsp.Registration("files", lsp.WORKSPACE_DID_CHANGE_WATCHED_FILES, options)
            self.client_register_capability(lsp.RegistrationParams([registration]))

    def looked_again(self, _: Any) -> None:
        self.answers.desk.forget()
        self._others = True
        self.changed()

    def view_text(self, params: Any) -> str | None:
        """What the server holds of a file, for those who look for what went wrong."""
        document = self.answers.desk.document(params.uri)
        return None if document is None else document.text

    # ---- diagnostics -------------------------------------------------------------------------------------------

    def changed(self) -> None:
        """Sends diagnostics of all open programs soon, unless something changes again before."""
        if self._waiting is not None:
            self._waiting.cancel()
        delay = max(DEBOUNCE, min(2 * self._took, 2.0))
        self._waiting = asyncio.get_running_loop().call_later(delay, guarded(self, self.publish))

    def publish(self) -> None:
        self._waiting = None
        if self.answers.client.pulls:
            self._ask_to_pull()
            return
        began = time.monotonic()
        for document in self.answers.desk.documents:
            found = self.answers.problems(document.uri)
            self.text_document_publish_diagnostics(
                lsp.PublishDiagnosticsParams(document.uri, found, document.version)
            )
        self._took = time.monotonic() - began

    def _ask_to_pull(self) -> None:
        """A change in one file may mend or break others: the client is asked to look at all of them again."""
        workspace = self.client_capabilities.workspace
        pulling = workspace.diagnostics if workspace is not None else None
        others = self._others or len(self.answers.desk.documents) > 1
        if others and pulling is not None and pulling.refresh_support:
            self.workspace_diagnostic_refresh(None)
        self._others = False

    def cleared(self, uri: str) -> None:
        if not self.answers.client.pulls:
            self.text_document_publish_diagnostics(lsp.PublishDiagnosticsParams(uri, []))

    def report_server_error(self, error: Exception, source: Any) -> None:
        """What pygls could not do; a message in the log, and no window that one must close."""
        if not isinstance(error, RequestFailed):  # the answer to a request says so itself
            self.tell(str(error))

    def tell(self, message: str) -> None:
        _log.error("%s", message)
        self.window_log_message(lsp.LogMessageParams(lsp.MessageType.Error, message))


def _nothing(params: Any) -> None:
    """Done by the protocol."""


def guarded(server: SteerServer, answer: Callable[..., Any]) -> Callable[..., Any]:
    """`answer`, which gives nothing where it fails: the mistake is logged, and the server goes on."""

    @functools.wraps(answer)
    def inner(*args: Any) -> Any:
        try:
            return answer(*args)
        except CannotRename as e:
            raise RequestFailed(str(e)) from e
        except Exception as e:
            where = traceback.extract_tb(e.__traceback__)[-1]
            server.tell(f"{answer.__name__} failed: {type(e).__name__}: {e} ({where.filename}:{where.lineno})")
            _log.debug("%s", traceback.format_exc())
            return None

    return inner


def client_of(capabilities: lsp.ClientCapabilities) -> Client:
    document = capabilities.text_document or lsp.TextDocumentClientCapabilities()
    item = document.completion.completion_item if document.completion is not None else None
    published = document.publish_diagnostics
    return Client(
        snippets=bool(item is not None and item.snippet_support),
        related=published is None or published.related_information is not False,
        pulls=document.diagnostic is not None,
    )


_ACTIONS = lsp.CodeActionOptions([lsp.CodeActionKind.QuickFix, lsp.CodeActionKind.SourceFixAll, FIX_ALL])
_TRIGGERS = '."/(= '
#: What clients ask for, the answer of `Answers` to it, and how it is announced.
QUESTIONS: Mapping[str, tuple[str, Any]] = {
    lsp.TEXT_DOCUMENT_HOVER: ("hover", None),
    lsp.TEXT_DOCUMENT_COMPLETION: ("completion", lsp.CompletionOptions(list(_TRIGGERS), resolve_provider=True)),
    lsp.COMPLETION_ITEM_RESOLVE: ("about_completion", None),
    lsp.TEXT_DOCUMENT_SIGNATURE_HELP: ("signature_help", lsp.SignatureHelpOptions(["(", ","], ["="])),
    lsp.TEXT_DOCUMENT_DEFINITION: ("definition", None),
    lsp.TEXT_DOCUMENT_REFERENCES: ("references", None),
    lsp.TEXT_DOCUMENT_DOCUMENT_HIGHLIGHT: ("highlight", None),
    lsp.TEXT_DOCUMENT_PREPARE_RENAME: ("prepare_rename", None),
    lsp.TEXT_DOCUMENT_RENAME: ("rename", None),
    lsp.TEXT_DOCUMENT_DOCUMENT_SYMBOL: ("symbols", None),
    lsp.TEXT_DOCUMENT_FOLDING_RANGE: ("folds", None),
    lsp.TEXT_DOCUMENT_SELECTION_RANGE: ("selections", None),
    lsp.TEXT_DOCUMENT_FORMATTING: ("formatting", None),
    lsp.TEXT_DOCUMENT_CODE_ACTION: ("actions", _ACTIONS),
    lsp.TEXT_DOCUMENT_INLAY_HINT: ("inlay_hints", None),
    lsp.TEXT_DOCUMENT_SEMANTIC_TOKENS_FULL: ("tokens", LEGEND),
    lsp.TEXT_DOCUMENT_SEMANTIC_TOKENS_RANGE: ("tokens_in", LEGEND),
    lsp.TEXT_DOCUMENT_DOCUMENT_LINK: ("document_links", None),
    lsp.TEXT_DOCUMENT_DIAGNOSTIC: ("diagnostics", lsp.DiagnosticOptions(True, False, identifier="steerlang")),
    lsp.WORKSPACE_SYMBOL: ("workspace_symbols", None),
}


def serve(stdin: BinaryIO | None = None, stdout: BinaryIO | None = None) -> int:
    """Serves one client over two streams until it says goodbye; gives the exit code the protocol asks for.

    Whatever else would be printed goes to standard error, for standard output belongs to the protocol.
    """
    server = SteerServer()
    streams = (stdin or sys.stdin.buffer, stdout or sys.stdout.buffer)
    printed, sys.stdout = sys.stdout, sys.stderr
    try:
        server.start_io(*streams)
    finally:
        sys.stdout = printed
    return server.exit_code
