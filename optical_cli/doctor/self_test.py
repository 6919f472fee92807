"""The two computations that figures stand on, tried against others that know the answer."""

from collections.abc import Iterator
from time import perf_counter

import numpy as np
import numpy.typing as npt

from optical_cli.doctor.finding import Finding

Float64 = npt.NDArray[np.float64]

ALIKE = 1e-4
"""Relative error of a transport cost; the solver is asked for a marginal error of 1e-5."""
CLOSE = 1e-4
"""Absolute error of a score of some 10, whose products are float32."""
BROKEN = "install optical, numba and torch again; if it comes back, report it with what `optical doctor --json` says"


def try_transport(seed: int = 0) -> Finding:
    """Plans of random costs, exact and entropic, against POT in float64; and one whose answer is known to be 0."""
    import ot
    import torch

    from optical_cli.transport import TransportProblem, solve, uniform_marginals

    begin = perf_counter()
    n, m = 12, 9
    C = torch.from_numpy(np.random.default_rng(seed).uniform(0, 2, (4, n, m)).astype(np.float32))
    C[0] = 1 - torch.eye(n, m)  # its first m rows go to their own columns at no cost, the others at 1
    problem = TransportProblem(C, uniform_marginals(torch.ones(4, n, dtype=torch.bool)),
                               uniform_marginals(torch.ones(4, m, dtype=torch.bool)))  # fmt: skip
    a, b = np.full(n, 1 / n), np.full(m, 1 / m)
    worst = 0.0
    for reg in (0.0, 0.05, 0.5):
        coupling = solve(problem, reg)
        if not bool(coupling.converged.all()):
            return Finding("transport", "fault", f"plans of reg {reg:g} did not converge", BROKEN)
        for cost, ours in zip(C.double().numpy(), coupling.cost(C).double().numpy(), strict=True):
            plan = ot.emd(a, b, cost) if reg == 0 else ot.sinkhorn(a, b, cost, reg, "sinkhorn_log", 50_000, 1e-10)
            expected = float((plan * cost).sum())
            worst = max(worst, abs(ours - expected) / expected)
    return _judged("transport", worst, ALIKE, "costs of 12 plans within {:.0e} of POT's", perf_counter() - begin)


def try_search(seed: int = 0) -> Iterator[Finding]:
    """The best documents of random topics in either precision, against every score in float64."""
    import torch

    from optical_cli.artifacts.token_store import TokenStore
    from optical_cli.encoder.precision import Resolved
    from optical_cli.retrieve.maxsim import MaxSim

    rng = np.random.default_rng(seed)
    lengths = rng.integers(3, 40, 300)
    tokens = _unit(rng.normal(size=(lengths.sum(), 64))).astype(np.float16)
    store = TokenStore(tokens, np.concatenate([[0], np.cumsum(lengths)]))
    topics = [torch.from_numpy(_unit(rng.normal(size=(16, 64))).astype(np.float32)) for _ in range(8)]
    exact = [np.array([(topic.double().numpy() @ store[d].astype(np.float64).T).max(1).sum() for d in range(300)])
             for topic in topics]  # fmt: skip
    precisions: tuple[Resolved, ...] = ("float32", "bfloat16")
    for precision in precisions:
        begin, worst = perf_counter(), 0.0
        found = MaxSim(store, memory=1 << 24, precision=precision, device="cpu").best(topics, 10, lambda _done: None)
        for scores, (numbers, ours) in zip(exact, found, strict=True):
            missed = set(np.argsort(-scores)[:10].tolist()) - set(numbers.tolist())
            if any(scores[number] > ours.min() + CLOSE for number in missed):
                yield Finding(f"search {precision}", "fault", "a document that is among the best was missed", BROKEN)
                return
            worst = max(worst, float(np.abs(scores[numbers] - ours).max()))
        said = "the 10 best of 300 documents for 8 topics as by brute force, scores within {:.0e}"
        yield _judged(f"search {precision}", worst, CLOSE, said, perf_counter() - begin)


def _judged(what: str, worst: float, allowed: float, said: str, seconds: float) -> Finding:
    if not worst <= allowed:  # nan is not either
        return Finding(what, "fault", f"off by {worst:.1e}, {allowed:g} allowed", BROKEN)
    return Finding(what, "ok", f"{said.format(max(worst, 1e-16))}, {seconds:.1f} s")


def _unit(rows: Float64) -> Float64:
    unit: Float64 = rows / np.linalg.norm(rows, axis=1, keepdims=True)
    return unit
