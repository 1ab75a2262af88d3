"""From text to tree: `parse` for a file, `parse_expression` for one value.

There is one path, for correct and for broken programs: the tokens are cut into items (`cutting`), each item is parsed
by itself, and one that does not fit is read again with recovery (`recovery`). So every item reports its own mistakes,
and whatever could be read of it stands in the tree.
"""

from __future__ import annotations

from dataclasses import replace

from steerlang.diagnostics.codes import FILE_TOO_LARGE
from steerlang.diagnostics.model import Diagnostic, error, ordered
from steerlang.source import Source, Span

from . import tree
from .cutting import cut
from .depth import too_deep
from .feeding import parse_whole
from .header import read_header
from .lexing import Token, significant, tokenize
from .literal_checks import literal_mistakes
from .recovery import recover_expression, recover_item

MAX_CHARACTERS = 1 << 20
EDITION = 1
#: After so many mistakes the rest of the file is not read: it is hardly a program.
MOST_DIAGNOSTICS = 300


def parse(source: Source) -> tuple[tree.Program, list[Diagnostic]]:
    """The program in `source`, as far as it can be read, and everything that is wrong with its form."""
    everything = Span(source, 0, len(source.text))
    if len(source.text) > MAX_CHARACTERS:
        return tree.Program(None, (), everything), [file_too_large(source)]
    tokens = tokenize(source)
    header, items = read_header(source, significant(tokens))
    if header.edition not in (None, EDITION):
        return tree.Program(header.edition, (), everything), header.diagnostics
    diagnostics = list(header.diagnostics)
    descriptions = _descriptions(tokens)
    definitions = []
    for item in cut(items):
        if len(diagnostics) >= MOST_DIAGNOSTICS:
            break
        definition, found = _parse_item(item)
        diagnostics += found
        if definition is not None:
            text = descriptions.get(item[0].start, "")
            definitions.append(replace(definition, description=text) if text else definition)
    return tree.Program(header.edition, tuple(definitions), everything), ordered(diagnostics)


def parse_expression(
    source: Source, start: int = 0, end: int | None = None,
) -> tuple[tree.Expr, list[Diagnostic]]:
    """One expression: the whole of `source`, or the range `[start, end)` of it (its positions stay true)."""
    end = len(source.text) if end is None else end
    if end - start > MAX_CHARACTERS:
        return tree.Broken(Span(source, start, end)), [file_too_large(source)]
    tokens = significant(tokenize(source, start, end))
    deep = too_deep(tokens)
    if deep is not None:
        return tree.Broken(Span(source, start, end)), [deep]
    value: tree.Expr | None = None
    if not any(t.is_bad for t in tokens):
        value = parse_whole("expr", tokens)
    diagnostics = literal_mistakes(tokens)
    if value is None:
        value, found = recover_expression(tokens, Span(source, start, end))
        diagnostics += found
    deep = too_deep(tokens, value)
    if deep is not None:
        return tree.Broken(value.span), [deep]
    return value, ordered(diagnostics)


def file_too_large(source: Source) -> Diagnostic:
    return error(
        FILE_TOO_LARGE, None, f"`{source.name}` has {len(source.text):,} characters; the most is {MAX_CHARACTERS:,}",
        help="split the program and join the parts with `import`", place=source.name,
    )


def _parse_item(tokens: list[Token]) -> tuple[tree.Definition | None, list[Diagnostic]]:
    deep = too_deep(tokens)
    if deep is not None:
        return _without_value(tokens), [deep]
    definition: tree.Definition | None = None
    if not any(t.is_bad for t in tokens):
        definition = parse_whole("item", tokens)
    diagnostics = literal_mistakes(tokens)
    if definition is None:
        definition, found = recover_item(tokens)
        diagnostics += found
    if definition is not None:
        deep = too_deep(tokens, definition.value)
        if deep is not None:
            return _without_value(tokens), [deep]
    return definition, diagnostics


def _without_value(tokens: list[Token]) -> tree.Definition | None:
    """The definition with a broken value, where its kind and name can be read."""
    if [t.type for t in tokens[:3]] != ["NAME", "NAME", "EQUAL"]:
        return None
    kind, name = (tree.Name(t.text, t.span) for t in tokens[:2])
    span = tokens[0].span.to(tokens[-1].span)
    return tree.Definition(kind, name, tree.Broken(tokens[-1].span), span)


def _descriptions(tokens: tuple[Token, ...]) -> dict[int, str]:
    """Runs of comment lines that stand directly above a line, by the offset where that line's first token starts."""
    found: dict[int, str] = {}
    run: list[str] = []
    fresh = True  # nothing but white space so far on this line
    for token in tokens:
        if token.type == "WS":
            breaks = token.text.count("\n")
            fresh = fresh or breaks > 0
            if breaks > 1:
                run = []
        elif token.type == "COMMENT":
            if fresh:
                run.append(token.text[1:].removeprefix(" ").rstrip())
            fresh = False
        else:
            if run and fresh:
                found[token.start] = "\n".join(run)
            run, fresh = [], False
    return found
