"""Transport on a GPU: the plans of the CPU, and plans a second against POT and geomloss on the same GPU."""

import math
from collections.abc import Callable
from dataclasses import replace
from functools import partial

import torch
from torch import Tensor

from bench.gpu.proof import Proof
from bench.peers import GEOMLOSS, POT, TARGET, calibrated, geomloss_batch, pot_batch
from bench.problems import make_problem, token_pairs
from bench.transport.share import BATCH, TOKENS, Step
from optical_cli.errors import MissingDependency
from optical_cli.transport import Coupling, TransportProblem, cosine_cost, solve, uniform_marginals
from optical_cli.transport.solvers import SOLVERS, format_reg

REGS = (0.0, 0.005, 0.02, 0.1, 1.0, math.inf)
SHAPES = ((32, 32), (7, 90), (128, 61))
EQUAL = 1e-4
"""Largest difference of a cost <P, C>, and of an entry of a plan, between both devices."""
TIMED = (0.1, 0.02)


def check(proof: Proof) -> None:
    """Solve the same problems on both devices, by every solver at every reg that it takes."""
    problems = [_problem(proof.sizes.batch, n, m, holes=holes) for n, m in SHAPES for holes in (False, True)]
    for name, solver in SOLVERS.items():
        costs, plans, missed = {}, {}, {}
        for reg in (reg for reg in REGS if not solver.fault_of(reg, solver.defaults)):
            here = [solve(problem, reg, name) for problem in problems]
            there = [_on_cpu(solve(_on(problem, proof.device), reg, name)) for problem in problems]
            pairs, key = list(zip(here, there, strict=True)), format_reg(reg)
            costs[key] = max(_apart(*(x.cost(a.problem.cost) for x in (a, b))) for a, b in pairs)
            missed[key] = sum(int((a.converged & ~b.converged).sum()) for a, b in pairs)
            if reg != 0:  # several plans may have the least cost
                plans[key] = max(_apart(a.plan, b.plan) for a, b in pairs)
        for what, by_reg, limit in (("cost", costs, EQUAL), ("plan", plans, EQUAL), ("missed-threshold", missed, 0)):
            if by_reg:
                largest = max(by_reg.values(), key=lambda value: math.inf if math.isnan(value) else value)
                proof.check(f"gpu/transport/{name}/{what}", largest, limit, by_reg=by_reg)


def measure(proof: Proof) -> None:
    """Time plans against the peers on the GPU, and against our solver on the CPU."""
    on_cpu = make_problem(proof.sizes.batch, TOKENS, TOKENS)
    problem = _on(on_cpu, proof.device)
    for reg in TIMED:
        ours = partial(_solve, problem, reg)
        tolerance = calibrated(pot_batch, problem, reg)
        peers: dict[str, tuple[str, Callable[[], object]]] = {
            "vs-pot-batch": (f"{POT} ot.batch", partial(pot_batch, problem, reg, tolerance)),
            "vs-geomloss": (GEOMLOSS, partial(geomloss_batch, problem, reg)),
            "vs-cpu": ("optical on the CPU", partial(_solve, on_cpu, reg)),
        }
        for name, (peer_name, peer) in peers.items():
            where = f"gpu/transport/{TOKENS}x{TOKENS}/reg{reg:g}/{name}"
            plans = len(problem.cost)
            try:
                proof.compare(where, ours, peer, plans, "plans/s", peer_name, batch=plans)
            except MissingDependency as error:
                proof.skipped.append(f"{where}: {error}")


def measure_share(proof: Proof) -> None:
    """Time training steps in bfloat16 on ready tokens, and the share of transport in each."""
    step = Step("bfloat16", proof.device)
    for reg in proof.sizes.regs:
        step.run(reg)  # a first call compiles
        times = sorted((step.run(reg) for _ in range(proof.sizes.rounds)), key=lambda time: time[0] / time[1])
        transport, whole = times[len(times) // 2]
        proof.recorder.add(
            f"gpu/transport/share-of-step/reg{format_reg(reg)}",
            100 * transport / whole,
            "%",
            ours=transport,
            peer=whole,
            peer_name="a whole step",
            unit_of_both="s",
            pairs_per_second=BATCH / whole,
            **step.last[reg],
        )


def _solve(problem: TransportProblem, reg: float) -> Tensor:
    return solve(TransportProblem(problem.cost, problem.a, problem.b), reg, threshold=TARGET).plan


def _problem(batch: int, n: int, m: int, *, holes: bool) -> TransportProblem:
    """Make a batch with padding behind the tokens, or, with `holes`, among them."""
    draw = torch.Generator().manual_seed(n)

    def mask(longest: int) -> Tensor:
        if not holes:
            lengths = torch.randint(max(longest // 3, 1), longest + 1, (batch, 1), generator=draw)
            return torch.arange(longest) < lengths
        tokens = torch.rand(batch, longest, generator=draw) < 0.7
        tokens[:, 0] = True
        return tokens

    return TransportProblem(cosine_cost(*token_pairs(batch, n, m)), *(uniform_marginals(mask(x)) for x in (n, m)))


def _on(problem: TransportProblem, device: str) -> TransportProblem:
    return TransportProblem(*(x.to(device) for x in (problem.cost, problem.a, problem.b)))


def _on_cpu(coupling: Coupling) -> Coupling:
    f, g = (potential.cpu() for potential in coupling.potentials)
    plan, iterations = coupling.plan.cpu(), coupling.iterations.cpu()
    return replace(coupling, problem=_on(coupling.problem, "cpu"), plan=plan, potentials=(f, g), iterations=iterations)


def _apart(here: Tensor, there: Tensor) -> float:
    return float((here - there).abs().max())
