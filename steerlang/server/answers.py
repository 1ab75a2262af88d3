"""What is answered to each question of an editor: the place is found, the question handed on, the answer translated."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from lsprotocol import types as lsp

from steerlang.language.modules import Symbol
from steerlang.language.notes import Use

from . import document_links, hints, hovering, layout, occurrences, outline, semantic, signatures
from .analysis import Analysis
from .completing import Completer
from .completing_values import Offer
from .desk import Desk, uri_of
from .links import Links
from .problems import Mender, Problems, location


@dataclass(eq=False)
class Client:
    """What the editor can do: place the cursor within what is inserted, and show further places of a diagnostic."""

    snippets: bool = False
    related: bool = True
    pulls: bool = False  # asks for diagnostics itself


@dataclass(eq=False)
class Answers:
    desk: Desk = field(default_factory=Desk)
    links: Links = field(default_factory=Links)
    client: Client = field(default_factory=Client)
    _offered: tuple[Completer, list[Offer]] | None = None  # what was offered last, which is asked about later

    def problems(self, uri: str) -> list[lsp.Diagnostic]:
        analysis = self.desk.analysis(uri)
        return [] if analysis is None else self._problems(analysis).all()

    def _problems(self, analysis: Analysis) -> Problems:
        return Problems(self.desk, analysis, self.links, self.client.related)

    def _at(self, params: Any) -> tuple[Analysis, int] | None:
        """The program and the offset that a question is about; None where there is no such program."""
        analysis = self.desk.analysis(params.text_document.uri)
        return None if analysis is None else (analysis, analysis.content.offset(params.position))

    def _of(self, params: Any) -> Analysis | None:
        return self.desk.analysis(params.text_document.uri)

    # ---- a place -----------------------------------------------------------------------------------------------

    def hover(self, params: lsp.HoverParams) -> lsp.Hover | None:
        at = self._at(params)
        return hovering.hover(*at, self.links) if at else None

    def completion(self, params: lsp.CompletionParams) -> lsp.CompletionList:
        at = self._at(params)
        if at is None or not at[0].is_steer:
            return lsp.CompletionList(False, [])
        completer = Completer(self.desk, at[0], self.links, self.client.snippets)
        offers = completer.offers(at[1])
        self._offered = (completer, offers)
        return lsp.CompletionList(False, completer.items(at[1], offers))

    def about_completion(self, item: lsp.CompletionItem) -> lsp.CompletionItem:
        """The item with what is said about it, where it is one of those that were offered last."""
        completer, offers = self._offered or (None, [])
        number = item.data if isinstance(item.data, int) else -1
        if completer is not None and 0 <= number < len(offers) and offers[number].label == item.label:
            text = completer.about(offers[number])
            item.documentation = lsp.MarkupContent(lsp.MarkupKind.Markdown, text) if text else None
        return item

    def signature_help(self, params: lsp.SignatureHelpParams) -> lsp.SignatureHelp | None:
        at = self._at(params)
        return signatures.signature_help(*at) if at and at[0].is_steer else None

    def definition(self, params: lsp.DefinitionParams) -> lsp.Location | None:
        at = self._at(params)
        if at is None:
            return None
        use = at[0].symbol_at(at[1])
        if use is not None:
            return location(self.desk, use.symbol.span)
        path = document_links.file_at(*at)
        return lsp.Location(uri_of(str(path)), lsp.Range(lsp.Position(0, 0), lsp.Position(0, 0))) if path else None

    def references(self, params: lsp.ReferenceParams) -> list[lsp.Location]:
        found = self._symbol(params)
        if found is None:
            return []
        places = occurrences.everywhere(self.desk, *found)
        wanted = [p for p in places if params.context.include_declaration or not p.defines]
        return [location(self.desk, p.span) for p in wanted]

    def highlight(self, params: lsp.DocumentHighlightParams) -> list[lsp.DocumentHighlight]:
        found = self._symbol(params)
        if found is None:
            return []
        analysis, symbol = found
        places = {p.span: p for p in occurrences.in_program(analysis, symbol) if p.span.source is analysis.source}
        kinds = lsp.DocumentHighlightKind
        return [
            lsp.DocumentHighlight(location(self.desk, span).range, kinds.Write if p.defines else kinds.Read)
            for span, p in sorted(places.items(), key=lambda item: item[0].start)
        ]

    def prepare_rename(self, params: lsp.PrepareRenameParams) -> lsp.PrepareRenamePlaceholder | None:
        at = self._at(params)
        use = occurrences.renameable(*at) if at else None
        if use is None:
            return None
        return lsp.PrepareRenamePlaceholder(location(self.desk, use.span).range, use.symbol.name)

    def rename(self, params: lsp.RenameParams) -> lsp.WorkspaceEdit | None:
        """Raises CannotRename."""
        at = self._at(params)
        use: Use | None = occurrences.renameable(*at) if at else None
        if at is None or use is None:
            raise occurrences.CannotRename("no name of a definition stands here")
        changes: dict[str, list[lsp.TextEdit]] = {}
        for place in occurrences.rename(self.desk, at[0], use.symbol, params.new_name):
            found = location(self.desk, place.span)
            changes.setdefault(found.uri, []).append(lsp.TextEdit(found.range, params.new_name))
        return lsp.WorkspaceEdit(changes)

    def _symbol(self, params: Any) -> tuple[Analysis, Symbol] | None:
        at = self._at(params)
        use = at[0].symbol_at(at[1]) if at else None
        return (at[0], use.symbol) if at and use else None

    # ---- a document --------------------------------------------------------------------------------------------

    def symbols(self, params: lsp.DocumentSymbolParams) -> list[lsp.DocumentSymbol]:
        analysis = self._of(params)
        return outline.symbols(analysis) if analysis else []

    def folds(self, params: lsp.FoldingRangeParams) -> list[lsp.FoldingRange]:
        analysis = self._of(params)
        return outline.folds(analysis) if analysis and analysis.is_steer else []

    def selections(self, params: lsp.SelectionRangeParams) -> list[lsp.SelectionRange]:
        analysis = self._of(params)
        if analysis is None or not analysis.is_steer:
            return []
        return [outline.selection(analysis, analysis.content.offset(p)) for p in params.positions]

    def formatting(self, params: lsp.DocumentFormattingParams) -> list[lsp.TextEdit]:
        analysis = self._of(params)
        return layout.formatting(analysis) if analysis else []

    def actions(self, params: lsp.CodeActionParams) -> list[lsp.CodeAction]:
        analysis = self._of(params)
        if analysis is None:
            return []
        return Mender(self.desk, analysis, self._problems(analysis)).actions(params.range, params.context.only)

    def inlay_hints(self, params: lsp.InlayHintParams) -> list[lsp.InlayHint]:
        analysis = self._of(params)
        return hints.hints(analysis, params.range) if analysis else []

    def tokens(self, params: lsp.SemanticTokensParams) -> lsp.SemanticTokens:
        analysis = self._of(params)
        return lsp.SemanticTokens(semantic.semantic_tokens(analysis) if analysis and analysis.is_steer else [])

    def tokens_in(self, params: lsp.SemanticTokensRangeParams) -> lsp.SemanticTokens:
        analysis = self._of(params)
        if analysis is None or not analysis.is_steer:
            return lsp.SemanticTokens([])
        start, end = (analysis.content.offset(p) for p in (params.range.start, params.range.end))
        return lsp.SemanticTokens(semantic.semantic_tokens(analysis, start, end))

    def document_links(self, params: lsp.DocumentLinkParams) -> list[lsp.DocumentLink]:
        analysis = self._of(params)
        return document_links.links(analysis) if analysis else []

    def diagnostics(self, params: lsp.DocumentDiagnosticParams) -> lsp.RelatedFullDocumentDiagnosticReport:
        return lsp.RelatedFullDocumentDiagnosticReport(self.problems(params.text_document.uri))

    # ---- all programs ------------------------------------------------------------------------------------------

    def workspace_symbols(self, params: lsp.WorkspaceSymbolParams) -> list[lsp.WorkspaceSymbol]:
        """Definitions whose name holds the letters asked for, in their order."""
        uris = [d.uri for d in self.desk.documents]
        paths = {d.path for d in self.desk.documents}
        uris += [uri_of(p) for p in occurrences.programs_in(self.desk.folders) if p not in paths]
        found = []
        for uri in uris:
            document = self.desk.document(uri)
            if document is not None:
                found += outline.workspace_symbols(document, params.query)
        return found
