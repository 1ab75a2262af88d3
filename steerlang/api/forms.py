"""Programs in any of their three forms: the language's own, YAML and JSON. The name of a file says which it is."""

from __future__ import annotations

from steerlang.diagnostics import Diagnostic, Label, codes, error, has_errors
from steerlang.functions import registry
from steerlang.source import Source
from steerlang.syntax import parse as parse_steer
from steerlang.syntax import tree
from steerlang.syntax.endings import form_in, form_of


def parse(source: Source) -> tuple[tree.Program, list[Diagnostic]]:
    """The tree of a program, whatever its form."""
    return parse_as(source, form_of_source(source))


def form_of_source(source: Source) -> str:
    """The form that the name of the file says, or, of what was read from no file, the text."""
    return form_of(source.path) if source.path else form_in(source.text)


def parse_as(source: Source, form: str) -> tuple[tree.Program, list[Diagnostic]]:
    """The tree of a text in the form `steer`, `yaml` or `json`."""
    if form == "steer":
        return parse_steer(source)
    from steerlang.language.text_places import TextPlaces
    from steerlang.syntax.forms import parse_form

    return parse_form(source, form, TextPlaces(registry()))


def convert(source: Source, form: str, to: str) -> tuple[str | None, list[Diagnostic]]:
    """A program in another form, or None and what stands against it. Comments are lost, and nothing else."""
    program, found = parse_as(source, form)
    found = [*found, *_repeats(program)]
    if has_errors(found):
        return None, found
    from steerlang.language.text_places import TextPlaces
    from steerlang.syntax.forms import program_text

    return program_text(program, to, TextPlaces(registry())), found


def _repeats(program: tree.Program) -> list[Diagnostic]:
    """Names that are defined twice: a mapping can hold only one of them."""
    first: dict[str, tree.Definition] = {}
    found = []
    for definition in program.definitions:
        before = first.setdefault(definition.name.id, definition)
        if before is not definition:
            found.append(error(
                codes.DUPLICATE_NAME, definition.name.span, f"`{definition.name.id}` is defined twice",
                help="a name is defined once: rename one of them or take it out",
                secondary=(Label(before.name.span, "first defined here"),),
            ))
    return found
