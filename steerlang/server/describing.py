"""What hover and completion say of things, as Markdown."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from steerlang.api.explaining import Setting, settings_of, spelled
from steerlang.diagnostics import Diagnostic
from steerlang.diagnostics.codes import Code
from steerlang.language import typed as t
from steerlang.language.layers import spelled as layers_spelled
from steerlang.language.modules import Symbol
from steerlang.language.registry import Kind
from steerlang.language.signature import Function, Method, Parameter
from steerlang.language.types import Type, shown
from steerlang.syntax.expressions import expression_text

from .analysis import Analysis
from .links import Links
from .values_text import facts_of

_LONGEST = 400  # characters of a definition that are shown
_MOST = 12  # lines of options


def code_block(text: str) -> str:
    return f"```steer\n{text}\n```"


def paragraphs(*parts: str) -> str:
    return "\n\n".join(p for p in parts if p)


# ---- the vocabulary ------------------------------------------------------------------------------------------------


def written(parameter: Parameter) -> str:
    """A parameter in a signature: `data`, `k = 8`."""
    name = f"{parameter.name}, …" if parameter.many else parameter.name
    return name if parameter.required else f"{parameter.name} = {spelled(parameter.default)}"


def signature(function: Function | Method) -> str:
    inside = ", ".join(written(p) for p in (*function.subjects, *function.parameters))
    return f"{function.name}({inside})"


def function_text(function: Function | Method, links: Links) -> str:
    result = f" Gives {function.result.phrase}." if isinstance(_result(function), Type) else ""  # type: ignore[union-attr]
    version = f" Version {function.version}." if function.version > 1 else ""
    formula = f"Formula: {function.formula}" if isinstance(function, Method) and function.formula else ""
    source = f"Source: {function.source}" if function.source else ""
    page = links.function(function.name) if isinstance(function, Function) else ""
    return paragraphs(
        code_block(signature(function)), sentence(function.help) + result + version, formula, source,
        "\n".join(_parameter_lines((*function.subjects, *function.parameters))),
        f"[{function.name} in the reference]({page})" if page else "",
    )  # fmt: skip


def _result(function: Function | Method) -> object:
    return function.result if isinstance(function, Function) else None


def _parameter_lines(parameters: Iterable[Parameter]) -> Iterator[str]:
    for p in parameters:
        default = "required" if p.required else f"default `{spelled(p.default)}`"
        yield f"- `{p.name}`: {p.help}{_unit(p)} ({default})"


def _unit(parameter: Parameter) -> str:
    return f" (in {parameter.unit})" if parameter.unit else ""


def parameter_text(parameter: Parameter, owner: str) -> str:
    default = "required" if parameter.required else f"default `{spelled(parameter.default)}`"
    head = f"`{parameter.name}` of {owner}: {parameter.help}{_unit(parameter)}"
    return paragraphs(head, f"Takes {parameter.type.phrase}; {default}.", "\n".join(_options(parameter)))


def _options(parameter: Parameter) -> Iterator[str]:
    for type in (parameter.type, *parameter.type.parts):
        yield from (f"- `{word}`: {help}" for word, help in type.bare_words.items())


def kind_text(kind: Kind) -> str:
    return paragraphs(f"`{kind.name}`: {kind.help}", code_block(kind.example))


def word_text(word: str, help: str) -> str:
    return f"`{word}`: {help}" if help else f"`{word}`"


def sentence(text: str) -> str:
    return text[:1].upper() + text[1:].rstrip(".") + "."


# ---- a program -----------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Describer:
    """Says what the definitions of a program are."""

    analysis: Analysis

    def definition(self, symbol: Symbol) -> str:
        """Its text and description, and what is known of it: type, axes, what it resolves to, defaults."""
        facts = [self.type_line(symbol), *self._axes(symbol), *self._values(symbol), *self._layers(symbol)]
        return paragraphs(
            code_block(_cut(symbol.definition.span.text)), symbol.definition.description,
            "\n".join(f"- {line}" for line in facts if line), self._options(symbol), self._place(symbol),
        )  # fmt: skip

    def type_line(self, symbol: Symbol) -> str:
        meaning = self.meaning(symbol)
        if meaning is None or isinstance(meaning, t.Poison):
            return f"`{symbol.kind}` with mistakes"
        return meaning.type.phrase

    def meaning(self, symbol: Symbol) -> t.Typed | None:
        return self.analysis.compiled.program.meanings.get(symbol)

    def _axes(self, symbol: Symbol) -> Iterator[str]:
        meaning = self.meaning(symbol)
        for axis in meaning.axes if meaning is not None else ():
            points = ", ".join(shown(x) for x in axis.labels[:8]) + (", …" if len(axis.labels) > 8 else "")
            yield f"at the points of `{axis.name}`: {points}"

    def _values(self, symbol: Symbol) -> list[str]:
        table = self.analysis.compiled.tables.get(symbol.label)
        return facts_of(table.cells[0].value) if table is not None and table.cells else []

    def _layers(self, symbol: Symbol) -> Iterator[str]:
        around = symbol.definition.span
        for note in self.analysis.notes.layers:
            same = note.span.source is around.source
            if same and around.start <= note.span.start and note.span.end <= around.end:
                where = note.span.text if len(note.span.text) < 30 else "layers"
                yield f"`{' '.join(where.split())}` of {note.owner}: {layers_spelled(note.layers)}"

    def _options(self, symbol: Symbol) -> str:
        meaning = self.meaning(symbol)
        if meaning is None or isinstance(meaning, t.Poison) or symbol.kind == "import":
            return ""
        settings = settings_of(self.analysis.compiled, symbol)
        defaults = sorted((s for s in settings if s.origin == "default"), key=lambda s: s.path.count("."))
        lines = [_setting(s) for s in defaults[:_MOST]]
        more = f"\n- and {len(defaults) - _MOST} more" if len(defaults) > _MOST else ""
        return "Left to their defaults:\n\n" + "\n".join(lines) + more if lines else ""

    def _place(self, symbol: Symbol) -> str:
        own = symbol.module.source is self.analysis.source
        return "" if own else f"Defined in `{symbol.module.source.name}`."


def _setting(setting: Setting) -> str:
    unit = f" (in {setting.unit})" if setting.unit else ""
    return f"- `{setting.path} = {setting.value}`{unit}"


def _cut(text: str) -> str:
    return text if len(text) <= _LONGEST else text[:_LONGEST] + " …"


def written_value(symbol: Symbol) -> str:
    """The value of a definition on one line."""
    text = expression_text(symbol.definition.value)
    return text if len(text) <= 80 else text[:80] + " …"


def code_text(code: Code, links: Links) -> str:
    page = links.code(code)
    name = f"[{code.id} {code.slug}]({page})" if page else f"{code.id} {code.slug}"
    return f"**{name}**: {code.summary}"


def diagnostic_text(diagnostic: Diagnostic, links: Links) -> str:
    helps = "\n".join(f"- {h}" for h in (*diagnostic.help, *diagnostic.notes))
    return paragraphs(code_text(diagnostic.code, links), helps)
