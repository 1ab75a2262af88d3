"""The README.md of an edited model: what it is, the program and coefficients that made it, and its numbers."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

_ROWS = 200


def model_card(
    receipt: Mapping[str, Any],
    title: str,
    program: str = "",
    coefficients: Mapping[str, Mapping[str, float]] | None = None,
    base: str = "",
    change: str = "",
) -> str:
    """The card as Markdown, with the YAML head that the Hugging Face Hub reads.

    receipt       as `weights.writer.receipt` gives it
    program       the text of the program, shown whole
    coefficients  by task vector, by block
    base          the model it was made of, as the hub's head names it
    change        what was added to it, in one line
    """
    named = [f"base_model: {json.dumps(base)}"] if base else []
    head = ["---", "library_name: transformers", *named, "tags:", "- steerlang", "- task-vectors", "---", ""]
    parts = [
        f"# {title}", "",
        "Weights made by steerlang " + str(receipt["steerlang"]) + ".", "",
        *([f"Added to the base: {change}", ""] if change else []), *_inputs(receipt), *_program(program),
        *_coefficients(coefficients or {}), *_numbers(receipt),
        "`receipt.json` has the digest of every tensor; `steerlang verify` checks this folder against it.", "",
    ]  # fmt: skip
    return "\n".join(head + parts)


def adapter_card(receipt: Mapping[str, Any], title: str, program: str, trained_on: str) -> str:
    """The card of an adapter as Markdown, with the head that names its base."""
    base = [f"base_model: {json.dumps(trained_on)}"] if trained_on else []
    head = ["---", "library_name: peft", *base, "tags:", "- steerlang", "- lora", "---", ""]
    found = receipt["adapter"]
    ranks = sorted(set(found["ranks"].values()))
    rank = str(ranks[0]) if len(ranks) == 1 else f"{ranks[0]} to {ranks[-1]}"
    lines = [
        "## Numbers", "", "| | |", "|---|---:|", f"| modules | {len(found['ranks']):,} |", f"| rank | {rank} |",
        f"| share of the task vector's norm that the cut lost | {found['error']:.3g} |",
        f"| tensors left out, which an adapter cannot hold | {len(found['left_out']):,} |", "",
    ]  # fmt: skip
    parts = [
        f"# {title}", "", f"A LoRA adapter made by steerlang {receipt['steerlang']}.", "",
        *_inputs(receipt), *_program(program), *lines,
        "`receipt.json` has the digest of every tensor; `steerlang verify` checks this folder against it.", "",
    ]  # fmt: skip
    return "\n".join(head + parts)


def steering_card(receipt: Mapping[str, Any], title: str, program: str, base: str) -> str:
    """The card of steering that was written as an adapter."""
    named = [f"base_model: {json.dumps(base)}"] if base else []
    parts = [
        "---", "library_name: peft", *named, "tags:", "- steerlang", "- steering", "---", "", f"# {title}", "",
        f"Steering as a PEFT adapter, made by steerlang {receipt['steerlang']}: it adds constants to the outputs of "
        "modules (`lora_bias`); its matrices are zero.", "",
        *([f"Made for `{base}`.", ""] if base else []), *checked_table(receipt["checked"]), *_program(program),
        "`receipt.json` has the digest of every file; `steerlang verify` checks this folder against it.", "",
    ]  # fmt: skip
    return "\n".join(parts)


def checked_table(checked: Mapping[str, Any]) -> list[str]:
    """What was compared before steering in weights was written."""
    rows = [f"| {name.replace('_', ' ')} | {x:.6g} |" for name, x in checked.items() if isinstance(x, int | float)]
    return ["## What was checked", "", "| | |", "|---|---:|", *rows, ""]


def _inputs(receipt: Mapping[str, Any]) -> list[str]:
    rows = [f"| `{given['name']}` | {_digest(given['digest'])} |" for given in receipt["inputs"].values()]
    counts = ", ".join(f"{count:,} {what.replace('_', ' ')}" for what, count in receipt["counts"].items())
    return ["## Made of", "", "| input | digest |", "|---|---|", *rows, "", f"Tensors: {counts}.", ""]


def _digest(digest: str | None) -> str:
    return f"`{digest}`" if digest else "not given"


def _program(program: str) -> list[str]:
    if not program.strip():
        return []
    fence = "```"
    while fence in program:
        fence += "`"
    return ["## Program", "", f"{fence}steer", program.rstrip("\n"), fence, ""]


def _coefficients(coefficients: Mapping[str, Mapping[str, float]]) -> list[str]:
    if not coefficients:
        return []
    rows = [
        f"| {vector} | {block} | {value:.6g} |" for vector, own in coefficients.items() for block, value in own.items()
    ]
    table = ["## Coefficients", "", "| task vector | block | coefficient |", "|---|---|---:|", *rows[:_ROWS]]
    rest = [f"… and {len(rows) - _ROWS:,} more in `coefficients.json`."] if len(rows) > _ROWS else []
    return [*table, "", *rest, *([""] if rest else [])]


def _numbers(receipt: Mapping[str, Any]) -> list[str]:
    numbers = receipt["numbers"]
    change = numbers["change"]
    lines = ["## Numbers", "", "| | |", "|---|---:|", f"| norm of the change | {change['norm']:.6g} |"]
    if change["survived"] is not None:
        lines.append(f"| share of the change that survives the dtype | {change['survived']:.2%} |")
        lines.append(f"| entries that the dtype leaves unmoved | {change['unmoved']:.2%} |")
    lines += [f"| norm of {vector['name']} | {vector['norm']:.6g} |" for vector in numbers["vectors"]]
    for pair in numbers["pairs"]:
        between = " and ".join(pair["between"])
        lines += [f"| {what} of {between} | {pair[key]:.4f} |" for what, key in
                  (("cosine", "cosine"), ("sign conflicts", "conflict")) if pair[key] is not None]  # fmt: skip
    return [*lines, ""]


def coefficients_file(coefficients: Mapping[str, Mapping[str, float]]) -> bytes:
    """`coefficients.json`: all coefficients by name."""
    return (json.dumps(coefficients, indent=2, ensure_ascii=False) + "\n").encode()
