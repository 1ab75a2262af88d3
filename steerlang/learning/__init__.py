"""Learning the coefficients of task vectors: exact gradients, streamed, in bounded memory.

    pool   = Pool.of({"digits": Difference("tuned", "base")}, "base", {"base": …, "tuned": …})
    index  = pool.index(Blocks())
    found  = learn(module, pool, index, Data((few,)), Settings(steps=300, lr=0.05, batch_size=32))
    found.values                     # λ [task vectors, blocks], named by found.vectors and found.blocks
    found.by_block(Blocks())         # what `Composed` takes as coefficients

    learn(module, pool, index, data, settings, *, keep=None, initial=None, state=None, progress=None) -> Learned
    search(module, pool, index, data, objective, *, grid, batch_size, progress=None) -> Learned
    block_gradient(module, pool, index, data, objective, *, batch_size, rows=None, seed=0) -> BlockGradient
    keep_by_gradient, keep_by_gradient_blockwise, keep_by_features, keep_random -> Kept, whose `mask` is `keep` of learn
    StateFile(path, identity, every) resumes a run that was killed

The module has the base's weights; it is changed while learning and restored bit by bit afterwards. `Examples` (and
`TokenExamples` for language models) are what a caller implements.
"""

from .data import PLAIN, AnyExamples, Data, Examples, Strength, TokenExamples, View
from .errors import LearningError
from .learner import Progress, learn
from .pool import Pool
from .ranking import (
    BlockGradient,
    Kept,
    block_gradient,
    keep_by_features,
    keep_by_gradient,
    keep_by_gradient_blockwise,
    keep_random,
)
from .results import Learned, Step, Trial
from .searching import GRID, search
from .settings import (
    Entropy,
    LanguageModel,
    Negate,
    Objective,
    Penalty,
    SelfTraining,
    Settings,
    Supervised,
    uses_labels,
    word,
)
from .state import StateFile

__all__ = [
    "GRID",
    "PLAIN",
    "AnyExamples",
    "BlockGradient",
    "Data",
    "Entropy",
    "Examples",
    "Kept",
    "LanguageModel",
    "Learned",
    "LearningError",
    "Negate",
    "Objective",
    "Penalty",
    "Pool",
    "Progress",
    "SelfTraining",
    "Settings",
    "StateFile",
    "Step",
    "Strength",
    "Supervised",
    "TokenExamples",
    "Trial",
    "View",
    "block_gradient",
    "keep_by_features",
    "keep_by_gradient",
    "keep_by_gradient_blockwise",
    "keep_random",
    "learn",
    "search",
    "uses_labels",
    "word",
]  # fmt: skip
