"""The two ends of the regularization, which need no iteration: the exact plan and the product of the marginals."""

import numpy as np
import torch
from torch import Tensor

from optical_cli.errors import NotConverged
from optical_cli.transport.problem import TransportProblem

MAX_PIVOTS = 1_000_000  # of the network simplex; 512 x 512 tokens take some 20,000


def exact(problem: TransportProblem) -> Tensor:
    """The plan of least cost (reg 0), by the network simplex of POT, one plan after the other in float64.

    Returns:
        (B, n, m) in dtype and device of the cost.

    Raises:
        NotConverged: the simplex gave up on a plan.
    """
    import ot  # 0.5 s that only this solver needs

    C, a, b = (x.detach().double().cpu().numpy() for x in (problem.cost, problem.a, problem.b))
    plans = np.zeros_like(C)
    for k in range(len(C)):
        rows, columns = a[k].nonzero()[0], b[k].nonzero()[0]
        a_k, b_k = a[k, rows], b[k, columns]
        P, log = ot.emd(a_k / a_k.sum(), b_k / b_k.sum(), C[k][np.ix_(rows, columns)], MAX_PIVOTS, log=True)
        if log["warning"] is not None:
            raise NotConverged(f"exact transport of plan {k} of the batch ({P.shape}): {log['warning']}")
        plans[k][np.ix_(rows, columns)] = P
    return torch.from_numpy(plans).to(problem.cost)


def product(problem: TransportProblem) -> Tensor:
    """The product of the marginals (reg inf): (B, n, m) in dtype and device of the cost."""
    return problem.a[:, :, None] * problem.b[:, None, :]
