"""Time saved by starting a plan from the potentials of the pair's previous plan."""

import torch
from torch.nn.functional import normalize

from bench.problems import make_problem, token_pairs
from bench.results import Recorder
from bench.timing import in_turns
from optical_cli.transport import TransportProblem, cosine_cost, solve

BATCH = 64
TOKENS = 32
REGS = (0.1, 0.05, 0.02, 0.01)
ROUNDS = 7
MOVED = (0.01, 0.1)  # how far the student has moved each token since the previous plan


def run(recorder: Recorder) -> None:
    """Solve problems after the student has moved, with and without the previous potentials."""
    for moved in MOVED:
        for reg in REGS:
            _measure(recorder, reg, moved)


def _measure(recorder: Recorder, reg: float, moved: float) -> None:
    before = make_problem(BATCH, TOKENS, TOKENS)
    t, s = token_pairs(BATCH, TOKENS, TOKENS)
    direction = normalize(torch.randn(s.shape, generator=torch.Generator().manual_seed(1)), dim=-1)
    after = TransportProblem(cosine_cost(t, normalize(s + moved * direction, dim=-1)), before.a, before.b)
    start = solve(before, reg).potentials
    cold, warm = solve(after, reg), solve(after, reg, start=start)
    paired = in_turns(lambda: solve(after, reg, start=start), lambda: solve(after, reg), ROUNDS)
    recorder.add_paired(
        f"transport/warm-start/{TOKENS}x{TOKENS}/reg{reg:g}/moved{moved:g}/vs-cold",
        paired,
        BATCH,
        "plans/s",
        "cold start",
        warm_iterations=float(warm.iterations.double().mean()),
        cold_iterations=float(cold.iterations.double().mean()),
        unconverged=int((~warm.converged).sum()),
        largest_difference_of_costs=float((warm.cost(after.cost) - cold.cost(after.cost)).abs().max()),
    )
