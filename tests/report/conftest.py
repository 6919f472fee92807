import math

import numpy as np
import pytest

from optical_cli.artifacts.result import Result
from optical_cli.artifacts.scores import Scores
from optical_cli.config.measures import main_measure
from optical_cli.report.findings import find
from optical_cli.report.study import Study


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


@pytest.fixture
def study_of():
    """A study of results, tested by the first measure."""

    def make(results, measures=("ndcg@10",), name="tiny", transport="sinkhorn", **settings):
        return Study(
            name, transport, list(measures), results, find(results, measures, main_measure(measures)), **settings
        )

    return make


@pytest.fixture
def make_world():
    """Results of many topics with known effects: `effects` by setting (a reg, or the name of a baseline)."""

    def make(effects, pair="yo-yo", *, topics=60, seeds=(1, 2, 3), spread=0.1, corpus="full", start=7, held_out=None):
        rng = np.random.default_rng(start)
        difficulty = rng.uniform(0.2, 0.6, topics)
        results = []
        for setting, effect in effects.items():
            trained = not isinstance(setting, str)
            for seed in seeds if trained else seeds[:1]:
                values = np.clip(difficulty + effect + rng.normal(0, spread, topics), 0, 1)
                by_topic = {f"q{i:03}": float(value) for i, value in enumerate(values)}
                results.append(
                    Result(
                        pair=pair,
                        objective="transport" if trained else setting,
                        reg=setting if trained else None,
                        seed=seed,
                        corpus=corpus,
                        scores=Scores({"ndcg@10": by_topic}, {"ndcg@10": float(values.mean())}, topics, 0, 0),
                        failure=None,
                        health=None,
                        seconds=1.5,
                        held_out=(held_out or {}).get(setting),
                    )
                )
        return results

    return make
