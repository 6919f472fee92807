"""The plan between the tokens of two sentences, as the training of an experiment solves it."""

from optical_cli.align.aligned_pair import Alignment
from optical_cli.align.tokens import ScoredTokens
from optical_cli.config.transport import Transport
from optical_cli.transport import TransportProblem, cosine_cost, solve


def align_tokens(teacher: ScoredTokens, student: ScoredTokens, reg: float, settings: Transport) -> Alignment:
    """The alignment of a sentence and its translation.

    Args:
        teacher: n tokens.
        student: m tokens.
        reg: strength of the regularization, one that the solver of the settings takes.
        settings: how the plan is solved.

    Raises:
        NotConverged: the exact solver gave up.
    """
    C = cosine_cost(teacher.embeddings[None], student.embeddings[None])  # (1, n, m)
    coupling = solve(TransportProblem(C, teacher.mass[None], student.mass[None]), reg, **settings.solve_arguments(reg))
    return Alignment(
        reg=reg,
        plan=coupling.plan[0].double().numpy(),
        cost=float(coupling.cost(C)[0]),
        effective_targets=float(coupling.effective_targets[0]),
        converged=bool(coupling.converged[0]),
        iterations=int(coupling.iterations[0]),
        marginal_error=float(coupling.marginal_error[0]),
        mass=float(coupling.mass[0]),
    )
