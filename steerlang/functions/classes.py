"""Classes of data: listed by the program, or the labels that a file holds."""

from __future__ import annotations

from typing import Any

from steerlang.data.classes import Unknown, bad_template, class_of, read_by
from steerlang.diagnostics import codes, error
from steerlang.diagnostics.suggest import nearest
from steerlang.graph.facts import DataFacts
from steerlang.graph.node import Json
from steerlang.language.lowering import Lowering
from steerlang.language.parameter_types import Value
from steerlang.language.signature import Call, Parameter
from steerlang.language.types import TEXT, TEXTS, list_of
from steerlang.language.values import POISON, ClassesValue, DataValue

_SHOWN = 10
_LIST = (list_of(TEXT), TEXTS)
CLASSES = Parameter(
    "classes",
    Value(_LIST, "a list of names, or text data with one a row"),
    "names of the classes in order; left out: the labels of the file, sorted",
    None,
)
TEMPLATES = Parameter(
    "templates",
    Value((TEXT, *_LIST), "a text, a list of texts, or text data"),
    "texts that say a class, with `{}` where its name stands",
    None,
)


def classes_of(call: Call, found: DataFacts, low: Lowering) -> Any:
    """The classes of a file's rows, None where nothing names any, POISON where they cannot be used (reported)."""
    names, templates = (texts_of(call, n, codes.BAD_CLASSES, low) for n in ("classes", "templates"))
    if names is POISON or templates is POISON:
        return POISON
    if not _are_good(call, names, low) or not _can_say(call, templates, low):
        return POISON
    if names is None and not found.labels:
        return None
    classes = tuple(names or found.labels)
    by = read_by(tuple(found.labels), classes)
    if isinstance(by, Unknown):
        _report_unknown(call, found, classes, by, low)
        return POISON
    limited = call.values.get("limit") is not None
    counts = dict.fromkeys(classes, 0)
    for label, facts in found.labels.items():
        counts[class_of(label, classes, by)] += facts.count
    return ClassesValue(classes, tuple(templates or ()), None if limited or not found.labels else counts)


def reading_of_labels(call: Call, found: DataFacts, classes: ClassesValue | None) -> dict[str, Json]:
    """How labels become names of classes, for the options of a node; nothing where the file's own are the names."""
    if classes is None or not found.labels or call.values.get("classes") is None:
        return {}
    return {"classes": list(classes.names), "label_by": str(read_by(tuple(found.labels), classes.names))}


def texts_of(call: Call, name: str, code: codes.Code, low: Lowering) -> Any:
    """A list of texts, however it is given, None where it is not; POISON (reported with `code`) where it is not known
    yet."""
    value = call.values.get(name)
    if isinstance(value, str):
        return [value]
    if not isinstance(value, DataValue):
        return value
    if value.node.operation == "data.rows" and value.count == len(value.examples):
        return [str(row["text" if "text" in row else "prompt"]) for row in value.examples]
    message = f"`{name}` must be known before anything runs, and these rows are not"
    help = "write them in place, or one a line in a file of at most 1000: `lines(\"classes.txt\")`"
    low.report(error(code, call.where(name), message, help=help))
    return POISON


def _are_good(call: Call, names: list[str] | None, low: Lowering) -> bool:
    if names is None:
        return True
    if not names:
        low.report(error(codes.BAD_CLASSES, call.where("classes"), "the list of classes is empty", help="name them"))
        return False
    for i, name in enumerate(names):
        if not name.strip() or name in names[:i]:
            wrong = f"class `{name}` is listed twice" if name.strip() else "a class has no name"
            low.report(error(codes.BAD_CLASSES, call.entry("classes", i), wrong, help="give every class its own name"))
            return False
    return True


def _can_say(call: Call, templates: list[str] | None, low: Lowering) -> bool:
    if templates is not None and not templates:
        low.report(
            error(codes.BAD_CLASSES, call.where("templates"), "the list of templates is empty", help="leave it out")
        )
        return False
    for i, template in enumerate(templates or ()):
        wrong = bad_template(template)
        if wrong is not None:
            help = 'write `{}` once in each: `templates = ["a photo of a {}."]`'
            low.report(error(codes.BAD_CLASSES, call.entry("templates", i), wrong, help=help))
            return False
    return True


def _report_unknown(
    call: Call, found: DataFacts, names: tuple[str, ...], unknown: Unknown, low: Lowering
) -> None:
    first = unknown.labels[0]
    close = nearest(first, names)
    lines = [f"line {found.labels[x].line}: `{x}`" for x in unknown.labels[:_SHOWN]]
    more = len(unknown.labels) - len(lines)
    low.report(
        error(
            codes.UNKNOWN_CLASS,
            call.where("classes"),
            f"the label `{first}` of `{found.name}` is none of the {len(names)} classes",
            help=f"did you mean `{close[0]}`?" if close else "add it to `classes`, or leave its rows out with `where`",
            notes=(*lines, *((f"and {more} more labels",) if more else ())),
            place=f"{found.path}:{found.labels[first].line}",
        )
    )
