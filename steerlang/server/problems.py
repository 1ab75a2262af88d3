"""Diagnostics as editors show them, and the fixes they offer."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from lsprotocol import types as lsp

from steerlang.diagnostics import Applicability, Diagnostic, Fix, codes
from steerlang.diagnostics.codes import Severity
from steerlang.language.modules import Symbol
from steerlang.source import Source, Span

from .analysis import Analysis
from .desk import Desk
from .links import Links
from .outline import is_in

SOURCE = "steerlang"
_SEVERITIES: Mapping[Severity, lsp.DiagnosticSeverity] = {
    Severity.ERROR: lsp.DiagnosticSeverity.Error,
    Severity.WARNING: lsp.DiagnosticSeverity.Warning,
    Severity.NOTE: lsp.DiagnosticSeverity.Information,
}
FIX_ALL = "source.fixAll.steerlang"


@dataclass(frozen=True)
class Problems:
    """What is wrong with one program, in the editor's words. `related`: whether the client shows further places."""

    desk: Desk
    analysis: Analysis
    links: Links
    related: bool = True

    def all(self) -> list[lsp.Diagnostic]:
        """The problems of this file; those of imported files stand at the import, once each file."""
        own = [self.one(d) for d in self.analysis.diagnostics if self._is_own(d)]
        return [*own, *self._imported()]

    def _is_own(self, diagnostic: Diagnostic) -> bool:
        return diagnostic.primary is None or diagnostic.primary.span.source is self.analysis.source

    def one(self, diagnostic: Diagnostic) -> lsp.Diagnostic:
        page = self.links.code(diagnostic.code)
        return lsp.Diagnostic(
            self._range(diagnostic), "\n".join((diagnostic.message, *_hints(diagnostic))),
            severity=_SEVERITIES[diagnostic.severity], code=diagnostic.code.id,
            code_description=lsp.CodeDescription(page) if page else None, source=SOURCE,
            tags=[lsp.DiagnosticTag.Unnecessary] if diagnostic.code is codes.UNUSED_DEFINITION else None,
            related_information=self._related(diagnostic) or None,
        )  # fmt: skip

    def _range(self, diagnostic: Diagnostic) -> lsp.Range:
        if diagnostic.primary is None:
            return lsp.Range(lsp.Position(0, 0), lsp.Position(0, 0))
        span = diagnostic.primary.span
        return self.analysis.content.range(span.start, span.end)

    def _related(self, diagnostic: Diagnostic) -> list[lsp.DiagnosticRelatedInformation]:
        if not self.related:
            return []
        return [
            lsp.DiagnosticRelatedInformation(location(self.desk, label.span), label.message or "see here")
            for label in diagnostic.secondary
        ]

    def _imported(self) -> Iterator[lsp.Diagnostic]:
        strange = [d for d in self.analysis.diagnostics if not self._is_own(d)]
        by_source: dict[int, tuple[Source, list[Diagnostic]]] = {}
        for d in strange:
            assert d.primary is not None
            by_source.setdefault(id(d.primary.span.source), (d.primary.span.source, []))[1].append(d)
        for source, found in by_source.values():
            symbol = import_of(self.analysis, source)
            if symbol is not None:
                yield self._at_import(symbol, source, found)

    def _at_import(self, symbol: Symbol, source: Source, found: Sequence[Diagnostic]) -> lsp.Diagnostic:
        gravest = next((d for d in found if d.is_error), found[0])
        span = symbol.definition.value.span
        count = f"{len(found)} problems" if len(found) > 1 else "a problem"
        places = [
            lsp.DiagnosticRelatedInformation(location(self.desk, d.primary.span), f"{d.message} [{d.code.id}]")
            for d in found[:10] if d.primary is not None
        ]  # fmt: skip
        return lsp.Diagnostic(
            self.analysis.content.range(span.start, span.end),
            f"`{source.name}` has {count}: {gravest.message}", severity=_SEVERITIES[gravest.severity],
            code=gravest.code.id, source=SOURCE, related_information=places if self.related else None,
        )  # fmt: skip


def _hints(diagnostic: Diagnostic) -> list[str]:
    label = diagnostic.primary.message if diagnostic.primary is not None else ""
    return [*([label] if label else []), *(f"help: {h}" for h in diagnostic.help), *diagnostic.notes]


def location(desk: Desk, span: Span) -> lsp.Location:
    return lsp.Location(desk.uri_of(span.source), desk.text_of(span.source).range(span.start, span.end))


def import_of(analysis: Analysis, source: Source) -> Symbol | None:
    """The import of this program through which a file is reached, however many files lie between."""
    for name, module in analysis.module.imports.items():
        todo = [module]
        while todo:
            reached = todo.pop()
            if reached.source is source:
                return analysis.module.symbols.get(name)
            todo.extend(reached.imports.values())
    return None


# ---- fixes ---------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Mender:
    """The fixes of a program's diagnostics, as changes of its text."""

    desk: Desk
    analysis: Analysis
    problems: Problems

    def actions(self, range: lsp.Range, only: Sequence[str] | None) -> list[lsp.CodeAction]:
        found: list[lsp.CodeAction] = []
        if _wanted(lsp.CodeActionKind.QuickFix, only):
            found += self._quick(range)
        if _wanted(FIX_ALL, only):
            found += self._whole("mend all that is safe to mend", FIX_ALL, safe=True)
        if _wanted(lsp.CodeActionKind.QuickFix, only) and found:
            found += self._whole("take the first fix of every problem", lsp.CodeActionKind.QuickFix, safe=False)
        return found

    def _quick(self, range: lsp.Range) -> Iterator[lsp.CodeAction]:
        for diagnostic in self.analysis.diagnostics:
            primary = diagnostic.primary
            if primary is None or primary.span.source is not self.analysis.source:
                continue
            if not is_in(self.analysis.content, primary.span, range):
                continue
            fixes = (*diagnostic.fixes, *self._of_unused(diagnostic))
            for fix in fixes:
                yield lsp.CodeAction(
                    fix.title, lsp.CodeActionKind.QuickFix, diagnostics=[self.problems.one(diagnostic)],
                    is_preferred=len(fixes) == 1, edit=self._edit([fix]),
                )  # fmt: skip

    def _of_unused(self, diagnostic: Diagnostic) -> Iterator[Fix]:
        from steerlang.diagnostics import Edit

        if diagnostic.code is not codes.UNUSED_DEFINITION or diagnostic.primary is None:
            return
        symbol = next((s for s in self.analysis.module.symbols.values() if s.span == diagnostic.primary.span), None)
        if symbol is not None:
            span = symbol.definition.span
            text = span.source.text
            end = span.end + 1 if text[span.end : span.end + 1] == "\n" else span.end
            yield Fix(f"take `{symbol.name}` out", (Edit(Span(span.source, span.start, end), ""),))

    def _whole(self, title: str, kind: str, safe: bool) -> Iterator[lsp.CodeAction]:
        """One action that takes the first fix of each problem, those left out that touch an earlier one."""
        chosen: list[Fix] = []
        for diagnostic in self.analysis.diagnostics:
            fix = next(iter(diagnostic.fixes), None)
            if fix is None or (safe and fix.applicability is not Applicability.SAFE):
                continue
            if all(e.span.source is self.analysis.source for e in fix.edits) and not _touch(fix, chosen):
                chosen.append(fix)
        if chosen and (safe or len(chosen) > 1):
            yield lsp.CodeAction(title, kind, edit=self._edit(chosen))

    def _edit(self, fixes: Iterable[Fix]) -> lsp.WorkspaceEdit:
        changes: dict[str, list[lsp.TextEdit]] = {}
        for edit in (e for fix in fixes for e in fix.edits):
            found = location(self.desk, edit.span)
            changes.setdefault(found.uri, []).append(lsp.TextEdit(found.range, edit.text))
        return lsp.WorkspaceEdit(changes)


def _touch(fix: Fix, others: Sequence[Fix]) -> bool:
    taken = [e.span for other in others for e in other.edits]
    return any(e.span.start <= t.end and t.start <= e.span.end for e in fix.edits for t in taken)


def _wanted(kind: str, only: Sequence[str] | None) -> bool:
    """Whether a client that asks for some kinds of actions asks for this one: `source` asks for `source.fixAll` too."""
    return not only or any(kind == wanted or kind.startswith(f"{wanted}.") for wanted in only)
