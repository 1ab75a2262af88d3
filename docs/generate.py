"""Write what is derived from the code: the reference of functions, kinds, verbs, messages and output schemas, and in
`grammar/` the JSON Schema and the TextMate grammar, which VS Code's folder has a copy of.

python docs/generate.py            writes the pages
python docs/generate.py --check    writes nothing; exits with 1 when a page is not current
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Iterator, Mapping
from itertools import groupby
from pathlib import Path
from typing import Any

from generate_cli import cli_page
from generate_kinds import kinds_page
from generate_schemas import schemas_page
from tables import NOTICE, sentence, table

from steerlang.diagnostics.codes import Code, Severity, all_codes
from steerlang.functions import registry
from steerlang.functions.selectors import SITES, TOKENS_READ, TOKENS_STEERED
from steerlang.highlighting import textmate
from steerlang.language.json_schema import program_schema, to_json
from steerlang.language.parameter_types import Choice, Methods
from steerlang.language.registry import Kind, Registry
from steerlang.language.signature import Function, Method, MethodChoice, Operator, Parameter
from steerlang.language.types import Type

HERE = Path(__file__).parent

FAMILIES = {
    "parameters": "Values from outside. They stand as the value of a `param`.",
    "sources": "Models and data.",
    "selectors": "Sites, tokens and rows. They stand where a parameter takes a site, tokens or a filter.",
    "extraction": "States read from models, and directions made of them. Formulas: [methods](methods/README.md).",
    "files": "Vectors read from files: ours, and those of other tools ([formats](methods/vector_files.md)).",
    "algebra": "Vectors made of vectors. Everything works layer by layer.",
    "gates": "Numbers read from states, which gates compare: `when = cosine(v, layer = 7) > 0.1`. Formulas: "
    "[gates](methods/gates.md).",
    "steering": "What is done to states, and models it is done to.",
    "generation": "Text.",
    "metrics": "Measured numbers. Formulas: [metrics](methods/metrics.md).",
    "classifying": "What classifiers say, measured. Formulas: [classifiers](methods/classifiers.md).",
    "concepts": "Dictionaries of states, how they move, what they mean. Formulas: [decompose](methods/decompose.md), "
    "[shift](methods/concept_shift.md), [recovery](methods/recovery.md), [grounding](methods/grounding.md).",
    "controls": "What an effect is held against. [Measuring honestly](measuring.md) says why.",
    "choosing": "Points of a sweep, chosen by what was measured.",
    "weights": "Differences of weights, and models made of them.",
    "composition": "Coefficients by block, and several task vectors as one. Formulas: [composing](methods/compose.md).",
    "blocks": "Which weights share a coefficient that is [learned](methods/learn_blocks.md).",
    "exports": "Files. They stand as the value of an `export`; `html` as that of a `report`.",
}

# Families whose name alone would not tell what they are.
TITLES = {"weights": "Task vectors and edits", "blocks": "Blocks of weights"}

# Results that depend on the arguments.
RESULTS = {
    "extract": "a vector",
    "argmax": "a point of a sweep",
    "argmin": "a point of a sweep",
    "sample": "data of the same form",
    "split": "data of the same form",
    "unlabelled": "data of the same form, labelled data as text data",
}
BY_COLUMNS = "paired data where `source` and `target` are named, labelled data where `label` is, else text data"
# Kinds whose values are not made by functions alone.
BY_RULE = ("import", "sweep", "steering")

CODE_FAMILIES = {
    "SL1": "Syntax",
    "SL2": "Names",
    "SL3": "Types",
    "SL4": "Values",
    "SL5": "Files, models, the machine",
    "SL6": "Imports, parameters, editions, the command line",
    "SL7": "Warnings about what is probably not meant",
    "SL8": "While running",
    "SL9": "Bugs",
}


def functions_page() -> str:
    """The vocabulary: kinds, functions by family, operators."""
    found = registry()
    lines = [
        "# Kinds, functions and operators",
        "",
        NOTICE,
        "",
        "Derived from the registry (`steerlang/functions/`), which the checker reads too. How the language works as a",
        "whole stands in [the language reference](language.md).",
        "",
        "Parameters given *by position* may also be named; all others are always named.",
        "",
        "## Kinds",
        "",
        *table(("kind", "value", "example"), (_kind(k, found) for k in found.kinds.values())),
    ]
    for family, functions in groupby(found.functions.values(), key=lambda f: f.family):
        lines += ["", f"## {TITLES.get(family, family.capitalize())}"]
        lines += ["", FAMILIES[family]] if family in FAMILIES else []
        if family == "selectors":
            lines += _selector_words()
        for _, alike in groupby(functions, key=_sameness):
            lines += ["", *_functions(list(alike))]
    lines += ["", "## Operators", "", *_operators(found.operators)]
    return "\n".join(lines) + "\n"


def _kind(kind: Kind, found: Registry) -> tuple[str, ...]:
    given = {f.result for f in found.functions.values()} | {o.result for o in found.operators}
    exists = kind.name in BY_RULE or any(t in given for t in kind.types)
    return (f"`{kind.name}`", kind.help if exists else f"{kind.help}; nothing gives one yet", f"`{kind.example}`")


def _selector_words() -> Iterator[str]:
    """What the bare words of selectors mean."""
    for title, selector in (("Sites", SITES), ("Tokens read", TOKENS_READ), ("Tokens steered", TOKENS_STEERED)):
        yield from ("", f"### {title}", "")
        yield from (f"- `{word}`: {help}" for word, help in selector.words.items())
        yield "- " + ", ".join(f"[`{c}(…)`](#{c})" for c in selector.calls)


def _sameness(function: Function) -> object:
    """Functions with the same long list of parameters stand in one section."""
    return function.all_parameters if len(function.all_parameters) > 7 else function.name


def _functions(alike: list[Function]) -> Iterator[str]:
    function = alike[0]
    yield "### " + ", ".join(f"`{f.name}`" for f in alike)
    yield ""
    if len(alike) > 1:
        yield from (f"- `{f.name}`: {f.help}" for f in alike)
        yield ""
        yield f"All give {_result(function)}." + _version(function.version)
    else:
        yield f"{sentence(function.help)} Gives {_result(function)}." + _version(function.version)
    if function.source:
        yield ""
        yield f"Source: {function.source}."
    if function.all_parameters:
        yield ""
        yield from _parameters(function.subjects, function.parameters)
    for parameter in function.all_parameters:
        first = _first_with(parameter)
        if first in (None, function.name):
            yield from _details(parameter)
        else:
            yield from ("", f"`{parameter.name}`: see [`{first}`](#{first}).")


def _first_with(parameter: Parameter) -> str | None:
    """The first of several functions that have this very parameter, where its methods are described."""
    if not isinstance(parameter.type, Methods):
        return None
    return next(f.name for f in registry().functions.values() if parameter in f.all_parameters)


def _result(function: Function) -> str:
    if isinstance(function.result, Type):
        return function.result.phrase
    by_columns = {"source", "target", "label"} <= {p.name for p in function.all_parameters}
    return BY_COLUMNS if by_columns else RESULTS.get(function.name, "what its arguments make it")


def _version(version: int) -> str:
    return "" if version == 1 else f" Version {version}."


def _parameters(subjects: Iterable[Parameter], named: Iterable[Parameter]) -> list[str]:
    rows = [_row(p, "by position") for p in subjects] + [_row(p, "by name") for p in named]
    return table(("parameter", "given", "takes", "default", "meaning"), rows)


def _row(parameter: Parameter, given: str) -> tuple[str, ...]:
    given = f"{given}, repeatable" if parameter.many else given
    meaning = f"{parameter.help} (in {parameter.unit})" if parameter.unit else parameter.help
    return (f"`{parameter.name}`", given, parameter.type.phrase, _default(parameter), meaning)


def _default(parameter: Parameter) -> str:
    return "required" if parameter.required else f"`{_spelled(parameter.default)}`"


def _spelled(value: Any) -> str:
    """A default as a program would write it."""
    if value is None or value == ():
        return "none"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, MethodChoice):
        return value.method.name
    if isinstance(value, Mapping):
        return str(value["select"])
    if isinstance(value, (list, tuple)) and len(value) == 1:
        return _spelled(value[0])
    return str(value).encode("unicode_escape").decode() if isinstance(value, str) else str(value)


def _details(parameter: Parameter) -> Iterator[str]:
    """What the words of a parameter mean."""
    if isinstance(parameter.type, Choice):
        yield ""
        yield f"`{parameter.name}` takes"
        yield ""
        yield from (f"- `{word}`: {help}" for word, help in parameter.type.words.items())
    if isinstance(parameter.type, Methods):
        for method in parameter.type.methods:
            yield ""
            yield from _method(parameter, method)


def _method(parameter: Parameter, method: Method) -> Iterator[str]:
    source = f" Source: {method.source}." if method.source else ""
    formula = f" Formula: {method.formula}." if method.formula else ""
    yield f"#### `{parameter.name} = {method.name}`"
    yield ""
    yield f"{sentence(method.help)}{formula}{source} Version {method.version}."
    options = (*method.subjects, *method.parameters)
    if options:
        yield ""
        yield from _parameters(method.subjects, method.parameters)
    for option in options:
        yield from _details(option)


def _operators(operators: Iterable[Operator]) -> list[str]:
    """One row for each operator and result, with all operands it takes."""
    rows: dict[tuple[str, str], list[str]] = {}
    for op in operators:
        names = [t.phrase for t in op.operands]
        written = f"{op.symbol} {names[0]}" if len(names) == 1 else f"{names[0]} {op.symbol} {names[1]}"
        rows.setdefault((op.symbol, op.result.phrase), []).append(written)
    return table(
        ("operator", "between", "gives"),
        ((f"`{symbol}`", "; ".join(written), result) for (symbol, result), written in rows.items()),
    )


def errors_page() -> str:
    """All codes, by family."""
    lines = [
        "# Messages and their codes",
        "",
        NOTICE,
        "",
        "Every message has a code: `SL`, three digits, and a name in words. A code is never used again for something",
        "else and never renumbered, so it can be searched for and relied on in scripts (`--format json` gives it as",
        "`code`). A message shows the place in the program, what is wrong there, and under `help` what to do about it;",
        "it names other places where they matter. Errors end with exit code 1 while checking and 3 while running; a",
        "failed expectation (`SL803`) with 4. Warnings and notes change no exit code.",
        "",
        "Each code has a page with a program that gives it and the mended one; `steerlang explain SL201` shows it.",
    ]
    for prefix, codes in groupby(all_codes().values(), key=lambda c: c.id[:3]):
        lines += ["", f"## {CODE_FAMILIES[prefix]} ({prefix}xx)", ""]
        lines += table(("code", "name", "", "meaning"), (_code(c) for c in codes))
    return "\n".join(lines) + "\n"


def _code(code: Code) -> tuple[str, ...]:
    severity = "" if code.severity is Severity.ERROR else code.severity.value
    return (f"[`{code.id}`](errors/{code.id}.md)", f"`{code.slug}`", severity, code.summary)


def schema_file() -> str:
    """The JSON Schema of the YAML and JSON form."""
    return to_json(program_schema(registry()))


def textmate_file() -> str:
    """The TextMate grammar, for editors."""
    return textmate.to_json(textmate.grammar(registry()))


def kinds() -> str:
    """The kinds, with links to the functions as the page of functions has them."""
    found = registry()
    anchors: dict[str, str] = {}
    for _, alike in groupby(found.functions.values(), key=lambda f: (f.family, _sameness(f))):
        names = [f.name for f in alike]
        anchors.update(dict.fromkeys(names, "-".join(names)))
    return kinds_page(found, anchors)


PAGES: Mapping[str, Callable[[], str]] = {
    "functions.md": functions_page,
    "kinds.md": kinds,
    "cli.md": cli_page,
    "errors.md": errors_page,
    "schemas.md": schemas_page,
    "../grammar/steerlang.schema.json": schema_file,
    "../grammar/steerlang.tmLanguage.json": textmate_file,
    "../editors/vscode/syntaxes/steerlang.tmLanguage.json": textmate_file,
}


def outdated() -> list[str]:
    """The pages whose text is not what the code says."""
    return [name for name, page in PAGES.items() if _text(HERE / name) != page()]


def _text(path: Path) -> str:
    return path.read_text(encoding="utf-8") if path.exists() else ""


def main(arguments: list[str]) -> int:
    """Write the pages, or with `--check` only compare them."""
    if arguments == ["--check"]:
        old = outdated()
        sys.stderr.write("".join(f"docs/{name} is not current: run docs/generate.py\n" for name in old))
        return 1 if old else 0
    for name, page in PAGES.items():
        (HERE / name).write_text(page(), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
