"""What choosing the best of several settings is worth on topics that had no part in the choice."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

FOLDS = 5
REPEATS = 100


@dataclass(frozen=True)
class CrossFit:
    """The outcome of a repeated choice.

    Attributes:
        shares: (settings,), in which share of the choices each was taken.
        score: the mean over topics and repeats of what was chosen without the topic.
        best: which setting is best on all topics.
        flattered: by how much its score on all topics is above `score`.
    """

    shares: NDArray[np.float64]
    score: float
    best: int
    flattered: float


def cross_fit(
    scores: NDArray[np.float64], rng: np.random.Generator, folds: int = FOLDS, repeats: int = REPEATS
) -> CrossFit:
    """Choose the setting with the best mean on all folds of the topics but one, score it on that one; all in turn.

    Args:
        scores: (topics, settings), two topics at least; with fewer topics than folds each topic is a fold.
        rng: deals topics out to folds.
        folds: parts of the topics.
        repeats: how often they are dealt out.
    """
    topics, settings = scores.shape
    folds = min(folds, topics)
    total = scores.sum(axis=0)
    taken, gained = np.zeros(settings), 0.0
    for _ in range(repeats):
        fold_of = rng.permutation(topics) % folds
        tested = np.zeros((folds, settings))
        np.add.at(tested, fold_of, scores)
        chosen = ((total - tested) / (topics - np.bincount(fold_of))[:, None]).argmax(axis=1)  # (folds,)
        np.add.at(taken, chosen, 1)
        gained += float(tested[np.arange(folds), chosen].sum())
    means = total / topics
    best = int(means.argmax())
    score = gained / (repeats * topics)
    return CrossFit(taken / taken.sum(), score, best, float(means[best]) - score)
