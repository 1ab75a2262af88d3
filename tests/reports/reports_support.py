"""What a run might have found, with every awkward thing in it."""

from __future__ import annotations

import math

from steerlang.reports.background import Background, Carried, Definition, Input, Told
from steerlang.reports.drawing import Drawing, Vertex
from steerlang.reports.findings import (
    Artifact,
    DetailTable,
    Expected,
    Findings,
    MetricRow,
    MetricTable,
    SampleColumn,
    SampleTable,
    Tally,
    VectorTable,
)
from steerlang.reports.inspection import Between, Inspected, Inspection

NASTY = '<script>alert("x")</script> & \x1b[31mred\x1b[0m \u202e 宽 e\u0301'
SWEEP = (0.0, 0.05, 0.1)


MANNERS = VectorTable(
    "manners", (0, 1, 2, 5), (1.0, 2.0, 3.0, 4.0), (10.0, 10.0, 10.0, 0.0),
    {"held_out_auc": (0.9, 0.95, 1.0, 1.0), "split_half_cosine": (0.5, 0.6, 0.7, 0.8)},
    {"model": NASTY, "site": "mlp"},
)  # fmt: skip


def metric(name: str = "polite", models: tuple[str, ...] = ("base", "kind")) -> MetricTable:
    """A metric over a sweep and some models."""
    rows = tuple(
        MetricRow((s, m), 0.1 + s * (i + 1), (0.05 + s, 0.2 + s * (i + 1)), 60)
        for s in SWEEP for i, m in enumerate(models)
    )
    return MetricTable(name, ("s", "model"), rows)


def background() -> Background:
    """How it came about, with every awkward thing in it."""
    vertices = (Vertex("base", "model", NASTY), Vertex("polite", "metric"), Vertex("kinder", "expect"))
    cosines = ((1.0, 0.5, None, 0.1), (0.5, 1.0, -0.25, 0.2), (None, -0.25, 1.0, 0.3), (0.1, 0.2, 0.3, 1.0))
    return Background(
        drawing=Drawing(NASTY, vertices, (("base", "polite"), ("polite", "kinder"))),
        definitions=(Definition("a", "let", 3), Definition("polite", "metric", 4), Definition("common.base", "model")),
        carried=(
            Carried("polite", "metric.word_share", "run", f"recipe changed: {NASTY}", 3, 1.25),
            Carried("base", "capture", "reused", "", 4, 60.0), Carried("gone", "generate", "failed", "new"),
        ),
        told=(
            Told("warning", "SL723", f"a gate of `kind` {NASTY}", "nasty.steer:3", ("look at `it`",), 3),
            Told("error", "SL803", "said above"), Told("error", "SL806", "one ` backtick"),
        ),
        inspection=Inspection(
            (Inspected(MANNERS, cosines),), (Between("polite", NASTY, (0, 1), (0.9, None)), Between("x", "y", (), ())),
        ),
        inputs=(Input("data", NASTY, "ab" * 32),),
        parameters={"strength": NASTY},
        seeds={"generate": "0"},
        lock="no lock file; `steerlang lock` writes one",
        versions={"torch": "2.13.0"},
        pictures={"/pictures/a.png": "data:image/png;base64,AAAA", "/pictures/<b>.png": "data:image/png;base64,BBBB"},
    )  # fmt: skip


def findings() -> Findings:
    columns = tuple(SampleColumn((m,), (f"{m} says {NASTY}", f"same\nline {m}", "same")) for m in ("base", "kind"))
    return Findings(
        program="specs/nasty.steer",
        text=f"steerlang 1\n# {NASTY}\nlet a = 1\nmetric polite = a\n",
        expectations=(
            Expected("kinder", True, "polite[kind] >= polite[base] + 0.2", 0.61666, 0.5, ">="),
            Expected("fluent", False, f"surprise[kind] <= surprise[base] # {NASTY}", 2.0, 1.0, "<="),
            Expected("plain", True, "1 < 2"),
        ),
        metrics=(
            metric(), metric("fluency"),
            MetricTable("total", (), (MetricRow((), 0.5, (0.4, 0.6), 12),)),
            MetricTable("broken", ("model",), (MetricRow(("base",), math.nan), MetricRow(("kind",), math.inf))),
        ),
        samples=(
            SampleTable("replies", ("model",), (NASTY, "second", "third"), columns,
                        images=("/pictures/<b>.png", "/pictures/gone.png", "/pictures/a.png")),
        ),
        vectors=(
            MANNERS, VectorTable("derived", (3,), (1.0,)),
        ),
        details=(
            DetailTable("polite", ("concept", "image", "activation", "words"),
                        ((0, "a.png", 0.5, (NASTY, "x")), (1, "gone.png", 0.25, ())), NASTY),
            DetailTable("words[dict]", ("concept", "words", "scores"),
                        ((0, [NASTY, "second", "third"], [1.0, 0.5, 0.25]), (1, [], [])), f"noted {NASTY}"),
            DetailTable("texts", ("concept", "row", "activation", "text"),
                        tuple((i // 3, i, 0.1 * i, f"{i} says {NASTY} " * 4) for i in range(30))),
            DetailTable("moved", ("concept", "samples", "a_long_name_of_a_column", "another_long_name", "and_a_third"),
                        ((0, 3, 1.23456, None, math.nan), (1, None, 2.0, 0.5, math.inf))),
            DetailTable("nothing", ("concept", "count"), ()),
        ),
        artifacts=(Artifact("out/polite.gguf", 1_500_000), Artifact("out/gone")),
        tally=Tally("done", 3, 2, 0, 0, 83.2),
    )
