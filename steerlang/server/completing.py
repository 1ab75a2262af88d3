"""Completion: what may be written next."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from lsprotocol import types as lsp

from steerlang.language.modules import Symbol
from steerlang.language.parameter_types import Value
from steerlang.language.signature import Function, Method
from steerlang.language.typed import Poison
from steerlang.language.types import POINT, VECTOR, shown
from steerlang.syntax.vocabulary import VALUE_ENDS

from .analysis import Analysis
from .completing_texts import in_text
from .completing_values import Offer, Offered, offers_for
from .cursor import Cursor, Frame, cursor_at
from .describing import Describer, code_block, function_text, kind_text, paragraphs, parameter_text, written_value
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


@dataclass(frozen=True)
class Completer:
    """`snippets`: whether the client places the cursor within what is inserted."""

    desk: Desk
    analysis: Analysis
    links: Links
    snippets: bool = False

    def offers(self, offset: int) -> list[Offer]:
        """What may stand at an offset, in the order in which it is shown."""
        return _once(self._offers(cursor_at(self.analysis, offset)))

    def items(self, offset: int, offers: Sequence[Offer]) -> list[lsp.CompletionItem]:
        """Offers as the editor takes them; what is said about each is asked for later, by its number."""
        begun = offers[0].start if offers else None
        start = cursor_at(self.analysis, offset).start if begun is None else begun
        range = self.analysis.content.range(start, offset)
        return [self._item(o, range, n) for n, o in enumerate(offers)]

    def about(self, offer: Offer) -> str:
        """What is said about an offer once it is looked at."""
        if offer.function is not None:
            return function_text(offer.function, self.links)
        if offer.symbol is not None:
            head = f"{offer.symbol.kind} {offer.symbol.name} = {written_value(offer.symbol)}"
            line = Describer(self.analysis).type_line(offer.symbol)
            return paragraphs(code_block(head), offer.symbol.definition.description or line)
        return offer.text

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
        if _follows_a_value(cursor):
            return
        if cursor.inner is not None and cursor.inner.is_index:
            yield from self._points(cursor.inner, slot)
            return
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

    def _points(self, frame: Frame, slot: Slot) -> Iterator[Offer]:
        """What selects from a definition: its axes, the models of a list, the points of an axis, layers of a vector."""
        symbol = self.analysis.module.symbols.get(frame.subject)
        meaning = self.analysis.compiled.program.meanings.get(symbol) if symbol is not None else None
        axes = meaning.axes if meaning is not None else ()
        if frame.argument is not None:
            labels = (label for axis in axes if axis.name == frame.argument for label in axis.labels)
            yield from (Offer(Offered.WORD, shown(label), f"a point of `{frame.argument}`") for label in labels)
            yield from offers_for(self.analysis, Value((POINT,)))
            return
        for axis in axes:
            if axis.name == "model":
                for label in axis.labels:
                    yield Offer(Offered.NAME, str(label), f"a point of the models of `{frame.subject}`")
            elif axis.name not in frame.given:
                yield Offer(Offered.ARGUMENT, axis.name, f"the sweep `{axis.name}`", insert=f"{axis.name} = ")
        if meaning is None or meaning.type == VECTOR:
            yield from offers_for(self.analysis, slot.type)

    def _detail(self, symbol: Symbol) -> str:
        meaning = self.analysis.compiled.program.meanings.get(symbol)
        return symbol.kind if meaning is None or isinstance(meaning, Poison) else meaning.type.phrase

    def _item(self, offer: Offer, range: lsp.Range, order: int) -> lsp.CompletionItem:
        item = lsp.CompletionItem(
            offer.label, kind=_ICONS[offer.kind], detail=offer.detail, sort_text=f"{order:04}",
            text_edit=lsp.TextEdit(range, self._inserted(offer)), data=order,
        )  # fmt: skip
        if self.snippets and offer.kind is Offered.FUNCTION:
            item.insert_text_format = lsp.InsertTextFormat.Snippet
        return item

    def _inserted(self, offer: Offer) -> str:
        if offer.insert:
            return offer.insert
        if offer.kind is not Offered.FUNCTION:
            return offer.label
        return f"{offer.label}($0)" if self.snippets else f"{offer.label}("


def _follows_a_value(cursor: Cursor) -> bool:
    """Whether the place is behind a value, where only an operator, a comma or the next definition can stand."""
    before = cursor.before
    return cursor.start == cursor.offset and before is not None and before.type in VALUE_ENDS


def _once(offers: Iterable[Offer]) -> list[Offer]:
    """Each label once, the first of its kind."""
    found: dict[tuple[str, bool], Offer] = {}
    for offer in offers:
        found.setdefault((offer.label, offer.kind is Offered.ARGUMENT), offer)
    return list(found.values())
