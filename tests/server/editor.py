"""A real client: pygls's own, talking to `python -m steerlang lsp` over its standard input and output."""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from lsprotocol import types as lsp
from pygls.lsp.client import LanguageClient

ROOT = Path(__file__).resolve().parents[2]
SPECS = ROOT / "specs"
LIMIT = 60.0  # seconds for one answer

Holds = Callable[[list[lsp.Diagnostic]], bool]


class Editor:
    """An editor with files open in it. Places are given as a text with `|` where the cursor stands."""

    def __init__(
        self,
        folder: Path,
        pulls: bool = False,
        encodings: tuple[str, ...] = ("utf-16",),
        path: str = "",
        **options: Any,
    ) -> None:
        self.folder = folder
        self.loop = asyncio.new_event_loop()
        self.client = LanguageClient("test", "1")
        self.published: dict[str, list[lsp.PublishDiagnosticsParams]] = {}
        self.logged: list[str] = []
        self.versions: dict[str, int] = {}
        self.client.feature(lsp.TEXT_DOCUMENT_PUBLISH_DIAGNOSTICS)(lambda p: self._publish(p))
        self.client.feature(lsp.WINDOW_LOG_MESSAGE)(lambda p: self.logged.append(p.message))
        self.client.feature(lsp.CLIENT_REGISTER_CAPABILITY)(lambda p: None)
        environment = {**os.environ, "PYTHONPATH": os.pathsep.join([path, str(ROOT)] if path else [str(ROOT)])}
        command = (sys.executable, "-m", "steerlang", "lsp")
        self.run(self.client.start_io(*command, env=environment, cwd=str(folder)))
        self.process = self.client._server
        self.initialized = self.ask("initialize", lsp.InitializeParams(
            capabilities=_capabilities(pulls, encodings), root_uri=folder.as_uri(), process_id=os.getpid(),
            initialization_options=options or None,
        ))
        self.tell("initialized", lsp.InitializedParams())

    def _publish(self, params: lsp.PublishDiagnosticsParams) -> None:
        self.published.setdefault(params.uri, []).append(params)

    def run(self, work: Any) -> Any:
        return self.loop.run_until_complete(asyncio.wait_for(work, LIMIT))

    def ask(self, method: str, params: Any) -> Any:
        async def answer() -> Any:
            return await self.client.protocol.send_request_async(method, params)

        return self.run(answer())

    def tell(self, method: str, params: Any) -> None:
        async def telling() -> None:
            self.client.protocol.notify(method, params)

        self.run(telling())

    # ---- texts -------------------------------------------------------------------------------------------------

    def uri(self, name: str) -> str:
        return (self.folder / name).as_uri()

    def open(self, name: str, text: str | None = None) -> str:
        """Opens a file, with its text on disk or another; gives its address."""
        uri = self.uri(name)
        text = (self.folder / name).read_text(encoding="utf-8") if text is None else text
        self.versions[uri] = 1
        item = lsp.TextDocumentItem(uri, "steerlang", 1, text)
        self.tell(lsp.TEXT_DOCUMENT_DID_OPEN, lsp.DidOpenTextDocumentParams(item))
        return uri

    def shut(self, uri: str) -> None:
        """Closes a file; what was published for it is forgotten."""
        self.tell(lsp.TEXT_DOCUMENT_DID_CLOSE, lsp.DidCloseTextDocumentParams(lsp.TextDocumentIdentifier(uri)))
        self.published.pop(uri, None)

    def change(self, uri: str, *changes: Any) -> None:
        self.versions[uri] += 1
        document = lsp.VersionedTextDocumentIdentifier(self.versions[uri], uri)
        self.tell(lsp.TEXT_DOCUMENT_DID_CHANGE, lsp.DidChangeTextDocumentParams(document, list(changes)))

    def replace(self, uri: str, text: str) -> None:
        self.change(uri, lsp.TextDocumentContentChangeWholeDocument(text))

    def diagnostics(self, uri: str, holds: Holds = lambda _: True) -> list[lsp.Diagnostic]:
        """The diagnostics of the newest version, once they are there and hold what is waited for."""
        return self.run(self._diagnostics(uri, holds))

    async def _diagnostics(self, uri: str, holds: Holds) -> list[lsp.Diagnostic]:
        while True:
            newest = self.published.get(uri, [])
            if newest and newest[-1].version == self.versions[uri] and holds(newest[-1].diagnostics):
                return list(newest[-1].diagnostics)
            await asyncio.sleep(0.02)

    def held(self, uri: str) -> str:
        """The text of a file as the server has it."""
        return str(self.ask("steerlang/viewText", {"uri": uri}))

    # ---- questions at a place ----------------------------------------------------------------------------------

    def at(self, method: str, uri: str, position: lsp.Position, params: Callable[..., Any], **more: Any) -> Any:
        return self.ask(method, params(text_document=lsp.TextDocumentIdentifier(uri), position=position, **more))

    def of(self, method: str, uri: str, params: Callable[..., Any], **more: Any) -> Any:
        return self.ask(method, params(text_document=lsp.TextDocumentIdentifier(uri), **more))

    def hover(self, uri: str, position: lsp.Position) -> str:
        found = self.at(lsp.TEXT_DOCUMENT_HOVER, uri, position, lsp.HoverParams)
        return found.contents.value if found else ""

    def labels(self, uri: str, position: lsp.Position) -> list[str]:
        """What is offered for completion, in the order of the editor."""
        return [i.label for i in self.items(uri, position)]

    def items(self, uri: str, position: lsp.Position) -> list[lsp.CompletionItem]:
        found = self.at(lsp.TEXT_DOCUMENT_COMPLETION, uri, position, lsp.CompletionParams).items
        return sorted(found, key=lambda i: i.sort_text)

    def close(self) -> int:
        """Says goodbye; gives the exit code of the server."""
        self.ask("shutdown", None)
        self.tell("exit", None)
        return self.ended()

    def ended(self) -> int:
        code = self.run(self.process.wait())
        self.run(self.client.stop())
        self.loop.close()
        return int(code)


def _capabilities(pulls: bool, encodings: tuple[str, ...]) -> lsp.ClientCapabilities:
    return lsp.ClientCapabilities(
        general=lsp.GeneralClientCapabilities(position_encodings=list(encodings)),
        text_document=lsp.TextDocumentClientCapabilities(
            diagnostic=lsp.DiagnosticClientCapabilities() if pulls else None,
            rename=lsp.RenameClientCapabilities(prepare_support=True),
            publish_diagnostics=lsp.PublishDiagnosticsClientCapabilities(related_information=True),
            completion=lsp.CompletionClientCapabilities(
                completion_item=lsp.ClientCompletionItemOptions(snippet_support=True)
            ),
        ),
        workspace=lsp.WorkspaceClientCapabilities(
            did_change_watched_files=lsp.DidChangeWatchedFilesClientCapabilities(dynamic_registration=True)
        ),
    )


def marked(text: str) -> tuple[str, lsp.Position]:
    """A text without its `|`, and the place where that stood, in UTF-16."""
    before, bar, after = text.partition("|")
    assert bar, "the text has no mark"
    line = before.rpartition("\n")[2]
    return before + after, lsp.Position(before.count("\n"), len(line.encode("utf-16-le")) // 2)


def place(text: str, needle: str, offset: int = 0, nth: int = 0) -> lsp.Position:
    """The place of a piece of a text (in UTF-16), some characters into it."""
    at = -1
    for _ in range(nth + 1):
        at = text.index(needle, at + 1)
    return marked(f"{text[: at + offset]}|{text[at + offset :]}")[1]
