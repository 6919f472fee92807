"""What a user could take instead: the same costs, the same plans, the same marginal error.

The marginal error is ours: L1, both sides added, of every plan. The peers test other things, so the tolerance that
makes their worst plan meet TARGET is found first (`calibrated`) and what they reached is reported.
"""

from collections.abc import Callable
from importlib.metadata import version

import numpy as np
import ot
import torch
from ot.batch import solve_batch
from torch import Tensor

from optical_cli.errors import MissingDependency
from optical_cli.transport import TransportProblem

TARGET = 1e-4  # marginal error of the worst plan of a batch
MAX_ITERATIONS = 10_000  # as many as ours may take
GEOMLOSS_ITERATIONS = 1000

Solver = Callable[[TransportProblem, float, float], Tensor]
"""From a problem, a reg and a tolerance to plans (B, n, m)."""

POT = f"POT {version('pot')}"
GEOMLOSS = "geomloss ot.solve_batch"


def pot_batch(problem: TransportProblem, reg: float, tolerance: float) -> Tensor:
    """`ot.batch.solve_batch`: tests the L2 error of the rows of the worst plan, every tenth iteration."""
    found = solve_batch(
        problem.cost, reg, problem.a, problem.b, max_iter=MAX_ITERATIONS, tol=tolerance, method="log_sinkhorn",
        grad="detach",
    )  # fmt: skip
    return torch.as_tensor(found.plan)


def pot_loop(problem: TransportProblem, reg: float, tolerance: float) -> Tensor:
    """`ot.sinkhorn` in the log domain, plan by plan: tests the L2 error of the columns, every tenth iteration."""
    batch = zip(problem.a.numpy(), problem.b.numpy(), problem.cost.numpy(), strict=True)
    settings = {"method": "sinkhorn_log", "numItermax": MAX_ITERATIONS, "stopThr": tolerance, "warn": False}
    return torch.from_numpy(np.stack([ot.sinkhorn(a, b, C, reg, **settings) for a, b, C in batch]))


def pot_emd(problem: TransportProblem) -> Tensor:
    """`ot.emd`, the exact plan, plan by plan in float64: what it computes with in any case."""
    batch = zip(*(x.double().numpy() for x in (problem.a, problem.b, problem.cost)), strict=True)
    return torch.from_numpy(np.stack([ot.emd(a, b, C) for a, b, C in batch]))


def geomloss_batch(problem: TransportProblem, reg: float) -> Tensor:
    """`geomloss.ot.solve_batch`, the one function of geomloss that takes a matrix of costs.

    Its reg is ours, for the product of the marginals as reference changes the optimum by a constant. It does a fixed
    number of iterations (0.3.1 does not read `tol`), over which reg falls to its value; the marginal error falls as
    one over their number. GEOMLOSS_ITERATIONS leave it 38 times TARGET (32 x 32, reg 0.1): a lower bound.

    Raises:
        MissingDependency: geomloss is not installed.
    """
    try:
        from geomloss.ot import solve_batch as solve_with_geomloss
    except ImportError as error:
        raise MissingDependency("geomloss is a peer of these benchmarks: pip install --editable '.[bench]'") from error

    found = solve_with_geomloss(problem.cost, reg=reg, a=problem.a, b=problem.b, max_iter=GEOMLOSS_ITERATIONS)
    return torch.as_tensor(found.plan)


def marginal_errors(problem: TransportProblem, plan: Tensor) -> Tensor:
    """(B,) L1 distance of the marginals, both sides added, in float64: the ruler for both sides."""
    return _distances(problem, plan, 1)


def calibrated(solver: Solver, problem: TransportProblem, reg: float) -> float:
    """The tolerance at which the worst plan of a solver that tests an L2 error meets TARGET in L1.

    The direction of the error settles while it shrinks: the ratio of the two norms is seen in a run that stops near.
    """
    plan = solver(problem, reg, TARGET / 2)
    return TARGET * float(_distances(problem, plan, 2).max() / _distances(problem, plan, 1).max())


def _distances(problem: TransportProblem, plan: Tensor, order: int) -> Tensor:
    sides = ((plan.double().sum(axis), mass.double()) for axis, mass in ((2, problem.a), (1, problem.b)))
    return torch.stack([torch.linalg.vector_norm(sums - mass, order, dim=1) for sums, mass in sides]).sum(0)
