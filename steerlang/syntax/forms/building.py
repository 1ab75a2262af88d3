"""From YAML or JSON to the syntax tree. What is wrong has the codes it has in the text form.

    steerlang: 1
    definitions:
      NAME: {KIND: VALUE}

A VALUE is a string (an expression in the language's own syntax, or a text where a text is taken), a number, `true`,
`false`, `null` (`none`), a list, or a mapping: a call, whose first key is the function and holds the arguments by
position, or one of `{$text: …}`, which is a text anywhere, and `{$expr: …}`, which is an expression anywhere.
"""

from __future__ import annotations

import re
from collections.abc import Callable

from steerlang.diagnostics.codes import (
    BAD_CHARACTER,
    MISSING_HEADER,
    MISSING_VALUE,
    NESTING_TOO_DEEP,
    NOT_YAML,
    RESERVED_NAME,
    UNEXPECTED,
    UNKNOWN_EDITION,
    UNNAMED_ITEM,
)  # fmt: skip
from steerlang.diagnostics.model import Diagnostic, Label, error, ordered
from steerlang.source import Source, Span
from steerlang.syntax import tree
from steerlang.syntax.depth import MAX_DEPTH, children
from steerlang.syntax.header import EDITION
from steerlang.syntax.parsing import MAX_CHARACTERS, MOST_DIAGNOSTICS, file_too_large, parse_expression

from .json_text import read_json
from .nodes import Entries, FormNode, Items, Malformed, Scalar
from .offsets import inner_start, is_straight, offsets
from .places import ANYWHERE, Place, Vocabulary
from .respan import moved, moved_diagnostic
from .yaml_text import read_yaml

NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
RESERVED = frozenset({"and", "or", "not", "true", "false", "none"})
_NOT_A_TEXT = re.compile(r"[-+]?(\.?[0-9]).*|true|false|none")
TEXT, EXPR = "$text", "$expr"


def parse_form(
    source: Source, form: str, vocabulary: Vocabulary = ANYWHERE,
) -> tuple[tree.Program, list[Diagnostic]]:
    """The program in a YAML or JSON text, as far as it can be read, and everything that is wrong with its form."""
    everything = Span(source, 0, len(source.text))
    nothing = tree.Program(None, (), everything)
    if len(source.text) > MAX_CHARACTERS:
        return nothing, [file_too_large(source)]
    try:
        document = _READERS[form](source)
    except Malformed as problem:
        return nothing, [_malformed(problem)]
    builder = _Builder(source, vocabulary)
    program = builder.program(document, everything)
    return program, ordered(builder.diagnostics[:MOST_DIAGNOSTICS])


def _read_yaml(source: Source) -> FormNode | None:
    return read_yaml(source)


_READERS: dict[str, Callable[[Source], FormNode | None]] = {"yaml": _read_yaml, "json": read_json}


def _malformed(problem: Malformed) -> Diagnostic:
    if problem.deep:
        return error(NESTING_TOO_DEEP, problem.span, f"this is nested more than {MAX_DEPTH} levels deep",
                     help="write inner parts as definitions of their own")
    return error(NOT_YAML, problem.span, problem.message, help=problem.help or "check quotes, brackets and indentation")


class _Builder:
    """Builds one program; what is wrong is collected."""

    def __init__(self, source: Source, vocabulary: Vocabulary) -> None:
        self.source = source
        self.vocabulary = vocabulary
        self.diagnostics: list[Diagnostic] = []

    def _wrong(self, node_span: Span, message: str, help: str, code: object = UNEXPECTED) -> tree.Broken:
        self.diagnostics.append(error(code, node_span, message, help=help))  # type: ignore[arg-type]
        return tree.Broken(node_span)

    # ---- the file ---------------------------------------------------------------------------------------------------

    def program(self, document: FormNode | None, everything: Span) -> tree.Program:
        if not isinstance(document, Entries):
            span = document.span if document is not None else Span(self.source, 0, 0)
            what = "the program is empty" if document is None else "the program is no mapping"
            self._wrong(span, what, f"write `steerlang: {EDITION}` and `definitions:` below it", MISSING_HEADER)
            return tree.Program(None, (), everything)
        parts: dict[str, tuple[Scalar, FormNode]] = {}
        for key, value in document.entries:
            if key.value not in ("steerlang", "definitions"):
                self._wrong(key.span, f"`{key.value}` cannot stand here", _help_at_top(key, value), UNNAMED_ITEM)
            elif key.value in parts:
                self.diagnostics.append(error(
                    NOT_YAML, key.span, f"key `{key.value}` stands twice", help="leave one of them out",
                    secondary=(Label(parts[key.value][0].span, "first here"),),
                ))
            else:
                parts[key.value] = (key, value)
        edition = self._edition(parts.get("steerlang"), document)
        if edition not in (None, EDITION):
            return tree.Program(edition, (), everything)
        found = parts.get("definitions")
        return tree.Program(edition, tuple(self._definitions(found[1])) if found else (), everything)

    def _edition(self, found: tuple[Scalar, FormNode] | None, document: Entries) -> int | None:
        if found is None:
            span = document.entries[0][0].span if document.entries else document.span
            self._wrong(span, f"the file does not say `steerlang: {EDITION}`", f"write `steerlang: {EDITION}` on the "
                        "first line", MISSING_HEADER)
            return None
        key, value = found
        if not isinstance(value, Scalar) or not re.fullmatch("[0-9]{1,9}", value.value):
            self._wrong(value.span if value.span.start < value.span.end else key.span,
                        "the edition of the language is one whole number", f"write `steerlang: {EDITION}`",
                        MISSING_HEADER)
            return None
        edition = int(value.value)
        if edition != EDITION:
            self._wrong(value.span, f"edition {edition} of the language is not known to this version",
                        f"update steerlang, or write `steerlang: {EDITION}` if the program is meant for this version",
                        UNKNOWN_EDITION)
        return edition

    def _definitions(self, node: FormNode) -> list[tree.Definition]:
        if isinstance(node, Scalar) and node.is_null:
            return []
        if not isinstance(node, Entries):
            self._wrong(node.span, "`definitions` is no mapping", "write `NAME: {KIND: VALUE}` for each definition")
            return []
        found = (self._definition(key, value) for key, value in node.entries)
        return [d for d in found if d is not None]

    def _definition(self, key: Scalar, node: FormNode) -> tree.Definition | None:
        name = self._name(key, "a definition")
        if name is None:
            return None
        if not isinstance(node, Entries) or len(node.entries) != 1:
            span = node.span if node.span.start < node.span.end else key.span
            missing = isinstance(node, Scalar) and node.is_null
            self._wrong(span, f"`{key.value}` is not written `KIND: VALUE`",
                        f"write `{key.value}: {{model: …}}`, with one of the kinds",
                        MISSING_VALUE if missing else UNEXPECTED)
            return None
        word, content = node.entries[0]
        kind = self._name(word, "a kind")
        if kind is None:
            return None
        value = self._value(content, self.vocabulary.value_of(kind.id), word.span)
        deep = _deepest(value)
        if deep is not None:
            value = self._too_deep(deep)
        return tree.Definition(kind, name, value, key.span.to(node.span))

    def _too_deep(self, span: Span) -> tree.Broken:
        return self._wrong(span, f"this is nested more than {MAX_DEPTH} levels deep",
                           "give parts of it names of their own with `let`", NESTING_TOO_DEEP)

    def _name(self, key: Scalar, what: str) -> tree.Name | None:
        if key.value in RESERVED:
            self._wrong(key.span, f"`{key.value}` is a reserved word", "take another name", RESERVED_NAME)
            return None
        if not NAME.fullmatch(key.value):
            self._wrong(key.span, f"`{key.value}` cannot name {what}", "names are letters, digits and `_`",
                        BAD_CHARACTER)
            return None
        return tree.Name(key.value, key.span)

    # ---- values -----------------------------------------------------------------------------------------------------

    def _value(self, node: FormNode, place: Place, at: Span) -> tree.Expr:
        """`at` is where to point when the value itself takes no room."""
        if isinstance(node, Items):
            return tree.ListOf(tuple(self._value(i, place.item(), node.span) for i in node.items), node.span)
        if isinstance(node, Entries):
            return self._mapping(node, place)
        if node.style == "plain" and node.is_null:
            if node.value == "":
                return self._wrong(at, "there is no value here", "write one; `none` is written `null`", MISSING_VALUE)
            return tree.Nothing(node.span)
        if place.takes_text and not (node.style == "plain" and _NOT_A_TEXT.fullmatch(node.value)):
            return _text(node)
        return self._expression(node)

    def _mapping(self, node: Entries, place: Place) -> tree.Expr:
        if not node.entries:
            return self._wrong(node.span, "an empty mapping is no value", "write a call as `{extract: [base, data]}`",
                               MISSING_VALUE)
        first, content = node.entries[0]
        if first.value.startswith("$"):
            return self._escaped(node)
        callee = self._name(first, "a function")
        if callee is None:
            return tree.Broken(node.span)
        arguments = self._positional(callee.id, first, content, place)
        for key, value in node.entries[1:]:
            name = self._name(key, "an argument")
            if name is not None:
                inner = self._value(value, place.argument(callee.id, name.id, 0), key.span)
                arguments.append(tree.Argument(name, inner, key.span.to(value.span)))
        return tree.Call(callee, tuple(arguments), node.span)

    def _positional(self, function: str, key: Scalar, content: FormNode, place: Place) -> list[tree.Argument]:
        if isinstance(content, Scalar) and content.is_null:
            self._wrong(key.span, f"`{function}` holds no list of arguments", f"write `{function}: []` where none "
                        "stands by position; the function is the first key")
            return []
        given = content.items if isinstance(content, Items) else (content,)
        values = [self._value(n, place.argument(function, None, i), key.span) for i, n in enumerate(given)]
        return [tree.Argument(None, value, value.span) for value in values]

    def _escaped(self, node: Entries) -> tree.Expr:
        key, content = node.entries[0]
        if key.value not in (TEXT, EXPR) or len(node.entries) != 1 or not isinstance(content, Scalar):
            return self._wrong(node.span, f"`{key.value}` is not understood here", f"write `{{{TEXT}: \"…\"}}` for a "
                               f"text, `{{{EXPR}: \"…\"}}` for an expression, and nothing beside it")
        if key.value == EXPR:
            return self._expression(content)
        if content.style == "plain" and (content.is_null or _NOT_A_TEXT.fullmatch(content.value)):
            return self._wrong(content.span if content.value else key.span, f"`{TEXT}` holds a text",
                               "put it in quotes")
        return _text(content)

    def _expression(self, node: Scalar) -> tree.Expr:
        if not node.value.strip():
            return self._wrong(node.span, "there is no value here", 'write an empty text as `\'""\'`', MISSING_VALUE)
        if is_straight(node):
            start = inner_start(node)
            if NAME.fullmatch(node.value) and node.value not in RESERVED:  # most values, and needs no parser
                return tree.Name(node.value, Span(self.source, start, start + len(node.value)))
            value, found = parse_expression(self.source, start, start + len(node.value))
            self.diagnostics += [moved_diagnostic(d, lambda span: span) for d in found]
            return value
        inner = Source(self.source.name, node.value, self.source.path)
        value, found = parse_expression(inner)
        places = offsets(node)

        def move(span: Span) -> Span:
            return Span(self.source, places[min(span.start, len(node.value))], places[min(span.end, len(node.value))])

        self.diagnostics += [moved_diagnostic(d, move) for d in found]
        return moved(value, move)


def _text(node: Scalar) -> tree.String:
    return tree.String(node.value, "block" if "\n" in node.value else "plain", node.span)


def _help_at_top(key: Scalar, value: FormNode) -> str:
    if isinstance(value, Entries) and len(value.entries) == 1:
        return f"indent `{key.value}` below `definitions:`"
    return "a program has two keys, `steerlang` and `definitions`"


def _deepest(value: tree.Expr) -> Span | None:
    stack: list[tuple[tree.Expr, int]] = [(value, 1)]
    while stack:
        node, depth = stack.pop()
        if depth > MAX_DEPTH:
            return node.span
        stack.extend((child, depth + 1) for child in children(node))
    return None

