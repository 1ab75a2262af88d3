"""Completion: what may be written next."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from lsprotocol import types as lsp

from steerlang.language.modules import Module, Symbol
from steerlang.language.signature import Function, Method
from steerlang.language.typed import Poison
from steerlang.language.types import Type

from .analysis import Analysis
from .completing_texts import in_text
from .completing_values import Offer, Offered, offers_for
from .cursor import Cursor, cursor_at
from .describing import Describer, function_text, kind_text, parameter_text, written_value
from .desk import Desk
from .expected import Slot, slot_at
from .links import Links

KINDS = lsp.CompletionItemKind
_ICONS = {
    Offered.WORD: KINDS.EnumMember, Offered.METHOD: KINDS.Method, Offered.FUNCTION: KINDS.Function,
    Offered.NAME: KINDS.Variable, Offered.CONSTANT: KINDS.Constant, Offered.TEXT: KINDS.Value,
    Offered.FILE: KINDS.File, Offered.FOLDER: KINDS.Folder, Offered.COLUMN: KINDS.Field,
    Offered.MODULE: KINDS.Module, Offered.ARGUMENT: KINDS.Property, Offered.KIND: KINDS.Keyword,
}  # fmt: skip
_CALLED = (Offered.FUNCTION, Offered.METHOD)


@dataclass(frozen=True)
class Completer:
    """`snippets`: whether the client places the cursor within what is inserted."""

    desk: Desk
    analysis: Analysis
    links: Links
    snippets: bool = False

    def items(self, offset: int) -> list[lsp.CompletionItem]:
        cursor = cursor_at(self.analysis, offset)
        offers = list(self._offers(cursor))
        start = offers[0].start if offers and offers[0].start is not None else cursor.start
        range = self.analysis.content.range(start, offset)
        return [self._item(o, range, n) for n, o in enumerate(_once(offers))]

    def _offers(self, cursor: Cursor) -> Iterator[Offer]:
        registry = self.analysis.compiled.program.registry
        if cursor.place == "header":
            yield Offer(Offered.KIND, "steerlang 1", "the header every program begins with")
        elif cursor.place == "kind":
            for kind in registry.kinds.values():
                yield Offer(Offered.KIND, kind.name, kind.help, text=kind_text(kind))
        elif cursor.place == "text":
            yield from in_text(self.desk, self.analysis, cursor)
        elif cursor.place == "value" and cursor.qualifier:
            yield from self._members(cursor.qualifier)
        elif cursor.place == "value":
            yield from self._values(cursor, slot_at(cursor, registry))

    def _values(self, cursor: Cursor, slot: Slot) -> Iterator[Offer]:
        if cursor.kind == "import":
            return
        if cursor.inner is not None and cursor.inner.is_index:
            yield from self._points(cursor.inner.subject)
        named = [*self._arguments(slot.owner, cursor)] if cursor.entry and slot.owner is not None else []
        needed = slot.parameter is not None and slot.parameter.required  # what stands here by position comes first
        yield from () if needed else named
        if slot.owner is None or slot.parameter is not None or cursor.inner is None or not cursor.inner.callee:
            yield from offers_for(self.analysis, slot.type, cursor.name)
        yield from named if needed else ()

    def _arguments(self, owner: Function | Method, cursor: Cursor) -> Iterator[Offer]:
        frame = cursor.inner
        assert frame is not None
        first = [p.name for p in owner.subjects[: frame.position]]
        for parameter in (*owner.parameters, *owner.subjects):
            if parameter.name not in frame.given and parameter.name not in first:
                insert = f"{parameter.name} = "
                text = parameter_text(parameter, f"`{owner.name}`")
                yield Offer(Offered.ARGUMENT, parameter.name, parameter.help, insert=insert, text=text)

    def _members(self, name: str) -> Iterator[Offer]:
        """What an imported file defines."""
        module = self.analysis.module.imports.get(name)
        for symbol in module.symbols.values() if module is not None else ():
            yield Offer(Offered.NAME, symbol.name, self._detail(symbol), symbol=symbol)

    def _points(self, subject: str) -> Iterator[Offer]:
        """What selects from a definition: its axes, and the models of a list."""
        symbol = _named(self.analysis.module, subject)
        meaning = self.analysis.compiled.program.meanings.get(symbol) if symbol is not None else None
        for axis in meaning.axes if meaning is not None else ():
            if axis.name == "model":
                for label in axis.labels:
                    yield Offer(Offered.NAME, str(label), f"a point of the models of `{subject}`")
            else:
                yield Offer(Offered.ARGUMENT, axis.name, f"the sweep `{axis.name}`", insert=f"{axis.name} = ")

    def _detail(self, symbol: Symbol) -> str:
        meaning = self.analysis.compiled.program.meanings.get(symbol)
        return symbol.kind if meaning is None or isinstance(meaning, Poison) else _phrase(meaning.type)

    def _item(self, offer: Offer, range: lsp.Range, order: int) -> lsp.CompletionItem:
        item = lsp.CompletionItem(
            offer.label, kind=_ICONS[offer.kind], detail=offer.detail, sort_text=f"{order:04}",
            filter_text=offer.filter or offer.label, text_edit=lsp.TextEdit(range, self._inserted(offer)),
        )  # fmt: skip
        if self.snippets and offer.kind in _CALLED and "(" in self._inserted(offer):
            item.insert_text_format = lsp.InsertTextFormat.Snippet
        text = offer.text or self._text(offer)
        if text:
            item.documentation = lsp.MarkupContent(lsp.MarkupKind.Markdown, text)
        return item

    def _inserted(self, offer: Offer) -> str:
        if offer.insert:
            return offer.insert
        if offer.function is None or (offer.kind is Offered.METHOD):
            return offer.label
        return f"{offer.label}($0)" if self.snippets else f"{offer.label}("

    def _text(self, offer: Offer) -> str:
        if offer.function is not None:
            return function_text(offer.function, self.links)
        if offer.symbol is not None:
            return f"```steer\n{offer.symbol.kind} {offer.symbol.name} = {written_value(offer.symbol)}\n```\n\n" + (
                offer.symbol.definition.description or Describer(self.analysis).type_line(offer.symbol)
            )
        return ""


def _named(module: Module, name: str) -> Symbol | None:
    return module.symbols.get(name)


def _phrase(type: Type) -> str:
    return type.phrase


def _once(offers: Iterable[Offer]) -> list[Offer]:
    """Each label once, the first of its kind."""
    found: dict[tuple[str, bool], Offer] = {}
    for offer in offers:
        found.setdefault((offer.label, offer.kind is Offered.ARGUMENT), offer)
    return list(found.values())
