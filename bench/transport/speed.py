"""Transport plans per second against other libraries, from the same float32 costs and marginals."""

from collections.abc import Callable
from functools import partial

from torch import Tensor

from bench.peers import (
    GEOMLOSS,
    POT,
    TARGET,
    Solver,
    calibrated,
    geomloss_batch,
    marginal_errors,
    pot_batch,
    pot_emd,
    pot_loop,
)
from bench.problems import ALIKE, MIXED, Family, make_problem
from bench.results import Recorder
from bench.timing import in_turns
from optical_cli.transport import TransportProblem, solve

BATCH = 64
SIZES = (32, 64)
ROUNDS = {0.1: 7, 0.02: 5, 0.005: 3}  # POT takes seconds per batch at the small regs


def run(recorder: Recorder) -> None:
    """Compare with the batched solver of POT at all sizes, and with the other solvers at 32 x 32 tokens."""
    for n in SIZES:
        for reg in ROUNDS:
            _against(recorder, f"transport/{n}x{n}/reg{reg:g}/vs-pot-batch", n, reg, pot_batch, f"{POT} ot.batch")
    for reg in (0.1, 0.02):
        name = f"transport/32x32/reg{reg:g}/alike/vs-pot-batch"
        _against(recorder, name, 32, reg, pot_batch, f"{POT} ot.batch", ALIKE)
    _against(recorder, "transport/32x32/reg0.1/vs-pot-loop", 32, 0.1, pot_loop, f"{POT} ot.sinkhorn_log, a loop")

    problem = make_problem(BATCH, 32, 32)
    for name, peer, peer_name in (
        ("vs-pot-emd", partial(pot_emd, problem), f"{POT} ot.emd, a loop"),
        ("vs-geomloss", partial(geomloss_batch, problem, 0.1), GEOMLOSS),
    ):
        peer()
        _compare(recorder, f"transport/32x32/reg0.1/{name}", problem, 0.1, peer, peer_name)


def _against(
    recorder: Recorder, name: str, n: int, reg: float, solver: Solver, peer_name: str, family: Family = MIXED
) -> None:
    """Compare with a peer that has a tolerance, which is calibrated first."""
    problem = make_problem(BATCH, n, n, family)
    tolerance = calibrated(solver, problem, reg)
    _compare(recorder, name, problem, reg, partial(solver, problem, reg, tolerance), peer_name, tolerance=tolerance)


def _compare(
    recorder: Recorder,
    name: str,
    problem: TransportProblem,
    reg: float,
    peer: Callable[[], Tensor],
    peer_name: str,
    **context: float,
) -> None:
    def ours() -> Tensor:  # with the checks of the problem
        return solve(TransportProblem(problem.cost, problem.a, problem.b), reg, threshold=TARGET).plan

    plans: dict[str, Tensor] = {"our": ours()}  # the first call compiles; plans of the peer, which is slow, are kept

    def theirs() -> None:
        plans["peer"] = peer()

    paired = in_turns(ours, theirs, ROUNDS[reg])
    errors = {
        f"{who}_marginal_error": {"largest": float(error.max()), "median": float(error.median())}
        for who, error in ((who, marginal_errors(problem, plan)) for who, plan in plans.items())
    }
    context["effective_targets"] = float(solve(problem, reg).effective_targets.mean())
    recorder.add_paired(name, paired, len(problem.cost), "plans/s", peer_name, batch=BATCH, **errors, **context)
