"""Events and where they go."""

from __future__ import annotations

import io
import json
import re
import subprocess
import sys
from pathlib import Path

import jsonschema
import pytest

from steerlang.diagnostics import codes, error
from steerlang.engine import events as ev
from steerlang.engine.progress import ProgressSink
from steerlang.engine.sinks import FanOut, JsonLinesSink, ListSink, NoSink, PlainSink
from steerlang.source import Source, Span

SCHEMA = Path(__file__).parents[2] / "grammar" / "schemas" / "events.v1.json"
PLACE = Span(Source("a.steer", "steerlang 1\nmodel base"), 18, 22)
EVENTS = [
    ev.RunStarted(version="0.1.0", program="a.steer", ts=0.0),
    ev.PlanMade(run=3, cached=2, steps=1, ts=0.5),
    ev.StepStarted(step=1, steps=1, operation="capture", labels=("polite", "formal", "x", "y", "z")),
    ev.Waiting(key="ab", label="polite"),
    ev.StepProgress(step=1, done=3, total=10, unit="rows"),
    ev.NodeDone(key="ab", label="polite", digest="cd", seconds=0.42, bytes=10, cached=False),
    ev.StepDone(step=1, steps=1, operation="capture", labels=("polite",), seconds=185.2),
    ev.NodeFailed(key="ab", label="replies", code="SL801", reason="memory ran out"),
    ev.DiagnosticEvent(diagnostic=error(codes.OUT_OF_MEMORY, PLACE, "memory ran out", help="use less")),
    ev.Expectation(label="kinder", holds=False, found="0.3 >= 0.5"),
    ev.ArtifactWritten(label="file", path="out/x.gguf", bytes=5),
    ev.Summary(outcome="failed", done=1, cached=2, failed=1, skipped=1, seconds=7300.0),
    ev.LibrariesLoaded(seconds=4.25),
    ev.End(exit_code=3, errors=1, warnings=0),
]
MESSAGES = [
    "steerlang 0.1.0 runs a.steer", "3 nodes to run in 1 step, 2 cached",
    "[1/1] capture polite, formal, x and 2 more", "waiting for another run that is making polite",
    "[1] 3 of 10 rows", "polite done in 0.42 s", "[1/1] capture polite done in 3 min 05 s",
    "replies failed: memory ran out (SL801)", "error[SL801]: memory ran out", "kinder does not hold: 0.3 >= 0.5",
    "file written to out/x.gguf", "failed in 2 h 01 min: 1 run, 2 cached, 1 failed, 1 skipped",
    "libraries loaded in 4.2 s", "exit code 3: 1 error, 0 warnings",
]


def test_events_in_words() -> None:
    assert [e.message for e in EVENTS] == MESSAGES


def test_every_kind_of_event_is_tried_here() -> None:
    assert {type(e) for e in EVENTS} == set(ev.Event.__subclasses__())
    assert len({e.type for e in EVENTS}) == len(EVENTS)


def test_json_lines() -> None:
    stream = io.StringIO()
    for e in EVENTS:
        JsonLinesSink(stream).emit(e)
    documents = [json.loads(line) for line in stream.getvalue().splitlines()]
    assert [d["message"] for d in documents] == MESSAGES
    for e, d in zip(EVENTS, documents, strict=True):
        assert list(d)[:3] == ["type", "ts", "message"]
        assert d["type"] == e.type
        assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", d["ts"])
    assert documents[0] == {
        "type": "version", "ts": "1970-01-01T00:00:00.000Z", "message": MESSAGES[0], "version": "0.1.0",
        "program": "a.steer", "format_version": "1.1",
    }
    told = documents[8]["diagnostic"]
    assert {name: told[name] for name in ("code", "slug", "severity", "message", "file", "line", "column")} == {
        "code": "SL801", "slug": "out-of-memory", "severity": "error", "message": "memory ran out", "file": "a.steer",
        "line": 2, "column": 7,
    }
    assert told["help"] == ["use less"]
    assert told["range"]["end"] == {"line": 2, "column": 11, "offset": 22}


def test_every_event_is_of_the_published_schema() -> None:
    schema = json.loads(SCHEMA.read_text(encoding="utf-8"))
    checker = jsonschema.Draft202012Validator(schema)
    types = {name.removeprefix("event.") for name in schema["$defs"] if name.startswith("event.")}
    assert types == {e.type for e in EVENTS}
    for e in EVENTS:
        document = json.loads(json.dumps(e.document()))
        checker.validate(document)
        named = {*schema["$defs"]["line"]["properties"], *schema["$defs"][f"event.{e.type}"]["properties"]}
        assert set(document) <= named
        for key in document:
            assert not checker.is_valid({k: v for k, v in document.items() if k != key}), (e.type, key)


def test_plain_lines_leave_progress_and_single_nodes_out() -> None:
    stream = io.StringIO()
    for e in EVENTS:
        PlainSink(stream).emit(e)
    assert stream.getvalue().splitlines() == [MESSAGES[i] for i in (1, 2, 3, 6, 7, 10, 11, 12)]
    stream = io.StringIO()
    PlainSink(stream, diagnostics=True).emit(EVENTS[8])
    assert stream.getvalue() == MESSAGES[8] + "\n"


def test_fan_out() -> None:
    one, two = ListSink(), ListSink()
    FanOut([one, NoSink(), two]).emit(EVENTS[0])
    assert one.events == two.events == [EVENTS[0]]


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_progress_bars_show_and_leave_lines(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("COLUMNS", "120")
    stream = Terminal()
    labelled = ev.StepStarted(step=2, steps=2, operation="generate", labels=("out[s = 0.1]",))
    with ProgressSink(stream) as sink:
        for e in [*EVENTS[:5], *EVENTS[6:11], labelled, EVENTS[4], EVENTS[11]]:
            sink.emit(e)
    text = stream.getvalue()
    assert "3/10" in text
    assert "out[s = 0.1]" in text
    assert MESSAGES[6] in text
    assert text.endswith(MESSAGES[11] + "\n")
    assert text.count("\x1b[?25l") == text.count("\x1b[?25h") > 0, "the cursor must come back"


def test_progress_gives_the_terminal_back_after_an_exception() -> None:
    stream = Terminal()

    def fail() -> None:
        with ProgressSink(stream) as sink:
            sink.emit(EVENTS[2])
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fail()
    assert stream.getvalue().count("\x1b[?25l") == stream.getvalue().count("\x1b[?25h")


def test_rich_is_loaded_only_for_bars() -> None:
    code = "import sys, steerlang.engine.progress, steerlang.engine.sinks; print('rich' in sys.modules)"
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout.strip() == "False"


@pytest.mark.parametrize(("seconds", "text"), [
    (0, "0.00 s"), (0.994, "0.99 s"), (0.996, "1.0 s"), (9.94, "9.9 s"), (9.96, "10 s"), (59.4, "59 s"),
    (59.6, "1 min 00 s"), (3599.6, "1 h 00 min"), (86400, "24 h 00 min"),
])
def test_durations(seconds: float, text: str) -> None:
    assert ev.duration(seconds) == text
