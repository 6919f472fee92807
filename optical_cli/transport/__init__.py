"""Optimal transport between the tokens of a sentence and the tokens of its translation, in padded batches.

    from optical_cli.transport import TransportProblem, cosine_cost, solve, uniform_marginals

    C = cosine_cost(teacher_tokens, student_tokens)                    # (B, n, m)
    problem = TransportProblem(C.detach(), uniform_marginals(teacher_mask), uniform_marginals(student_mask))
    coupling = solve(problem, reg=0.05)
    loss = coupling.cost(C).mean()                                     # differentiable in C, plan held constant

A coupling says for each plan whether it converged, after how many iterations, and how far its marginals are off.
"""

from optical_cli.transport.cost import cosine_cost
from optical_cli.transport.coupling import Coupling
from optical_cli.transport.marginals import idf_weights, uniform_marginals, weighted_marginals
from optical_cli.transport.problem import TransportProblem
from optical_cli.transport.solve import Solver, solve

__all__ = [
    "Coupling",
    "Solver",
    "TransportProblem",
    "cosine_cost",
    "idf_weights",
    "solve",
    "uniform_marginals",
    "weighted_marginals",
]
