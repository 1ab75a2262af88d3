"""SARIF 2.1.0. Logs are held against the schema of the standard, and the properties used here against a stricter one,
written from the text of the standard (sections in the comments), which refuses anything else."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from steerlang.diagnostics.codes import FILE_NOT_FOUND, LARGE_SCALE, NOT_CHECKED, UNEXPECTED
from steerlang.diagnostics.model import Applicability, Diagnostic, Edit, Fix, Label, error
from steerlang.diagnostics.sarif import definition_at, fingerprint, to_sarif
from steerlang.source import Source, Span

# Draft 4, from Microsoft's distribution: sarif/README.md.
OFFICIAL = json.loads((Path(__file__).parent / "sarif" / "sarif-2.1.0-rtm.5.json").read_text(encoding="utf-8"))
TEXT = 'steerlang 1\nmodel base = hf("a")\nvector polite = extract(\n  base,\n  pairs,\n)\n'
SOURCE = Source("specs/ä b.steer", TEXT)


def obj(required: dict[str, Any], optional: dict[str, Any] | None = None) -> dict[str, Any]:
    properties = {**required, **(optional or {})}
    return {"type": "object", "properties": properties, "required": list(required), "additionalProperties": False}


def arr(items: Any, **more: Any) -> dict[str, Any]:
    return {"type": "array", "items": items, **more}


TEXTS = obj({"text": {"type": "string", "minLength": 1}})  # 3.11, 3.12
LEVEL = {"enum": ["none", "note", "warning", "error"]}  # 3.27.10
ONE = {"type": "integer", "minimum": 1}
ZERO = {"type": "integer", "minimum": 0}
REGION = obj({"startLine": ONE, "startColumn": ONE, "endLine": ONE, "endColumn": ONE, "charOffset": ZERO,
              "charLength": ZERO})  # 3.30
ARTIFACT = obj({"uri": {"type": "string", "format": "uri-reference"}}, {"uriBaseId": {"type": "string"}})  # 3.4
PHYSICAL = obj({"artifactLocation": ARTIFACT}, {"region": REGION})  # 3.29
LOCATION = obj({"physicalLocation": PHYSICAL}, {"message": TEXTS, "id": ZERO})  # 3.28
RULE = obj({"id": {"type": "string"}, "name": {"type": "string"}, "shortDescription": TEXTS, "help": TEXTS,
            "defaultConfiguration": obj({"level": LEVEL})})  # 3.49
REPLACEMENT = obj({"deletedRegion": REGION, "insertedContent": obj({"text": {"type": "string"}})})  # 3.57
CHANGE = obj({"artifactLocation": ARTIFACT, "replacements": arr(REPLACEMENT, minItems=1)})  # 3.56
FIX = obj({"description": TEXTS, "artifactChanges": arr(CHANGE, minItems=1)})  # 3.55
RESULT = obj(
    {"ruleId": {"type": "string"}, "ruleIndex": ZERO, "level": LEVEL, "message": TEXTS,
     "partialFingerprints": {"type": "object", "additionalProperties": {"type": "string"}}},
    {"locations": arr(LOCATION), "relatedLocations": arr(LOCATION, uniqueItems=True),
     "fixes": arr(FIX, uniqueItems=True)},
)  # 3.27
DRIVER = obj({"name": {"type": "string"}, "version": {"type": "string"},
              "semanticVersion": {"type": "string", "pattern": r"^\d+\.\d+\.\d+"},
              "rules": arr(RULE, uniqueItems=True)})  # 3.19
RUN = obj(
    {"tool": obj({"driver": DRIVER}), "columnKind": {"enum": ["utf16CodeUnits", "unicodeCodePoints"]},
     "invocations": arr(obj({"executionSuccessful": {"type": "boolean"}, "exitCode": {"type": "integer"}})),
     "results": arr(RESULT)},
    {"originalUriBaseIds": {"type": "object", "additionalProperties": ARTIFACT}, "properties": {"type": "object"}},
)  # 3.14
LOG = obj({"$schema": {"type": "string", "format": "uri"}, "version": {"const": "2.1.0"}, "runs": arr(RUN)})  # 3.13


def valid(document: dict[str, Any]) -> dict[str, Any]:
    jsonschema.Draft4Validator(OFFICIAL, format_checker=jsonschema.Draft4Validator.FORMAT_CHECKER).validate(document)
    jsonschema.Draft202012Validator(LOG).validate(document)
    run = document["runs"][0]
    rules = run["tool"]["driver"]["rules"]
    assert [r["id"] for r in rules] == sorted({r["id"] for r in rules})
    for result in run["results"]:
        assert rules[result["ruleIndex"]]["id"] == result["ruleId"]
    marks = [r["partialFingerprints"]["primaryLocationLineHash"] for r in run["results"]]
    assert len(set(marks)) == len(marks)
    return run


def at(text: str, source: Source = SOURCE) -> Span:
    start = source.text.index(text)
    return Span(source, start, start + len(text))


def some() -> list[Diagnostic]:
    fix = Fix("write it", (Edit(at("pairs"), "people"),), Applicability.SAFE)
    return [
        error(UNEXPECTED, at("pairs"), "message", label="here", help="mend it",
              secondary=(Label(at("base"), "first"),)),
        error(UNEXPECTED, at("base,\n  pairs"), "message", fixes=(fix,)),
        Diagnostic(LARGE_SCALE, "a warning", Label(at("base"))),
        Diagnostic(NOT_CHECKED, "a note", Label(Span(SOURCE, len(TEXT), len(TEXT)))),
        error(FILE_NOT_FOUND, None, "no place", place="--params x.yaml"),
        error(FILE_NOT_FOUND, None, "nothing at all"),
    ]


def test_a_log() -> None:
    run = valid(to_sarif(some(), 1))
    first = run["results"][0]
    assert first["level"] == "error"
    assert first["message"]["text"] == "message\nhelp: mend it"
    place = first["locations"][0]["physicalLocation"]
    assert place["artifactLocation"] == {"uri": "specs/%C3%A4%20b.steer", "uriBaseId": "%SRCROOT%"}
    assert (place["region"]["startLine"], place["region"]["startColumn"], place["region"]["endColumn"]) == (5, 3, 8)
    assert [r["level"] for r in run["results"]] == ["error", "error", "warning", "note", "error", "error"]
    assert "locations" not in run["results"][4]
    assert run["results"][1]["fixes"][0]["artifactChanges"][0]["replacements"][0]["insertedContent"]["text"] == "people"


def test_nothing_found() -> None:
    run = valid(to_sarif([], 0))
    assert run["results"] == []
    assert run["invocations"] == [{"executionSuccessful": True, "exitCode": 0}]


@pytest.mark.parametrize(("code", "successful"), [(0, True), (1, True), (2, False), (3, False), (4, True), (70, False)])
def test_whether_the_tool_itself_went_through(code: int, successful: bool) -> None:
    assert to_sarif([], code)["runs"][0]["invocations"][0]["executionSuccessful"] is successful


def test_fingerprints_survive_moved_lines() -> None:
    moved = Source(SOURCE.name, TEXT.replace("steerlang 1\n", "steerlang 1\n# words\n\nlet a = 1\n"))
    before, after = (error(UNEXPECTED, at("pairs", s), "row 3 is wrong") for s in (SOURCE, moved))
    assert fingerprint(before) == fingerprint(after)
    assert fingerprint(before) == fingerprint(error(UNEXPECTED, at("pairs"), "row 7 is wrong"))


def test_fingerprints_tell_apart() -> None:
    one = error(UNEXPECTED, at("pairs"), "wrong")
    others = [
        error(LARGE_SCALE, at("pairs"), "wrong"), error(UNEXPECTED, at("pairs"), "bad"),
        error(UNEXPECTED, at("hf"), "wrong"),
        error(UNEXPECTED, at("pairs", Source("other.steer", TEXT)), "wrong"),
    ]  # fmt: skip
    assert len({fingerprint(d) for d in (one, *others)}) == 5
    assert definition_at(at("pairs")) == "polite"
    assert definition_at(at("hf")) == "base"
    assert definition_at(at("steerlang 1")) == "steerlang 1"


def test_equal_ones_are_numbered() -> None:
    run = valid(to_sarif([error(UNEXPECTED, at("base"), "m"), error(UNEXPECTED, at("pairs"), "m")], 1))
    assert [r["partialFingerprints"]["primaryLocationLineHash"][-2:] for r in run["results"]] == [":1", ":1"]
    twice = valid(to_sarif([error(UNEXPECTED, at("pairs"), "m"), error(UNEXPECTED, at("extract"), "m")], 1))
    assert [r["partialFingerprints"]["primaryLocationLineHash"][-2:] for r in twice["results"]] == [":1", ":2"]


def test_the_schema_of_the_standard_refuses() -> None:
    document = to_sarif(some(), 1)
    document["runs"][0]["results"][0]["severity"] = "error"
    assert not jsonschema.Draft4Validator(OFFICIAL).is_valid(document)
