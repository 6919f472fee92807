"""Other libraries for transport, called on the same costs and to the same marginal error.

The marginal error is that of `optical_cli.transport`: L1, summed over both sides, for each plan. The peers test other
norms. `calibrated` finds the tolerance at which their worst plan meets TARGET, and results report the error they
reached.
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
MAX_ITERATIONS = 10_000  # the limit of our solver too
GEOMLOSS_ITERATIONS = 1000

Solver = Callable[[TransportProblem, float, float], Tensor]
"""Called with a problem, a reg and a tolerance; returns plans (B, n, m)."""

POT = f"POT {version('pot')}"
GEOMLOSS = "geomloss ot.solve_batch"


def pot_batch(problem: TransportProblem, reg: float, tolerance: float) -> Tensor:
    """Solve by `ot.batch.solve_batch`; it tests the L2 error of rows, of the worst plan, every tenth iteration."""
    limits = {"max_iter": MAX_ITERATIONS, "tol": tolerance}
    found = solve_batch(problem.cost, reg, problem.a, problem.b, **limits, method="log_sinkhorn", grad="detach")
    return torch.as_tensor(found.plan)


def pot_loop(problem: TransportProblem, reg: float, tolerance: float) -> Tensor:
    """Solve by `ot.sinkhorn` in the log domain, plan by plan; it tests the L2 error of columns each tenth iteration."""
    batch = zip(problem.a.numpy(), problem.b.numpy(), problem.cost.numpy(), strict=True)
    settings = {"method": "sinkhorn_log", "numItermax": MAX_ITERATIONS, "stopThr": tolerance, "warn": False}
    return torch.from_numpy(np.stack([ot.sinkhorn(a, b, C, reg, **settings) for a, b, C in batch]))


def pot_emd(problem: TransportProblem) -> Tensor:
    """Solve exactly by `ot.emd`, plan by plan in float64, which it uses internally in any case."""
    batch = zip(*(x.double().numpy() for x in (problem.a, problem.b, problem.cost)), strict=True)
    return torch.from_numpy(np.stack([ot.emd(a, b, C) for a, b, C in batch]))


def geomloss_batch(problem: TransportProblem, reg: float) -> Tensor:
    """Solve by `geomloss.ot.solve_batch`, the only function of geomloss that takes a matrix of costs.

    Its reg has the meaning of ours: it regularizes relative to the product of the marginals, which only changes the
    optimum by a constant. The number of iterations is fixed (0.3.1 ignores `tol`); reg falls to its value over them,
    and the marginal error falls as one over their number. After GEOMLOSS_ITERATIONS the error is 38 times TARGET
    (32 x 32, reg 0.1), so its time is a lower bound.

    Raises:
        MissingDependency: geomloss is not installed.
    """
    try:
        from geomloss.ot import solve_batch as solve_with_geomloss
    except ImportError as error:
        raise MissingDependency("geomloss is not installed: pip install --editable '.[bench]'") from error

    found = solve_with_geomloss(problem.cost, reg=reg, a=problem.a, b=problem.b, max_iter=GEOMLOSS_ITERATIONS)
    return torch.as_tensor(found.plan)


def marginal_errors(problem: TransportProblem, plan: Tensor) -> Tensor:
    """Return (B,) L1 distances of the marginals, summed over both sides, in float64; used for us and for peers."""
    return _distances(problem, plan, 1)


def calibrated(solver: Solver, problem: TransportProblem, reg: float) -> float:
    """Find the tolerance at which the worst plan of a solver that tests an L2 error meets TARGET in L1.

    The direction of the error hardly changes near convergence, so the ratio of both norms is taken from a run that
    stops close to TARGET.
    """
    plan = solver(problem, reg, TARGET / 2)
    return TARGET * float(_distances(problem, plan, 2).max() / _distances(problem, plan, 1).max())


def _distances(problem: TransportProblem, plan: Tensor, order: int) -> Tensor:
    sides = ((plan.double().sum(axis), mass.double()) for axis, mass in ((2, problem.a), (1, problem.b)))
    return torch.stack([torch.linalg.vector_norm(sums - mass, order, dim=1) for sums, mass in sides]).sum(0)
