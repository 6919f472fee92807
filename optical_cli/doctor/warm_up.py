"""Compiling once what numba and ranx compile on first use."""

import numpy as np
import torch


def warm_up() -> None:
    """Run every compiled routine on something tiny; the machine code is kept beside the sources of each package."""
    from optical_cli.artifacts.token_store import TokenStore
    from optical_cli.encoder.precision import Resolved
    from optical_cli.evaluate import warm_up as warm_up_evaluation
    from optical_cli.evaluate.fuse import METHODS, fuse_runs
    from optical_cli.retrieve.maxsim import MaxSim
    from optical_cli.transport import TransportProblem, cosine_cost, solve, uniform_marginals

    tokens = torch.nn.functional.normalize(torch.arange(24.0).reshape(2, 3, 4), dim=-1)
    marginals = uniform_marginals(torch.ones(2, 3, dtype=torch.bool))
    solve(TransportProblem(cosine_cost(tokens, tokens.flip(1)), marginals, marginals), 0.05)
    documents = TokenStore(tokens.reshape(6, 4).numpy().astype(np.float16), np.array([0, 3, 6]))
    precisions: tuple[Resolved, Resolved] = ("float32", "bfloat16")
    for precision in precisions:
        maxsim = MaxSim(documents, memory=1 << 20, precision=precision, device="cpu")
        list(maxsim.best([tokens[0]], 1, lambda _done: None))
    warm_up_evaluation()
    for method in METHODS:
        fuse_runs([{"q": [("d", 1.0)]}, {"q": [("d", 1.0)]}], method)
