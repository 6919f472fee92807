"""What a report is made of: one result for each cell of a sweep."""

from collections.abc import Iterable
from dataclasses import dataclass

from optical_cli.artifacts.scores import Scores
from optical_cli.config.experiment import Index
from optical_cli.config.objectives import OBJECTIVES, row_name
from optical_cli.config.transport import TOLERATED_SHARE
from optical_cli.transport.solvers import format_reg

HEALTH = {
    "plans": "transport plans",
    "unconverged": "plans that missed the threshold",
    "converged": "share that met it",
    "marginal_error": "largest marginal error (L1)",
    "iterations": "iterations a plan (mean)",
    "effective_targets": "student tokens a teacher token is spread over (mean)",
    "mass": "smallest mass of a plan",
    "grad_norm": "gradient norm (mean)",
    "grad_norm_max": "gradient norm (largest)",
    "steps": "optimizer steps",
}
"""The figures of a training's health in words."""


@dataclass(frozen=True)
class Result:
    """One cell of a sweep: scored, failed, or (neither `scores` nor `failure`) not made yet."""

    pair: str
    objective: str  # "transport" or a baseline
    reg: float | None  # of transport only
    seed: int
    corpus: str  # the corpus mode as people read it: "full", "pooled 5000"
    scores: Scores | None
    failure: str | None  # why there are no scores
    health: dict[str, float] | None
    seconds: float | None
    held_out: dict[str, float] | None = None  # of the trained student on the held-out bitext: transport_cost, p@1
    search: "ApproximateSearch | None" = None  # None for an exact one
    index: Index | None = None  # of its run, if that keeps less of the documents than was encoded
    variant: str = ""  # see `Setting`

    def __post_init__(self) -> None:
        if self.scores is not None and self.failure is not None:
            raise ValueError(f"{self}: a failed cell has no scores")
        row = OBJECTIVES.get(self.objective)
        if (row is not None and row.has_reg) != (self.reg is not None):
            raise ValueError(f"{self}: transport has a reg and a baseline has none")
        if self.reg is not None and not self.reg >= 0:
            raise ValueError(f"{self}: reg is a number from 0 to inf")

    @property
    def setting(self) -> "Setting":
        """What was tried, apart from pair and seed."""
        return Setting(self.objective, self.reg, self.variant)

    @property
    def doubtful(self) -> bool:
        """Whether more plans of the training missed their threshold than are tolerated."""
        health = self.health or {}
        return health.get("unconverged", 0) > TOLERATED_SHARE * health.get("plans", 0)

    def value(self, measure: str) -> float | None:
        """The mean of a measure over the topics; None where there is none."""
        return self.scores.means.get(measure) if self.scores else None


@dataclass(frozen=True)
class ApproximateSearch:
    """What is known of a search by a `retrieval.engine` that did not score every document.

    `overlap` is the share of the exact results that it found, the mean over the topics that were checked; None if none
    was, or if the run is no longer in the cache.
    """

    engine: str
    overlap: float | None


@dataclass(frozen=True)
class Setting:
    """A row of a table: a baseline, or transport at one reg; `variant`, behind the name, tells equal ones apart."""

    objective: str
    reg: float | None
    variant: str = ""

    @property
    def label(self) -> str:
        """`no training`, `reg 0.02`, `BM25 folding`; a variant is `reg 0 with index.storage=int8`, `reg 0 of tiny`."""
        return f"{self._name} {self.variant}" if self.variant else self._name

    @property
    def _name(self) -> str:
        if self.reg is None:
            analyzer = self.objective.removeprefix(self.baseline).removeprefix("-")
            row = OBJECTIVES.get(self.baseline)
            return f"{row.label if row else self.baseline} {analyzer}".rstrip()
        return f"reg {format_reg(self.reg)}"

    @property
    def baseline(self) -> str:
        """What an experiment file calls it: `bm25`, by whatever analyzer; a run of another system as it is."""
        return row_name(self.objective)

    @property
    def rank(self) -> tuple[int, str, float]:
        """Sorts baselines first, the untrained student before the trained ones, then reg from 0 to inf."""
        if self.reg is not None:
            return len(OBJECTIVES) + 1, "", self.reg
        known = list(OBJECTIVES)
        return known.index(self.baseline) if self.baseline in known else len(known), self.objective, 0.0


def in_order(settings: Iterable[Setting]) -> list[Setting]:
    """Each setting once, in the order of tables."""
    return sorted(set(settings), key=lambda setting: setting.rank)


def corpora(results: list[Result]) -> list[str]:
    """The corpus modes of the results, each once, in their order."""
    return list(dict.fromkeys(result.corpus for result in results))
