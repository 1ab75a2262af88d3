"""The kinds of definitions."""

from __future__ import annotations

from .registry import Kind
from .types import (
    ACTIVATIONS,
    BLOCKS,
    BOOL,
    COEFFICIENTS,
    CONCEPTS,
    CONDITION,
    DATA,
    DURATION,
    EXPORT,
    GATE,
    LAYERS,
    METRIC,
    MODEL,
    MODULE,
    NEVER,
    NUMBER,
    PATTERN,
    POINT,
    RANGE,
    RATIO,
    REPORT,
    SAMPLES,
    SHIFT,
    SIZE,
    STEERING,
    SWEEP,
    TASKVECTOR,
    TEXT,
    VECTOR,
    list_of,
)

PARAMETER_TYPES = (NUMBER, TEXT, BOOL)
LET_TYPES = (
    NUMBER,
    TEXT,
    BOOL,
    RANGE,
    RATIO,
    SIZE,
    DURATION,
    POINT,
    LAYERS,
    BLOCKS,
    PATTERN,
    METRIC,
    GATE,
    list_of(NUMBER),
    list_of(TEXT),
    list_of(RANGE),
    list_of(NEVER),
)

KINDS = (
    Kind(
        "import", "another file's definitions, used as `name.definition`", (MODULE,), 'import common = "common.steer"'
    ),
    Kind(
        "param",
        "a value set from the command line, typed and bounded",
        PARAMETER_TYPES,
        'param strength = number(default = 0.1, min = 0, max = 1, help = "how far to turn")',
    ),
    Kind(
        "sweep", "takes each value in turn; what depends on it gains the axis", (SWEEP,), "sweep s = [0.0, 0.05, 0.1]"
    ),
    Kind(
        "let",
        "a number, text, list, range, pattern, gate, blocks or chosen point",
        LET_TYPES,
        "let middle = 25%..75%",
    ),
    Kind("model", "a model, an edited one or a steered one", (MODEL,), 'model base = hf("models/courtesy")'),
    Kind(
        "data",
        "rows of texts, pairs, labels or images",
        DATA,
        'data manners = jsonl("data/manners.jsonl", source = "rude", target = "polite")',
    ),
    Kind(
        "activations",
        "states read from a model",
        (ACTIVATIONS,),
        "activations before = capture(base, photos, layers = 3)",
    ),
    Kind(
        "vector",
        "directions by layer; a list of them, or one for each concept",
        (VECTOR, SHIFT, list_of(VECTOR)),
        "vector polite = extract(base, manners)",
    ),
    Kind(
        "concepts",
        "a dictionary of directions with activations",
        (CONCEPTS,),
        "concepts dict = decompose(before, method = kmeans, k = 8)",
    ),
    Kind("taskvector", "a difference of weights", (TASKVECTOR,), "taskvector to_digits = digits - base"),
    Kind(
        "coefficients",
        "numbers named by task vector and block",
        (COEFFICIENTS,),
        'coefficients c = blockwise(set(glob("**.mlp.**"), 0.5), rest = 0.1)',
    ),
    Kind(
        "steering",
        "a list of actions, usable on several models",
        (STEERING,),
        "steering gentle = [add(polite, scale = 0.1)]",
    ),
    Kind("samples", "generated text with its prompts", (SAMPLES,), "samples replies = generate(base, requests)"),
    Kind(
        "metric",
        "a number or table, with the axes of what it was computed from",
        (METRIC,),
        "metric politeness = word_share(replies, words = polite_words)",
    ),
    Kind(
        "expect",
        "a condition that must hold: a gate in CI",
        (CONDITION, BOOL),
        "expect kinder = politeness[kind] >= politeness[base] + 0.2",
        runs=True,
        importable=False,
    ),
    Kind(
        "export",
        "a file for another tool",
        (EXPORT,),
        'export file = vector_file(polite, to = "out/polite.safetensors")',
        runs=True,
        importable=False,
    ),
    Kind(
        "report",
        "a page of tables and plots",
        (REPORT,),
        'report page = html(to = "out/report.html")',
        runs=True,
        importable=False,
    ),
)
