"""The page of kinds: what each holds, which functions give it a value and which take it."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping

from tables import NOTICE, table

from steerlang.language.parameter_types import Data, ParameterType, Value
from steerlang.language.registry import Kind, Registry
from steerlang.language.signature import Function
from steerlang.language.types import DATA, Type

# Kinds whose values are not made by functions alone, with what makes them.
BY_RULE = {
    "import": 'The name of a file, in double quotes: `import common = "common.steer"`.',
    "sweep": "A list of points, or a range: numbers, texts, layers, vectors.",
    "steering": "One action or a list of them; a list of lists is one list.",
    "let": "A value that is written, arithmetic on such values, or one of the functions below.",
    "expect": "A comparison of metrics and numbers, or several with `and`, `or`, `not`.",
}


def kinds_page(found: Registry, anchors: Mapping[str, str]) -> str:
    """One section a kind, in the order of the reference. `anchors` are those of functions on their page."""
    lines = [
        "# Kinds",
        "",
        NOTICE,
        "",
        "A definition is `KIND NAME = EXPRESSION`. The kind says what the expression must give; a value of another",
        "kind is an error that names the right one. Functions stand on [their own page](functions.md), how definitions",
        "are written in [the language](language.md#kinds).",
        "",
        *table(("kind", "value", "runs because it was written", "can be imported"), map(_row, found.kinds.values())),
    ]
    for kind in found.kinds.values():
        lines += ["", f"## {kind.name}", "", *_section(kind, found, anchors)]
    return re.sub(r"\n{3,}", "\n\n", "\n".join(lines)).rstrip() + "\n"


def _row(kind: Kind) -> tuple[str, ...]:
    return (f"[`{kind.name}`](#{kind.name})", kind.help, "yes" if kind.runs else "no",
            "yes" if kind.importable else "no (`SL602`)")


def _section(kind: Kind, found: Registry, anchors: Mapping[str, str]) -> Iterator[str]:
    yield f"{kind.help[:1].upper()}{kind.help[1:]}."
    yield from ("", "<!-- steer: later -->", "```steer", "steerlang 1", kind.example, "```", "")
    if kind.name in BY_RULE:
        yield f"**Its value.** {BY_RULE[kind.name]}"
        yield ""
    types = DATA if kind.name == "data" else kind.types
    giving = [f.name for f in found.functions.values() if isinstance(f.result, Type) and f.result in types]
    by_arguments = [f.name for f in found.functions.values() if _may_give(f, kind)]
    yield from _names("Given by", [*giving, *by_arguments], anchors)
    symbols = sorted({op.symbol for op in found.operators if op.result in types})
    if symbols and kind.name not in ("let", "param"):
        yield from _names("Given by the operators", symbols)
    if kind.name not in ("let", "param"):  # numbers and texts are taken everywhere
        yield from _names("Taken by", [f.name for f in found.functions.values() if _takes(f, types)], anchors)
    yield from _names("Operators that take it", sorted({
        op.symbol for op in found.operators if kind.name not in ("let", "param") and set(op.operands) & set(types)
    }))


# Functions whose result depends on their arguments, and the kinds it may have.
_DEPENDS = {
    "jsonl": "data", "json": "data", "csv": "data", "tsv": "data", "parquet": "data", "sample": "data", "split": "data",
    "unlabelled": "data", "extract": "vector", "argmax": "let", "argmin": "let",
}


def _may_give(function: Function, kind: Kind) -> bool:
    return not isinstance(function.result, Type) and _DEPENDS.get(function.name) == kind.name


def _takes(function: Function, types: Iterable[Type]) -> bool:
    return any(_types_of(p.type) & set(types) for p in function.all_parameters)


def _types_of(type: ParameterType) -> set[Type]:
    """The types that a parameter names itself, also inside a list."""
    if isinstance(type, Value):
        return set(type.types)
    if isinstance(type, Data):
        return set(type.forms)
    inner = getattr(type, "element", None)  # of lists
    return _types_of(inner) if isinstance(inner, ParameterType) else set()


def _names(words: str, names: list[str], anchors: Mapping[str, str] | None = None) -> Iterator[str]:
    """A line of names, linked where they have anchors on the page of functions."""
    shown = [f"[`{n}`](functions.md#{anchors[n]})" if anchors else f"`{n}`" for n in names]
    if shown:
        yield f"**{words}** {', '.join(shown)}."
        yield ""
