from dataclasses import replace

import numpy as np
import ot
import pytest
import torch

from bench.problems import make_problem
from bench.transport.accuracy import batches, faults, judge, relative_errors
from optical_cli.transport import TransportProblem, solve, uniform_marginals


@pytest.fixture
def problem():
    """Costs of 3 pairs; the second is padded, the third has one token on a side."""
    C = make_problem(3, 7, 6).cost
    n, m = torch.tensor([7, 5, 1]), torch.tensor([6, 4, 3])
    return TransportProblem(C, *(uniform_marginals(torch.arange(k) < count[:, None]) for k, count in ((7, n), (6, m))))


@pytest.mark.parametrize("reg", [0.0, 0.1, 0.5, float("inf")])
def test_the_reference_equals_pot_without_our_start(problem, reg):
    for k, (n, m) in enumerate([(7, 6), (5, 4), (1, 3)]):
        C, a, b = problem.cost[k, :n, :m].double().numpy(), np.full(n, 1 / n), np.full(m, 1 / m)
        if reg == 0:
            P = ot.emd(a, b, C)
        elif reg == float("inf"):
            P = np.outer(a, b)
        else:
            P = ot.sinkhorn(a, b, C, reg, method="sinkhorn_log", stopThr=1e-12, numItermax=100_000)
        assert judge(problem, reg)[k] == pytest.approx(float((P * C).sum()), rel=1e-7)


def test_errors_are_relative_and_leave_out_problems_with_one_plan(problem):
    coupling = solve(problem, 0.1)
    found = coupling.cost(problem.cost.double()).numpy()
    assert relative_errors(coupling, found / 1.01) == pytest.approx([0.01, 0.01])  # the third problem has one plan
    assert relative_errors(coupling, np.array([found[0], np.nan, found[2]])) == [0.0]


def test_plans_of_zeros_and_nan_are_counted(problem):
    coupling = solve(problem, 0.1)
    assert not any(faults(coupling).values())
    plan = coupling.plan.clone()
    plan[0], plan[1, 0, 0] = 0, torch.nan
    assert faults(replace(coupling, plan=plan)) == {"unconverged": 2, "unconfessed": 0, "not-finite": 1, "all-zero": 1}


def test_the_marginals_of_converged_plans_are_checked(problem):
    coupling = solve(problem, 0.1)
    off = replace(coupling, plan=coupling.plan * 1.01)
    off.__dict__["converged"] = torch.ones(3, dtype=torch.bool)
    assert faults(off)["unconfessed"] == 3


def test_the_problems_have_1_to_512_tokens_and_some_identical_pairs():
    drawn = [next_ for next_, _ in zip(batches(), range(4), strict=False)]
    tokens = torch.cat([(p.a > 0).sum(1) for p, _ in drawn])
    assert tokens.min() == 1
    assert tokens.max() == 512
    assert len({reg for _, reg in drawn}) == 4
    identical = [p.cost[k].min() for p, _ in drawn for k in range(len(p.cost))]
    assert min(identical) == pytest.approx(0, abs=1e-5)
