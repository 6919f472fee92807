"""Accuracy of transport costs against POT in float64, and of `converged`, over problems of many shapes."""

import math
from collections import Counter, defaultdict
from collections.abc import Iterator
from typing import Any

import numpy as np
import ot
import torch

from bench.peers import POT, marginal_errors
from bench.problems import ALIKE, MIXED, SEED, token_pairs
from bench.results import Recorder
from optical_cli.transport import Coupling, TransportProblem, cosine_cost, solve, uniform_marginals

PROBLEMS = 2000
BATCH = 20
LONGEST = 512
REGS = (0.0, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, math.inf)
JUDGED_FROM = 0.01  # smallest reg above 0 at which costs are compared; below, only `converged` is checked
THRESHOLDS = (1e-4, 1e-5)
WANTED = 1e-5  # relative error of <P, C>
SMALL_COST = 1e-3  # errors of lower costs, as of identical sentences, are relative to this
JUDGE = 1e-10  # marginal error of the reference plans
JUDGE_ITERATIONS = 1000


def run(recorder: Recorder) -> None:
    """Solve each problem at one reg and both thresholds, in float32 and padded batches of mixed lengths."""
    errors: dict[float, dict[float, list[float]]] = {threshold: defaultdict(list) for threshold in THRESHOLDS}
    health: dict[float, Counter[str]] = {threshold: Counter() for threshold in THRESHOLDS}
    unjudged = 0
    for problem, reg in batches():
        optimum = judge(problem, reg) if reg == 0 or reg >= JUDGED_FROM else None
        for threshold in THRESHOLDS:
            coupling = solve(problem, reg, threshold=threshold)
            health[threshold].update(faults(coupling))
            if optimum is not None:
                errors[threshold][reg] += relative_errors(coupling, optimum)
        unjudged += 0 if optimum is None else int(np.isnan(optimum).sum())
    for threshold in THRESHOLDS:
        _record(recorder, threshold, errors[threshold], health[threshold], unjudged)


def _record(
    recorder: Recorder, threshold: float, errors: dict[float, list[float]], health: Counter[str], unjudged: int
) -> None:
    where = f"transport/accuracy/threshold{threshold:g}"
    everything = np.concatenate([np.array(errors[reg]) for reg in errors])
    context: dict[str, Any] = {
        "problems": PROBLEMS,
        "judged": len(everything),
        "unjudged": unjudged,
        "judge_marginal_error": JUDGE,
        "largest_by_reg": {f"{reg:g}": max(errors[reg]) for reg in sorted(errors)},
    }
    judge_name = f"{POT}, float64"
    recorder.add(f"{where}/largest-cost-error", float(everything.max()), "relative", peer_name=judge_name, **context)
    within = 100 * float((everything <= WANTED).mean())
    recorder.add(f"{where}/cost-within-{WANTED:g}", within, "%", peer_name=judge_name, **context)
    for fault in ("unconverged", "unconfessed", "not-finite", "all-zero"):
        recorder.add(f"{where}/{fault}", float(health[fault]), "plans", problems=PROBLEMS)


def batches() -> Iterator[tuple[TransportProblem, float]]:
    """Yield batches of 1 to 512 tokens a side, mostly few, some of one token, and some pairs identical."""
    random = np.random.default_rng(SEED)
    for number in range(PROBLEMS // BATCH):
        longest = LONGEST if number % 17 == 0 else round(8 * (LONGEST / 8) ** random.uniform())  # 17 meets all regs
        lengths = np.rint(longest ** np.sqrt(random.uniform(size=(2, BATCH)))).astype(int)
        lengths[:, 0] = longest
        same = random.uniform(size=BATCH) < 0.1
        lengths[1, same] = lengths[0, same]
        n, m = torch.from_numpy(lengths)
        t, s = token_pairs(BATCH, longest, longest, (MIXED, ALIKE)[number % 2], seed=number)
        s[torch.from_numpy(same)] = t[torch.from_numpy(same)]
        masks = (torch.arange(longest) < length[:, None] for length in (n, m))
        problem = TransportProblem(cosine_cost(t, s), *(uniform_marginals(mask) for mask in masks))
        yield problem, REGS[number % len(REGS)]


def judge(problem: TransportProblem, reg: float) -> np.ndarray:
    """Return the optimal <P, C> (B,) by POT in float64; nan for plans that did not reach JUDGE.

    POT starts from our float64 potentials, because it would iterate for days from zeros at reg 0.01. The start does not
    bias the result: a plan diag(u) exp(-C / reg) diag(v) with the right marginals is optimal, and POT tests these.
    """
    entropic = 0 < reg < math.inf
    double = TransportProblem(problem.cost.double(), problem.a.double(), problem.b.double())
    phi = (
        solve(double, reg, threshold=JUDGE).potentials[0].numpy() / reg
        if entropic
        else torch.zeros_like(double.a).numpy()
    )
    optima = []
    for C, a, b, start in zip(double.cost.numpy(), double.a.numpy(), double.b.numpy(), phi, strict=True):
        rows, columns = a > 0, b > 0
        C_, a_, b_ = C[np.ix_(rows, columns)], a[rows], b[columns]
        if reg == 0:
            optima.append(float(ot.emd2(a_, b_, C_, numItermax=1_000_000)))
        elif entropic:
            optima.append(_entropic_optimum(C_, a_, b_, reg, start[rows]))
        else:
            optima.append(float(a_ @ C_ @ b_))
    return np.array(optima)


def _entropic_optimum(C: np.ndarray, a: np.ndarray, b: np.ndarray, reg: float, start: np.ndarray) -> float:
    P, log = ot.sinkhorn(
        a,
        b,
        C,
        reg,
        method="sinkhorn_log",
        warmstart=(start, np.zeros_like(b)),
        stopThr=JUDGE,
        numItermax=JUDGE_ITERATIONS,
        log=True,
        warn=False,
    )
    return float((P * C).sum()) if log["err"][-1] < JUDGE else math.nan


def relative_errors(coupling: Coupling, optimum: np.ndarray) -> list[float]:
    """Return the relative errors of <P, C>, for converged plans with a reference.

    Problems with one token on a side are left out: they have only one plan, which is always right.
    """
    a, b = coupling.problem.a, coupling.problem.b
    free = ((a > 0).sum(1) > 1) & ((b > 0).sum(1) > 1)
    found = coupling.cost(coupling.problem.cost.double()).numpy()
    counts = ~np.isnan(optimum) & (coupling.converged & free).numpy()
    errors = np.abs(found - optimum) / np.maximum(np.abs(optimum), SMALL_COST)
    return [float(error) for error in errors[counts]]


def faults(coupling: Coupling) -> Counter[str]:
    """Count plans by fault; `unconfessed` plans have `converged` true and marginals beyond the threshold."""
    plan = coupling.plan
    error = marginal_errors(coupling.problem, plan)
    sound = torch.isfinite(plan).flatten(1).all(1)
    return Counter(
        {
            "unconverged": int((~coupling.converged).sum()),
            "unconfessed": int((coupling.converged & ~(error <= coupling.threshold)).sum()),
            "not-finite": int((~sound).sum()),
            "all-zero": int((plan == 0).flatten(1).all(1).sum()),
        }
    )
