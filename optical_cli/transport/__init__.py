"""Optimal transport between the tokens of sentences and the tokens of their translations, in padded batches.

Two sentence pairs, with teacher tokens t and student tokens s of unit length:

    t = torch.nn.functional.normalize(torch.randn(2, 7, 128), dim=-1)                        # (B, n, d)
    s = torch.nn.functional.normalize(torch.randn(2, 9, 128), dim=-1).requires_grad_()       # (B, m, d)
    C = cosine_cost(t, s)                                                                    # (B, n, m)
    a, b = uniform_marginals(torch.ones(2, 7)), uniform_marginals(torch.ones(2, 9))          # (B, n), (B, m)
    solve(TransportProblem(C.detach(), a, b), reg=0.05).cost(C).mean().backward()            # the plan is constant

`solve` returns a `Coupling`: the plans, whether each converged, and figures such as its marginal error and effective
targets. Names are imported on first use, so that `transport.solvers` can be imported without torch.
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
