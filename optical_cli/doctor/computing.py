"""Checks of compiled code, and of transport and search against reference results."""

from collections.abc import Iterator
from pathlib import Path
from time import perf_counter
from typing import Any, Literal

from optical_cli.doctor.finding import Finding
from optical_cli.transport.solvers import format_reg

PRECISIONS: tuple[Literal["float32", "bfloat16"], ...] = ("float32", "bfloat16")
ALIKE = 1e-4
"""Relative error of a transport cost, with a marginal error of 1e-5."""
CLOSE = 1e-4
"""Absolute error of a score of about 10, from float32 products."""
BROKEN = "install optical, numba and torch again; if the fault stays, report the output of `optical doctor --json`"


def look_at_compiled() -> Finding:
    """Check that the numba code is compiled, by one function each of transport, search and ranx."""
    from ranx.metrics.ndcg import _ndcg_parallel

    from optical_cli.retrieve.maxsim import exact_scores
    from optical_cli.transport.sinkhorn_numba import _solve_plans

    functions: dict[str, Any] = {"transport": _solve_plans, "search": exact_scores, "ranx": _ndcg_parallel}
    cold = [name for name, function in functions.items() if not _is_kept(function)]
    if not cold:
        return Finding("compiled code", "ok", f"{', '.join(functions)}: compiled")
    found = f"{', '.join(cold)}: not compiled yet, so the first run takes longer"
    mend = "run `optical warm-up` once; if this warning stays, set NUMBA_CACHE_DIR to a writable folder"
    return Finding("compiled code", "warning", found, mend)


def _is_kept(function: Any) -> bool:
    folder = function.stats.cache_path
    name = f"{function.py_func.__module__.rpartition('.')[2]}.{function.py_func.__qualname__}-*.nbi"
    return folder is not None and any(Path(folder).glob(name))


def warm_up() -> None:
    """Run every compiled function on tiny data; numba keeps the machine code beside the sources of each package."""
    import numpy as np
    import torch

    from optical_cli.artifacts.token_store import TokenStore
    from optical_cli.evaluate import warm_up as warm_up_evaluation
    from optical_cli.evaluate.fuse import METHODS, fuse_runs
    from optical_cli.retrieve.maxsim import MaxSim
    from optical_cli.transport import TransportProblem, cosine_cost, solve, uniform_marginals

    tokens = torch.nn.functional.normalize(torch.arange(24.0).reshape(2, 3, 4), dim=-1)
    marginals = uniform_marginals(torch.ones(2, 3, dtype=torch.bool))
    solve(TransportProblem(cosine_cost(tokens, tokens.flip(1)), marginals, marginals), 0.05)
    documents = TokenStore(tokens.reshape(6, 4).numpy().astype(np.float16), np.array([0, 3, 6]))
    for precision in PRECISIONS:
        maxsim = MaxSim(documents, memory=1 << 20, precision=precision, device="cpu")
        list(maxsim.best([tokens[0]], 1, lambda _done: None))
    warm_up_evaluation()
    for method in METHODS:
        fuse_runs([{"q": [("d", 1.0)]}, {"q": [("d", 1.0)]}], method)


def try_transport(seed: int = 0) -> Finding:
    """Compare plans of random costs, exact and entropic, with those of POT in float64."""
    import numpy as np
    import ot
    import torch

    from optical_cli.transport import TransportProblem, solve, uniform_marginals

    begin = perf_counter()
    n, m = 12, 9
    C = torch.from_numpy(np.random.default_rng(seed).uniform(0, 2, (4, n, m)).astype(np.float32))
    C[0] = 1 - torch.eye(n, m)  # its first m rows go to their own columns at no cost, the others at 1
    rows, columns = (uniform_marginals(torch.ones(4, size, dtype=torch.bool)) for size in (n, m))
    problem = TransportProblem(C, rows, columns)
    a, b = np.full(n, 1 / n), np.full(m, 1 / m)
    worst = 0.0
    for reg in (0.0, 0.05, 0.5):
        coupling = solve(problem, reg)
        if not bool(coupling.converged.all()):
            return Finding("transport", "fault", f"plans of reg {format_reg(reg)} did not converge", BROKEN)
        for cost, ours in zip(C.double().numpy(), coupling.cost(C).double().numpy(), strict=True):
            plan = ot.emd(a, b, cost) if reg == 0 else ot.sinkhorn(a, b, cost, reg, "sinkhorn_log", 50_000, 1e-10)
            expected = float((plan * cost).sum())
            worst = max(worst, abs(ours - expected) / expected)
    return _judged(
        "transport", worst, ALIKE, "the costs of 12 plans agree with POT within {:.0e}", perf_counter() - begin
    )


def try_search(seed: int = 0) -> Iterator[Finding]:
    """Compare the best documents of random topics, in either precision, with every score in float64."""
    import numpy as np
    import torch

    from optical_cli.artifacts.token_store import TokenStore
    from optical_cli.retrieve.maxsim import MaxSim

    def normalized(rows: Any) -> Any:
        return rows / np.linalg.norm(rows, axis=1, keepdims=True)

    rng = np.random.default_rng(seed)
    lengths = rng.integers(3, 40, 300)
    tokens = normalized(rng.normal(size=(lengths.sum(), 64))).astype(np.float16)
    store = TokenStore(tokens, np.concatenate([[0], np.cumsum(lengths)]))
    topics = [torch.from_numpy(normalized(rng.normal(size=(16, 64))).astype(np.float32)) for _ in range(8)]
    exact = [
        np.array([(topic.double().numpy() @ store[d].astype(np.float64).T).max(1).sum() for d in range(300)])
        for topic in topics
    ]
    for precision in PRECISIONS:
        begin, worst = perf_counter(), 0.0
        found = MaxSim(store, memory=1 << 24, precision=precision, device="cpu").best(topics, 10, lambda _done: None)
        for scores, (numbers, ours) in zip(exact, found, strict=True):
            missed = set(np.argsort(-scores)[:10].tolist()) - set(numbers.tolist())
            if any(scores[number] > ours.min() + CLOSE for number in missed):
                yield Finding(f"search {precision}", "fault", "a document among the 10 best was missed", BROKEN)
                return
            worst = max(worst, float(np.abs(scores[numbers] - ours).max()))
        said = "the 10 best of 300 documents for 8 topics agree with brute force, scores within {:.0e}"
        yield _judged(f"search {precision}", worst, CLOSE, said, perf_counter() - begin)


def _judged(what: str, worst: float, allowed: float, said: str, seconds: float) -> Finding:
    if not worst <= allowed:  # nan is not either
        return Finding(what, "fault", f"an error of {worst:.1e}, more than the allowed {allowed:g}", BROKEN)
    return Finding(what, "ok", f"{said.format(max(worst, 1e-16))}, {seconds:.1f} s")
