import math

import pytest

from optical_cli.artifacts.scores import Scores
from optical_cli.report import Result


@pytest.fixture
def make_result():
    """A cell; `value` is its nDCG@10, its recall is twice that."""

    def make(
        pair="yo-yo", reg=None, value=None, *, objective=None, seed=13, corpus="full", failure=None, unconverged=0
    ):
        means = None if value is None else {"ndcg@10": value, "recall@100": min(2 * value, 1.0)}
        return Result(
            pair=pair,
            objective=objective or "transport",
            reg=reg,
            seed=seed,
            corpus=corpus,
            scores=means and Scores({name: {"q": mean} for name, mean in means.items()}, means, 119, 2, 1),
            failure=failure,
            health=None
            if reg is None or failure
            else {"plans": 1000, "unconverged": unconverged, "converged": 1 - unconverged / 1000, "grad_norm_max": 2.5},
            seconds=None if failure else 1.5,
        )

    return make


@pytest.fixture
def sweep(make_result):
    """Two pairs, three seeds, a failed reg in one pair, a failed seed in the other."""
    results = []
    for p, pair in enumerate(["sw-sw", "en-sw"]):
        for seed in (1, 2, 3):
            results.append(make_result(pair, value=0.1 + 0.1 * p, objective="none", seed=seed))
            for r, reg in enumerate([math.inf, 0.1, 0.02, 0.0]):
                failed = (pair, reg) == ("en-sw", 0.02) or (pair, reg, seed) == ("sw-sw", 0.1, 2)
                value = None if failed else 0.2 + 0.1 * r + 0.01 * seed
                failure = "3 % of the plans | missed <1e-4>" if failed else None
                results.append(make_result(pair, reg, value, seed=seed, failure=failure))
    return results
