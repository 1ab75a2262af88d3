"""BLEU and ROUGE are what their libraries compute, with intervals of ours; CIDEr through an operation."""

from __future__ import annotations

from typing import Any

import pytest
import sacrebleu
from rouge_score.rouge_scorer import RougeScorer

from steerlang.data.captions import cider
from steerlang.engine.errors import OperationError
from steerlang.engine.payload import Payload
from steerlang.operations import captions
from steerlang.operations.metric import Metric
from steerlang.operations.metric_tables import paired

from .test_algebra import carry_out

REPLIES = ["A red circle on a blue field", "a green square is here", " two small triangles stand", ""]
REFERENCES = [
    ["a red circle on a blue field", "one red circle"], ["a green square", "the square is green"],
    ["two small triangles", "triangles", " "], ["nothing at all"],
]  # fmt: skip


def samples(replies: list[str] = REPLIES) -> Payload:
    rows = ({"completion": r, "references": t} for r, t in zip(replies, REFERENCES, strict=True))
    return Payload("samples", rows=tuple(rows))


def measured(name: str, replies: list[str] = REPLIES, **options: Any) -> Metric:
    return Metric.of(carry_out(f"metric.{name}", [samples(replies)], **options))


@pytest.mark.parametrize(("n", "lowercase"), [(4, False), (2, True), (1, False)])
def test_bleu_is_that_of_the_corpus(n: int, lowercase: bool) -> None:
    found = measured("bleu", n=n, lowercase=lowercase)
    texts = [[t for t in row if t.strip()] for row in REFERENCES]
    streams = [[row[i] if i < len(row) else None for row in texts] for i in range(2)]
    judge = sacrebleu.metrics.BLEU(max_ngram_order=n, lowercase=lowercase)
    expected = judge.corpus_score([r.strip() for r in REPLIES], streams).score
    assert 100 * found.value == pytest.approx(expected, abs=1e-9)
    assert found.interval[0] <= found.value <= found.interval[1]
    assert len(found.draws) == 1000


def test_differences_of_bleu_draw_the_same_replies() -> None:
    base = measured("bleu", n=2, lowercase=False)
    better = measured("bleu", [texts[0] for texts in REFERENCES], n=2, lowercase=False)
    assert paired(base, base).interval == (0.0, 0.0)
    found = paired(better, base)
    assert found.value == pytest.approx(better.value - base.value)
    assert 0 < found.interval[0] <= found.value <= found.interval[1]


@pytest.mark.parametrize("variant", ["rougeL", "rouge1", "rouge2"])
def test_rouge_is_the_best_reference(variant: str) -> None:
    found = measured("rouge", variant=variant, stem=False)
    judge = RougeScorer([variant])
    expected = [
        max(judge.score(text, reply)[variant].fmeasure for text in texts)
        for reply, texts in zip(REPLIES, REFERENCES, strict=True)
    ]
    assert found.scores == pytest.approx(expected)
    assert found.value == pytest.approx(sum(expected) / 4)


def test_cider_leaves_blank_references_out() -> None:
    texts = [[t for t in row if t.strip()] for row in REFERENCES]
    assert measured("cider", variant="cider_d").scores == pytest.approx(cider(REPLIES, texts))


def test_a_missing_package_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    def absent(name: str) -> None:
        raise ImportError(name)

    monkeypatch.setattr(captions.importlib, "import_module", absent)
    with pytest.raises(OperationError) as caught:
        measured("bleu", n=4, lowercase=False)
    assert caught.value.diagnostic.code.id == "SL512"
    assert "steerlang[captions]" in caught.value.diagnostic.help[0]
