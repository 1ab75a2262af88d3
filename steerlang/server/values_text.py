"""What is known of a value before anything runs, in a few words each."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from steerlang.language.layers import spelled
from steerlang.language.values import (
    CheckpointValue,
    DataValue,
    ExportValue,
    ModelValue,
    ReportValue,
    StatesValue,
    TaskVectorValue,
    VectorValue,
)


def facts_of(value: object) -> list[str]:
    """Lines about a value; none where nothing is known of values like it."""
    if isinstance(value, (bool, int, float, str)):
        return [f"value `{str(value).lower() if isinstance(value, bool) else value}`"]
    return [line for line in _LINES.get(type(value), _nothing)(value) if line]


def _nothing(_: Any) -> Iterator[str]:
    return iter(())


def _model(value: ModelValue) -> Iterator[str]:
    facts = value.facts
    size = [f"{value.layers} layers" if value.layers else "", f"width {value.width}" if value.width else ""]
    yield ", ".join(s for s in (*size, f"{facts.parameters:,} parameters", facts.dtype or "") if s)
    yield f"task `{value.task}`"
    yield from (f"`{a.action.operator}` at layers {spelled(a.layers)}" for a in value.actions)


def _data(value: DataValue) -> Iterator[str]:
    yield f"{value.form.phrase}, {value.count:,} rows" if value.count is not None else value.form.phrase
    if value.classes is not None and value.classes.names:
        names = ", ".join(value.classes.names[:8])
        yield f"{len(value.classes.names)} classes: {names}{', …' if len(value.classes.names) > 8 else ''}"


def _states(value: StatesValue) -> Iterator[str]:
    yield f"{_site(value.site)}, layers {spelled(value.layers)} of `{value.model.name}`, tokens `{_word(value.tokens)}`"


def _vector(value: VectorValue) -> Iterator[str]:
    yield f"{_site(value.site)}, layers {spelled(value.layers)} of {value.depth}, width {value.width}"
    yield f"made for `{value.model_name}`" if value.model_name else ""


def _taskvector(value: TaskVectorValue) -> Iterator[str]:
    yield f"taken from `{value.base_name}`" if value.base_name else ""


def _written(value: ExportValue | CheckpointValue | ReportValue) -> Iterator[str]:
    yield f"written to `{value.path}`"


def _site(site: Any) -> str:
    return f"site `{_word(site)}`"


def _word(selector: Any) -> str:
    return str(selector.get("select", selector)) if isinstance(selector, Mapping) else str(selector)


_LINES: Mapping[type, Callable[[Any], Iterator[str]]] = {
    ModelValue: _model, DataValue: _data, StatesValue: _states, VectorValue: _vector, TaskVectorValue: _taskvector,
    ExportValue: _written, CheckpointValue: _written, ReportValue: _written,
}  # fmt: skip
