"""How directions are made of states: the methods of `extract`, and what each needs."""

from __future__ import annotations

from steerlang.language.parameter_types import Choice, Number, Text
from steerlang.language.signature import Method, Parameter

_CENTER = {
    "none": "first right singular vector of the differences, pointing as their mean does",
    "mean": "PCA of the differences, centred: the mean difference is removed (repeng's `pca_diff`)",
    "pairwise": "PCA of plus and minus half of each difference (repeng's `pca_center`, CAST's `pca_pairwise`)",
}
_VARIANT = {
    "code": "as the published code: the mean difference plus `rank` centred components, over all layers at once",
    "paper": "as the paper: the first uncentred principal direction over all layers at once",
}
_PAIRING = {
    "random": "all states of both sides are shuffled and cut into pairs",
    "demonstrations": "the pairs of the data",
}

FROM_STATES = (
    Method(
        "mean_difference",
        "the mean of the target states minus the mean of the source states",
        source="Rimsky et al., 2023 (CAA); DiffMean",
        formula="v = mean h(y) - mean h(x)",
    ),
    Method(
        "pca",
        "first principal direction of the differences",
        (Parameter("center", Choice(_CENTER), "what is subtracted before", "none"),),
        source="Zou et al., 2023; repeng; Lee et al., 2024 (CAST)",
        formula="first right singular vector of the rows h(y) - h(x)",
    ),
    Method(
        "icv",
        "in-context vector",
        (
            Parameter("variant", Choice(_VARIANT), "the code's formula or the paper's", "code"),
            Parameter("rank", Number(1, integer=True), "how many components are added to the mean (variant `code`)", 1),
        ),
        source="Liu et al., 2023",
        formula="v = mean D + sum over r <= rank of V_r, D the differences over all layers",
    ),
    Method(
        "probe",
        "normal of a logistic regression that tells the target states from the source states, at length 1",
        (
            Parameter("c", Number(0, exclusive=True), "how closely it fits: the inverse of its L2 penalty", 1.0),
        ),
        version=2,  # 2: scale and intercept of the probability are kept
        source="Alain and Bengio, 2016; Li et al., 2023 (ITI)",
        formula="w / sigma, w the weights on standardised states",
    ),
    Method(
        "lda",
        "linear discriminant: the mean difference, less what each side varies in anyway",
        (
            Parameter(
                "shrinkage", Number(0, 1, optional=True), "of the covariance towards a multiple of the identity; "
                "estimated when left out (Ledoit-Wolf)", None,
            ),
        ),
        source="Fisher, 1936; Ledoit and Wolf, 2004",
        formula="v = S_w^-1 (mean h(y) - mean h(x)), S_w the covariance within the sides",
    ),
    Method(
        "lat",
        "linear artificial tomography: principal direction of differences made unit length, of states paired at random",
        (Parameter("pairing", Choice(_PAIRING), "which states are paired", "random"),),
        source="Zou et al., 2023 (representation engineering)",
        formula="first right singular vector of the rows (h - h') / |h - h'|",
    ),
)  # fmt: skip

#: How many pairs (or states a side) each method needs at least.
LEAST = {"mean_difference": 1, "pca": 2, "icv": 3, "probe": 2, "lda": 2, "lat": 2}
#: Methods that look at differences of pairs; the others compare two sides as they are.
_PAIRED = frozenset({"pca", "icv"})
_EXAMPLES = (
    Parameter("shots", Number(1, integer=True), "how many solved examples stand before the query", 5),
    Parameter("form", Text(), "an example, with `{source}` and then `{target}` in it", "{source} -> {target}"),
    Parameter("separator", Text(), "what stands between examples", "\n"),
)

FROM_EXAMPLES = (
    Method(
        "function_vector",
        "the sum of what the attention heads that matter most for a task add to the residual stream",
        (
            Parameter("heads", Number(1, integer=True), "how many heads are summed", 10),
            *_EXAMPLES,
            Parameter("prompts", Number(1, integer=True), "over how many prompts heads are averaged and judged", 25),
        ),
        source="Todd et al., 2024",
        formula="v = sum over the top heads of W_O mean a, ranked by average indirect effect",
    ),
    Method(
        "task_vector_icl",
        "the state after solved examples and a dummy query, before its answer",
        (*_EXAMPLES, Parameter("prompts", Number(1, integer=True), "over how many prompts the state is averaged", 1)),
        source="Hendel et al., 2023",
        formula="v_l = h_l(last token of the examples and the dummy query)",
    ),
)

METHODS = (*FROM_STATES, *FROM_EXAMPLES)


def needs_pairs(name: str, options: object) -> bool:
    """Whether a method is defined on pairs alone."""
    by_demonstration = isinstance(options, dict) and options.get("pairing") == "demonstrations"
    return name in _PAIRED or by_demonstration
