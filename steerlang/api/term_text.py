"""Task vectors and what is learned of them in words, by the names that the program gives to their parts."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from importlib.util import find_spec
from typing import Any

from steerlang.graph.node import Json, Node, walk
from steerlang.language.compiling import Compiled, cells_of
from steerlang.language.values import CoefficientsSetValue, DataValue, ModelValue, TaskVectorValue

_SHOWN = 4  # parts of a sum, names of a list


@dataclass(frozen=True)
class TermNames:
    """What a program calls the parts of a term. They are no part of it, and of no key.

    nodes  models, adapters, data and coefficients, by the key of their node
    terms  task vectors, by the text of their term
    """

    nodes: Mapping[str, str]
    terms: Mapping[str, str]

    def node(self, key: Json) -> str:
        return self.nodes.get(str(key), "a model")


def term_names(compiled: Compiled) -> TermNames:
    """The first name of everything: definitions before what their files are called."""
    nodes: dict[str, str] = {}
    terms: dict[str, str] = {}
    for table in compiled.tables.values():
        for label, cell in cells_of(table):
            value = cell.value
            if isinstance(value, TaskVectorValue):
                terms.setdefault(_key(value.node.options["term"]), label)
            elif isinstance(value, (ModelValue, DataValue, CoefficientsSetValue)) and value.node is not None:
                nodes.setdefault(value.node.key, label)
    for node in walk(list(compiled.graph.roots.values())):
        if "name" in node.locators:
            nodes.setdefault(node.key, node.locators["name"])
    return TermNames(nodes, terms)


def names_in_receipts(compiled: Compiled) -> dict[str, str]:
    """The definitions of single task vectors, by what a receipt calls these: `models/tuned - models/base`."""
    found: dict[str, str] = {}
    for table in compiled.tables.values():
        for label, cell in cells_of(table):
            if isinstance(cell.value, TaskVectorValue):
                said = _in_receipts(cell.value.node)
                if said is not None:
                    found.setdefault(said, label)
    return found


def _in_receipts(node: Node) -> str | None:
    term: Any = node.options["term"]
    names = {n.key: n.locators.get("name", "") for n in node.inputs}
    if term["is"] == "Difference":
        return f"{names[term['tuned']]} - {names[term['base']]}"
    return names[term["adapter"]] if term["is"] == "Lora" else None


def change_text(expression: Any, names: TermNames) -> str:
    """How an edited model was made: `ties, density = 0.5: 1 × to_formal + 0.4 × asking`."""
    if expression["is"] == "Slerp":
        first, second = names.node(expression["first"]), names.node(expression["second"])
        return f"slerp from {first} to {second}, t = {_by(expression['t'], names)}"
    return _own(expression["change"], names)


def term_text(term: Any, names: TermNames) -> str:
    """A task vector by its name, or by what it is made of."""
    return names.terms.get(_key(term)) or _WORDS[term["is"]](term, names)


def _own(term: Any, names: TermNames) -> str:
    """What a task vector is made of; a single one goes by its name."""
    single = term["is"] in ("Difference", "Lora")
    return term_text(term, names) if single else _WORDS[term["is"]](term, names)


def vector_lines(value: TaskVectorValue, names: TermNames) -> Iterator[str]:
    """What a plan says of a task vector."""
    term: Any = value.node.options["term"]
    yield _WORDS[term["is"]](term, names)
    if find_spec("numpy") is None:
        return
    from steerlang.operations.editing import opened

    for adapter in opened(value.node)[1].values():
        ranks = sorted({pair.rank for pair in adapter.pairs.values()})
        rank = str(ranks[0]) if len(ranks) == 1 else f"{ranks[0]} to {ranks[-1]}"
        yield f"`{adapter.name}`: rank {rank}, {len(adapter.pairs)} modules"


def coefficients_lines(value: CoefficientsSetValue, names: TermNames) -> Iterator[str]:
    """What a plan says of coefficients: of what, from what, and how they are found; of those in a file, of what."""
    if value.node is None:
        return
    options: Any = value.node.options
    inputs = value.node.inputs
    on = names.node(inputs[options["on"]].key)
    yield f"{value.node.operation} for {_few(value.names)} on {on}, objective {_method(options['objective'])}"
    if (count := _count_blocks(value.node)) is not None:
        yield f"{count:,} {'block' if count == 1 else 'blocks'}, {count * len(value.names):,} coefficients"
    data = _few([names.node(inputs[given["rows"]].key) for given in options["data"]])
    yield ", ".join([f"data {data}", *(f"{n} {_short(options[n])}" for n in _SAID if options.get(n) is not None)])


_SAID = ("epochs", "steps", "lr", "batch_size", "grid")


def _short(value: Any) -> str:
    return f"of {len(value)} scales" if isinstance(value, list) else f"{value:g}"


def _count_blocks(node: Node) -> int | None:
    if find_spec("numpy") is None:
        return None
    from steerlang.operations.pooling import count_blocks

    return count_blocks(node)


def _method(choice: Any) -> str:
    said = {n: v for n, v in choice["options"].items() if isinstance(v, (int, float, str))}
    name = str(choice["name"])
    return f"{name}({', '.join(f'{n} = {v}' for n, v in said.items())})" if said else name


def _few(names: Any) -> str:
    every = list(names)
    return ", ".join(every[:_SHOWN]) + (f" and {len(every) - _SHOWN} more" if len(every) > _SHOWN else "")


# ---- terms ---------------------------------------------------------------------------------------------------------


def _difference(term: Any, names: TermNames) -> str:
    return f"{names.node(term['tuned'])} - {names.node(term['base'])}"


def _lora(term: Any, names: TermNames) -> str:
    return f"lora({names.node(term['adapter'])})"


def _factors(term: Any, names: TermNames) -> str:
    return _added([f"{p['b']:g} × lora({names.node(p['adapter'])}, as = factors)" for p in term["parts"]])


def _scaled(term: Any, names: TermNames) -> str:
    return f"{_by(term['by'], names)} × {_inner(term['vector'], names)}"


def _sum(term: Any, names: TermNames) -> str:
    return _added([term_text(v, names) for v in term["vectors"]])


def _top(term: Any, names: TermNames) -> str:
    return f"top({term_text(term['vector'], names)}, keep = {term['keep']:g}, scope = {term['scope']})"


def _low_rank(term: Any, names: TermNames) -> str:
    return f"low_rank({term_text(term['vector'], names)}, rank = {term['rank']})"


def _composed(term: Any, names: TermNames) -> str:
    pairs = zip(term["coefficients"], term["vectors"], strict=True)
    total = _added([f"{_by(by, names)} × {_inner(vector, names)}" for by, vector in pairs])
    options = [f"{n} = {_option(v)}" for n, v in term["options"].items() if n != "is" and v is not None]
    return f"{', '.join([term['method'], *options])}: {total}"


def _option(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _inner(term: Any, names: TermNames) -> str:
    text = term_text(term, names)
    return f"({text})" if " " in text and _key(term) not in names.terms else text


def _added(parts: list[str]) -> str:
    return " + ".join(parts[:_SHOWN]) + (f" + {len(parts) - _SHOWN} more" if len(parts) > _SHOWN else "")


_WORDS: Mapping[str, Callable[[Any, TermNames], str]] = {
    "Difference": _difference, "Lora": _lora, "FactorSum": _factors, "Scaled": _scaled, "Sum": _sum, "Top": _top,
    "LowRank": _low_rank, "Composed": _composed,
}  # fmt: skip
_COEFFICIENTS: Mapping[str, str] = {
    "Rules": "blockwise(…)", "Depth": "over_depth(…)", "ByBlock": "coefficients by block",
}  # fmt: skip


def _by(by: Any, names: TermNames) -> str:
    if not isinstance(by, Mapping):
        return f"{by:g}"
    return names.nodes.get(by["of"], "learned") if by["is"] == "Learned" else _COEFFICIENTS[by["is"]]


def _key(term: Json) -> str:
    return json.dumps(term, sort_keys=True)
