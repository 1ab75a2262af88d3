"""The TextMate grammar, derived from the vocabulary: what VS Code, GitHub and other editors colour by.

It knows lines and regular expressions alone, so it colours what `roles` tells from neighbouring tokens by looking a
little ahead on the same line. Only expressions that Oniguruma and Python's `re` read alike are used.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any

from steerlang.language.registry import Registry

from .words import bare_words

SCOPE = "source.steerlang"
_NAME = r"[A-Za-z_][A-Za-z0-9_]*"
_NUMBER = r"(?<![A-Za-z0-9_])[0-9]+(?:_[0-9]+)*"
_END = r"(?![A-Za-z0-9_])"
_UNITS = rf"%|(?:KiB|MiB|GiB|TiB|KB|MB|GB|ms|s|min|h){_END}"
_FRACTION = r"\.[0-9]+(?:_[0-9]+)*"
_EXPONENT = r"[eE][+-]?[0-9]+"

Rule = dict[str, Any]


def grammar(registry: Registry) -> Rule:
    """The whole grammar, as the JSON form of a `tmLanguage` file."""
    return {
        "$schema": "https://raw.githubusercontent.com/martinring/tmlanguage/master/tmlanguage.json",
        "name": "steerlang",
        "scopeName": SCOPE,
        "fileTypes": ["steer"],
        "patterns": [{"include": f"#{name}"} for name in _rules(registry)],
        "repository": _rules(registry),
    }


def to_json(grammar: Rule) -> str:
    return json.dumps(grammar, indent=2, ensure_ascii=False) + "\n"


def _rules(registry: Registry) -> dict[str, Rule]:
    """The rules by name, in the order in which they are tried."""
    functions = _words(registry.functions)
    options = _words(bare_words(registry))
    return {
        "comment": _named("comment.line.number-sign", r"#.*$"),
        "block-text": _between("string.quoted.triple", r'"""', [{"include": "#escape"}]),
        "raw-text": _named("string.regexp", r'r"[^"\r\n]*"'),
        "text": _between("string.quoted.double", '"', [{"include": "#escape"}], r'"|$'),
        "header": _captured(r"\b(steerlang)\s+([0-9]+)\b", "keyword.control", "constant.numeric.edition"),
        "definition": _captured(
            rf"\b({_words(registry.kinds)})\s+({_NAME})\s*(=)(?!=)",
            "storage.type.kind", "variable.other.definition", "keyword.operator.assignment",
        ),
        "unknown-definition": _captured(
            rf"\b({_NAME})\s+((?!(?:and|or|not)\b){_NAME})\s*(=)(?!=)",
            "storage.type.unknown", "variable.other.definition", "keyword.operator.assignment",
        ),
        "quantity": _named("constant.numeric.quantity", rf"{_NUMBER}(?:{_FRACTION})?(?:{_UNITS})"),
        "float": _named("constant.numeric.float", rf"{_NUMBER}(?:{_FRACTION}(?:{_EXPONENT})?|{_EXPONENT}){_END}"),
        "integer": _named("constant.numeric.integer", rf"{_NUMBER}{_END}"),
        "constant": _named("constant.language", r"\b(?:true|false|none)\b(?!\s*=(?!=))"),
        "word-operator": _named("keyword.operator.word", r"\b(?:and|or|not)\b"),
        "member": _captured(rf"(\.)\s*(?!\.)({_NAME})", "punctuation.accessor", "variable.other.member"),
        "function": _named("support.function", rf"\b(?:{functions})\b(?=\s*\()"),
        "method": _named("support.constant.option", rf"\b(?:{options})\b(?=\s*\()"),
        "other-function": _named("entity.name.function", rf"\b{_NAME}(?=\s*\()"),
        "argument": _captured(rf"\b({_NAME})\s*(=)(?!=)", "variable.parameter", "keyword.operator.assignment"),
        "option": _named("support.constant.option", rf"\b(?:{options})\b"),
        "name": _named("variable.other", rf"\b{_NAME}\b"),
        "operator": _named("keyword.operator", r"\.\.<|\.\.|[=!<>]=|[-+*/<>]"),
        "punctuation": _named("punctuation", r"[()\[\]{},=.]"),
        "escape": {
            "patterns": [
                _named("constant.character.escape", r'\\(?:[nt"\\]|u\{[0-9A-Fa-f]{1,6}\})'),
                _named("invalid.illegal.escape", r"\\."),
            ]
        },
    }  # fmt: skip


def _words(words: Iterable[str]) -> str:
    """An alternation in which no word stands before a longer one that it begins."""
    return "|".join(sorted(words, key=lambda w: (-len(w), w)))


def _named(scope: str, match: str) -> Rule:
    return {"name": f"{scope}.steerlang", "match": match}


def _captured(match: str, *scopes: str) -> Rule:
    return {"match": match, "captures": {str(n): {"name": f"{s}.steerlang"} for n, s in enumerate(scopes, 1)}}


def _between(scope: str, begin: str, patterns: list[Rule], end: str = "") -> Rule:
    return {"name": f"{scope}.steerlang", "begin": begin, "end": end or begin, "patterns": patterns}
