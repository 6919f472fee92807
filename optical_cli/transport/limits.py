"""The two ends of the regularization, which need no iteration: the exact plan and the product of the marginals."""

import numpy as np
import torch

from optical_cli.errors import NotConverged
from optical_cli.transport.problem import Solution, TransportProblem

MAX_PIVOTS = 1_000_000  # of the network simplex; 512 x 512 tokens take some 20,000


def exact(problem: TransportProblem) -> Solution:
    """The plan of least cost (reg 0), by the network simplex of POT, one plan after the other in float64.

    Raises:
        NotConverged: the simplex gave up on a plan.
    """
    import ot  # 0.5 s that only this solver needs

    C, a, b = (x.detach().double().cpu().numpy() for x in (problem.cost, problem.a, problem.b))
    plans, f, g = np.zeros_like(C), np.zeros_like(a), np.zeros_like(b)
    for k in range(len(C)):
        rows, columns = a[k].nonzero()[0], b[k].nonzero()[0]
        a_k, b_k = a[k, rows], b[k, columns]
        P, log = ot.emd(a_k / a_k.sum(), b_k / b_k.sum(), C[k][np.ix_(rows, columns)], MAX_PIVOTS, log=True)
        if log["warning"] is not None:
            raise NotConverged(f"exact transport of plan {k} of the batch ({P.shape}): {log['warning']}")
        plans[k][np.ix_(rows, columns)] = P
        f[k, rows], g[k, columns] = log["u"], log["v"]
    return _without_iterations(*(torch.from_numpy(x).to(problem.cost) for x in (plans, f, g)))


def product(problem: TransportProblem) -> Solution:
    """The product of the marginals (reg inf), with the potentials that entropic ones go to as reg grows."""
    C, a, b = problem.cost.detach(), problem.a, problem.b
    f, g = (C @ b[:, :, None])[:, :, 0], (a[:, None, :] @ C)[:, 0]  # mean cost of a row, of a column
    half = (f * a).sum(dim=1, keepdim=True) / 2
    return _without_iterations(a[:, :, None] * b[:, None, :], (f - half) * (a > 0), (g - half) * (b > 0))


def _without_iterations(plan: torch.Tensor, f: torch.Tensor, g: torch.Tensor) -> Solution:
    return Solution(plan, f, g, torch.zeros(len(plan), dtype=torch.int64, device=plan.device))
