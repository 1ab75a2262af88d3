"""Nodes of the execution graph: frozen, pure, named by what they compute.

A node's key is a SHA-256 over its operation, the operation's version, its canonical options and the keys of its inputs,
and over nothing else: not names, paths, order of definitions, comments, batch sizes or threads. The digests of source
files stand among the options of the nodes that read them. What is needed to carry a node out but does not change its
result (where a file lies, which nodes may share a pass) stands beside the key.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Union

Json = Union[None, bool, int, float, str, list["Json"], dict[str, "Json"]]

KEY_VERSION = 1


def canonical(value: object) -> object:
    """`value` in the one form that is hashed: mappings sorted, tuples as lists, floats in exact hexadecimal."""
    if isinstance(value, bool) or value is None or isinstance(value, (int, str)):
        return value
    if isinstance(value, float):
        return {"float": value.hex()}
    if isinstance(value, Mapping):
        return {str(k): canonical(v) for k, v in sorted(value.items())}
    if isinstance(value, (list, tuple)):
        return [canonical(v) for v in value]
    raise TypeError(f"{type(value).__name__} cannot stand in a node's options")


def digest(value: object) -> str:
    """SHA-256 (hexadecimal) of a JSON-like value in canonical form."""
    text = json.dumps(canonical(value), separators=(",", ":"), ensure_ascii=True)
    return hashlib.sha256(text.encode("ascii")).hexdigest()


@dataclass(frozen=True, eq=False)
class Node:
    """One step of the graph. Two nodes with one key compute the same result.

    operation, version  which computation, and the edition of its formula
    options             what it is told, JSON-like
    inputs              nodes whose results it reads
    result              kind of its result: `rows`, `states`, `vector`, `samples`, `metric`, `model`, …
    virtual             a description only (a model, an edited model): never carried out or stored by itself
    group               nodes of one operation and group may be carried out in one pass
    locators            where things lie on this machine (file paths); never part of the key
    """

    operation: str
    version: int
    options: Mapping[str, Json]
    inputs: tuple[Node, ...]
    result: str
    virtual: bool = False
    group: str | None = None
    locators: Mapping[str, str] = field(default_factory=dict)
    key: str = field(init=False)

    def __post_init__(self) -> None:
        parts = [KEY_VERSION, self.operation, self.version, self.options, [n.key for n in self.inputs], self.result]
        object.__setattr__(self, "key", digest(parts))

    def __hash__(self) -> int:
        return hash(self.key)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Node) and other.key == self.key

    def __repr__(self) -> str:
        return f"<{self.operation} {self.key[:10]}>"


def walk(roots: Iterator[Node] | list[Node] | tuple[Node, ...]) -> list[Node]:
    """Every node the roots need, inputs before users, each once, in a fixed order. Iterative: depth is not bounded."""
    done: dict[str, Node] = {}
    stack: list[tuple[Node, bool]] = [(n, False) for n in reversed(list(roots))]
    while stack:
        node, ready = stack.pop()
        if node.key in done:
            continue
        if ready:
            done[node.key] = node
            continue
        stack.append((node, True))
        stack.extend((i, False) for i in reversed(node.inputs) if i.key not in done)
    return list(done.values())


def carried_out_inputs(node: Node) -> list[Node]:
    """The nodes whose results must exist before `node` runs: its inputs, looking through virtual ones."""
    found: dict[str, Node] = {}
    stack = list(reversed(node.inputs))
    seen: set[str] = set()
    while stack:
        current = stack.pop()
        if current.key in seen:
            continue
        seen.add(current.key)
        if current.virtual:
            stack.extend(reversed(current.inputs))
        else:
            found[current.key] = current
    return list(found.values())
