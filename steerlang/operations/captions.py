"""Captions held against references: CIDEr, and BLEU and ROUGE by their own libraries."""

from __future__ import annotations

import importlib
from typing import Any

from steerlang.data.captions import cider
from steerlang.diagnostics import codes
from steerlang.engine.operation import Context, Task
from steerlang.engine.payload import Payload

from .base import Single, fail, inputs
from .metric import DRAWS, Metric, interval_of, mean_of


def _texts(task: Task) -> tuple[list[str], list[list[str]]]:
    """Replies, and the references of each that are not blank."""
    rows = inputs(task)[0].rows
    references = [[text for text in row["references"] if text.strip()] for row in rows]
    return [str(row["completion"]).strip() for row in rows], references


def _cider(task: Task, _: Context) -> Payload:
    options: Any = task.node.options
    return mean_of(cider(*_texts(task), options["variant"])).payload()


def _bleu(task: Task, _: Context) -> Payload:
    """Corpus BLEU / 100. Its interval draws replies and computes the whole anew from their counts."""
    import numpy

    options: Any = task.node.options
    library = _library("sacrebleu.metrics", "sacrebleu").BLEU
    judge = library(max_ngram_order=options["n"], lowercase=options["lowercase"], effective_order=True)
    found = [judge.sentence_score(reply, references) for reply, references in zip(*_texts(task), strict=True)]
    n = options["n"]
    counts = numpy.asarray([[*s.counts, *s.totals, s.sys_len, s.ref_len] for s in found], dtype=numpy.int64)

    def whole(sums: Any) -> float:
        correct, total, (length, wanted) = sums[:n].tolist(), sums[n : 2 * n].tolist(), sums[2 * n :].tolist()
        made = library.compute_bleu(correct, total, length, wanted, smooth_method="exp", max_ngram_order=n)
        return float(made.score) / 100

    source = numpy.random.default_rng(0)
    times = (source.multinomial(len(counts), numpy.full(len(counts), 1 / len(counts))) for _ in range(DRAWS))
    drawn = tuple(whole(own @ counts) for own in times)
    scores = tuple(float(s.score) / 100 for s in found)
    return Metric(whole(counts.sum(0)), interval_of(drawn), len(scores), scores, draws=drawn).payload()


def _rouge(task: Task, _: Context) -> Payload:
    """The mean over replies of the F-measure against the reference it is highest for."""
    options: Any = task.node.options
    variant = options["variant"]
    judge = _library("rouge_score.rouge_scorer", "rouge-score").RougeScorer([variant], use_stemmer=options["stem"])
    scores = [judge.score_multi(texts, reply)[variant].fmeasure for reply, texts in zip(*_texts(task), strict=True)]
    return mean_of(scores).payload()


def _library(module: str, package: str) -> Any:
    try:
        return importlib.import_module(module)
    except ImportError:
        message = f"this metric needs the package {package}, which is not installed"
        raise fail(codes.MISSING_EXTRA, message, "install it with `pip install 'steerlang[captions]'`") from None


OPERATIONS = {
    "metric.cider": Single(_cider),
    "metric.bleu": Single(_bleu),
    "metric.rouge": Single(_rouge),
}
