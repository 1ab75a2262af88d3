"""Why a node would run, in a fixed vocabulary, from what the last run of the program was made of."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import Enum

from .naming import Names
from .node import Json, Node, canonical


class Cause(Enum):
    """The kinds of reasons, each with the words it begins with."""

    CACHED = "cached"
    NEW = "new"
    RECIPE = "recipe changed"
    INPUT = "input changed"
    VERSION = "operation version"
    FORCED = "forced"
    MISSING = "missing artifact"


@dataclass(frozen=True)
class Reason:
    """Why a node runs, or why it need not: `cached`, `recipe changed: layers 8..16 → 8..20`, …"""

    cause: Cause
    detail: str = ""

    def __str__(self) -> str:
        if not self.detail:
            return self.cause.value
        return f"{self.cause.value}{' ' if self.cause is Cause.VERSION else ': '}{self.detail}"


@dataclass(frozen=True)
class Past:
    """What a label stood for in the last run of the program. `inputs` are keys, `source` a file it read."""

    key: str
    operation: str
    version: int
    options: Mapping[str, Json]
    inputs: tuple[str, ...]
    source: str | None = None


def past_of(node: Node, source: str | None = None) -> Past:
    """What is kept of a node for the next run's reasons."""
    options = {str(k): plain(v) for k, v in node.options.items()}
    return Past(node.key, node.operation, node.version, options, tuple(i.key for i in node.inputs), source)


def plain(value: object) -> Json:
    """`value` of lists and dictionaries only, keys in order, as JSON would give it back."""
    if isinstance(value, Mapping):
        return {str(k): plain(v) for k, v in sorted(value.items())}
    if isinstance(value, (list, tuple)):
        return [plain(v) for v in value]
    if value is None or isinstance(value, (bool, int, float, str)):
        return value
    raise TypeError(f"{type(value).__name__} cannot stand in a node's options")


class Reasoner:
    """Gives the reasons of nodes that would run. One per plan: what was found out about inputs is kept.

    names    label of every node of the graph; changes in nodes that the program itself has no name for are looked for
             further down
    sources  what a node reads from outside, by key: `data/manners.jsonl`
    """

    def __init__(self, names: Names, sources: Mapping[str, str], history: Mapping[str, Past]) -> None:
        self._names, self._sources, self._history = names, sources, history
        self._ran_before = frozenset(past.key for past in history.values())
        self._known: dict[str, Reason] = {}

    def reason(self, node: Node) -> Reason:
        """Why `node`, which the store lacks, would run."""
        if node.key in self._ran_before:
            return Reason(Cause.MISSING)
        return self._change(node)

    def _change(self, node: Node) -> Reason:
        """What differs between a node and what its label stood for. Iterative: chains of unnamed nodes can be long."""
        stack = [node]
        while stack:
            current = stack[-1]
            if current.key in self._known:
                stack.pop()
                continue
            reason = self._own_change(current)
            if reason is None:
                inner = [i for i in self._changed_inputs(current) if self._looked_into(i) and i.key not in self._known]
                if inner:
                    stack.extend(inner)
                    continue
                reason = self._input_change(current)
            self._known[current.key] = reason
            stack.pop()
        return self._known[node.key]

    def _own_change(self, node: Node) -> Reason | None:
        """The reason that lies in the node itself; None when only its inputs can have changed."""
        past = self._past(node)
        if past is None:
            return Reason(Cause.NEW)
        if past.operation != node.operation:
            return Reason(Cause.RECIPE, f"operation {past.operation} → {node.operation}")
        if past.version != node.version:
            return Reason(Cause.VERSION, f"{past.version} → {node.version}")
        differing = list(differences(past.options, node.options))
        source = self._sources.get(node.key)
        if source is not None and differing and all(d.is_digest for d in differing):
            return Reason(Cause.INPUT, source)
        shown = [str(d) for d in differing]
        if len(past.inputs) != len(node.inputs):
            shown.append(f"inputs {len(past.inputs)} → {len(node.inputs)}")
        return Reason(Cause.RECIPE, ", ".join(shown)) if shown else None

    def _input_change(self, node: Node) -> Reason:
        """The reason when a node itself is as it was: the names of changed inputs, or what changed in nameless ones."""
        words: dict[str, None] = {}
        deeper: Reason | None = None
        for i in self._changed_inputs(node):
            if not self._looked_into(i):
                words[self._words(i)] = None
                continue
            reason = self._known[i.key]
            if not self._nameless(i):
                words[self._described(i, reason)] = None
                continue
            if reason.cause is Cause.INPUT:
                words.update(dict.fromkeys(reason.detail.split(", ")))
            else:
                deeper = deeper or reason
        if deeper is not None and (deeper.cause is not Cause.NEW or not words):
            return deeper
        # Nothing differs that can be named: the form of keys itself has changed.
        return Reason(Cause.INPUT, ", ".join(words)) if words else Reason(Cause.NEW)

    def _changed_inputs(self, node: Node) -> list[Node]:
        past = self._past(node)
        before = past.inputs if past is not None else ()
        return [i for n, i in enumerate(node.inputs) if n >= len(before) or before[n] != i.key]

    def _words(self, node: Node) -> str:
        """How a changed input is called: by the file it reads if that is what changed, else by its name."""
        source = self._sources.get(node.key)
        if source is None:
            return self._names.by_key[node.key]
        own = self._own_change(node)
        return source if own is None or own.cause in {Cause.INPUT, Cause.NEW} else self._names.by_key[node.key]

    def _described(self, node: Node, reason: Reason) -> str:
        """A named model and what changed in it: `kind (actions.scales [0.1] → [0.2])`. Models never run by
        themselves, so no other line of a plan says it."""
        name = self._names.by_key[node.key]
        return f"{name} ({reason.detail})" if reason.cause is Cause.RECIPE and reason.detail else name

    def _looked_into(self, node: Node) -> bool:
        """Whether changes are looked for inside a node: it has no name, or it is a mere description."""
        return self._nameless(node) or (node.virtual and node.key not in self._sources)

    def _nameless(self, node: Node) -> bool:
        return not self._names.is_named(node.key) and node.key not in self._sources

    def _past(self, node: Node) -> Past | None:
        return self._history.get(self._names.by_key[node.key])


_ABSENT = object()
_DIGEST = re.compile(r"(sha256:)?[0-9a-f]{32,}")


@dataclass(frozen=True)
class Difference:
    """One option that differs: its dotted name, both values as shown, and whether they are digests of something."""

    name: str
    before: str
    after: str
    is_digest: bool

    def __str__(self) -> str:
        return f"{self.name} {self.before} → {self.after}"


def differences(before: object, after: object, name: str = "") -> Iterator[Difference]:
    """The options that differ between two sets of options, the innermost that can be named, in order."""
    if isinstance(before, Mapping) and isinstance(after, Mapping):
        for key in sorted({*before, *after}):
            inner = f"{name}.{key}" if name else str(key)
            yield from differences(before.get(key, _ABSENT), after.get(key, _ABSENT), inner)
        return
    if _are_records(before) and _are_records(after) and len(before) == len(after):  # type: ignore[arg-type]
        for n, (old, new) in enumerate(zip(before, after, strict=True)):  # type: ignore[call-overload]
            yield from differences(old, new, f"{name}[{n}]" if len(before) > 1 else name)  # type: ignore[arg-type]
        return
    if before is not _ABSENT and after is not _ABSENT and canonical(before) == canonical(after):
        return
    yield Difference(name, show(before), show(after), _is_digest(before) and _is_digest(after))


def show(value: object) -> str:
    """A value as short as it can be recognised: `8..16`, `polite`, `[1, 2, …, 9]`."""
    if value is _ABSENT:
        return "unset"
    if value is None or isinstance(value, bool):
        return {None: "none", True: "true", False: "false"}[value]
    if isinstance(value, str):
        return _cut(value, 12) if _DIGEST.fullmatch(value) else _cut(value, 40) or '""'
    if isinstance(value, Mapping):
        return _cut("{" + ", ".join(f"{k} = {show(v)}" for k, v in sorted(value.items())) + "}", 60)
    if isinstance(value, (list, tuple)):
        return _show_list(value)
    return str(value)


def _show_list(values: list[object] | tuple[object, ...]) -> str:
    numbers = [v for v in values if isinstance(v, int) and not isinstance(v, bool)]
    if len(numbers) == len(values) > 1 and numbers == list(range(numbers[0], numbers[0] + len(numbers))):
        return f"{numbers[0]}..{numbers[-1]}"
    if len(values) > 6:
        return f"[{', '.join(show(v) for v in values[:3])}, …, {show(values[-1])}]"
    return f"[{', '.join(show(v) for v in values)}]"


def _cut(text: str, width: int) -> str:
    text = text.replace("\n", "⏎")
    return text if len(text) <= width else text[: width - 1] + "…"


def _are_records(value: object) -> bool:
    return isinstance(value, (list, tuple)) and bool(value) and all(isinstance(v, Mapping) for v in value)


def _is_digest(value: object) -> bool:
    if isinstance(value, (list, tuple)):
        return bool(value) and all(_is_digest(v) for v in value)
    return isinstance(value, str) and _DIGEST.fullmatch(value) is not None
