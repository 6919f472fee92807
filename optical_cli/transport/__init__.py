"""Optimal transport between the tokens of a sentence and the tokens of its translation, in padded batches.

    from optical_cli.transport import TransportProblem, cosine_cost, solve, uniform_marginals

    C = cosine_cost(teacher_tokens, student_tokens)                    # (B, n, m)
    problem = TransportProblem(C.detach(), uniform_marginals(teacher_mask), uniform_marginals(student_mask))
    coupling = solve(problem, reg=0.05)
    loss = coupling.cost(C).mean()                                     # differentiable in C, plan held constant

`solvers` can be imported without torch: the other names are imported when they are first used.
"""

from importlib import import_module
from typing import TYPE_CHECKING

__all__ = [
    "Coupling",
    "TransportProblem",
    "cosine_cost",
    "idf_weights",
    "solve",
    "uniform_marginals",
    "weighted_marginals",
]

if TYPE_CHECKING:
    from optical_cli.transport.coupling import Coupling
    from optical_cli.transport.dispatch import solve
    from optical_cli.transport.problem import (
        TransportProblem,
        cosine_cost,
        idf_weights,
        uniform_marginals,
        weighted_marginals,
    )
else:

    def __getattr__(name: str) -> object:
        if name not in __all__:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        home = {"Coupling": "coupling", "solve": "dispatch"}.get(name, "problem")
        return getattr(import_module(f"{__name__}.{home}"), name)
