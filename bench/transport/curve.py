"""Time of a plan by the number of tokens, and by the size of the batch."""

from bench.problems import make_problem
from bench.results import Recorder
from bench.timing import seconds
from optical_cli.transport import TransportProblem, solve

REGS = (0.1, 0.02)
LENGTHS = (8, 16, 32, 64, 128, 256, 512)
BATCHES = (1, 2, 4, 8, 16, 32, 64, 128, 256, 512)
CELLS = 2**21  # maximum entries of the costs of a batch, 8 MB
TOKENS = 32  # tokens per side while the batch grows
ENOUGH = 0.5  # seconds


def run(recorder: Recorder) -> None:
    """Time plans; the times per entry, and per entry and iteration, show whether time grows as n x m."""
    for reg in REGS:
        for n in LENGTHS:
            problem = make_problem(min(64, CELLS // n**2), n, n)
            _measure(recorder, f"transport/{n}x{n}/reg{reg:g}/microseconds-per-plan", problem, reg)
        for batch in BATCHES:
            name = f"transport/batch{batch}/{TOKENS}x{TOKENS}/reg{reg:g}/microseconds-per-plan"
            _measure(recorder, name, make_problem(batch, TOKENS, TOKENS), reg)


def _measure(recorder: Recorder, name: str, problem: TransportProblem, reg: float) -> None:
    coupling = solve(problem, reg)  # compiles
    plans, n, m = problem.cost.shape
    taken = seconds(lambda: solve(problem, reg), ENOUGH) / plans
    iterations = float(coupling.iterations.double().mean())
    recorder.add(
        name,
        1e6 * taken,
        "µs",
        batch=plans,
        mean_iterations=iterations,
        converged=float(coupling.converged.double().mean()),
        nanoseconds_per_cell=1e9 * taken / (n * m),
        nanoseconds_per_cell_and_iteration=1e9 * taken / (n * m * iterations) if iterations else None,
    )
