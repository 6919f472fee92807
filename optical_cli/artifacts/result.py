"""Results of a sweep, one for each cell, and the settings that reports compare."""

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
    "converged": "share of plans that met the threshold",
    "marginal_error": "largest marginal error (L1)",
    "iterations": "iterations per plan (mean)",
    "effective_targets": "effective targets: student tokens per teacher token (mean)",
    "mass": "smallest mass of a plan",
    "grad_norm": "gradient norm (mean)",
    "grad_norm_max": "gradient norm (largest)",
    "steps": "optimizer steps",
}
"""Descriptions of the health figures of a training, by name."""


@dataclass(frozen=True)
class Result:
    """The result of a cell: scores, a failure, or neither if the cell was not made yet."""

    pair: str
    objective: str  # "transport" or a baseline
    reg: float | None  # None for every objective but transport
    seed: int
    corpus: str  # label of the corpus mode, such as "full" or "pooled 5000"
    scores: Scores | None
    failure: str | None  # why there are no scores
    health: dict[str, float] | None
    seconds: float | None
    held_out: dict[str, float] | None = None  # of the trained student on the held-out bitext: transport_cost, p@1
    search: "ApproximateSearch | None" = None  # None for exact search
    index: Index | None = None  # None if the index keeps all tokens in the default storage
    variant: str = ""  # `Setting.variant`

    def __post_init__(self) -> None:
        if self.scores is not None and self.failure is not None:
            raise ValueError(f"{self}: a failed cell has no scores")
        row = OBJECTIVES.get(self.objective)
        if (row is not None and row.has_reg) != (self.reg is not None):
            raise ValueError(f"{self}: expected a reg for transport, and none for a baseline")
        if self.reg is not None and not self.reg >= 0:
            raise ValueError(f"{self}: expected a reg from 0 to inf")

    @property
    def setting(self) -> "Setting":
        """The setting that the cell belongs to: objective, reg and variant."""
        return Setting(self.objective, self.reg, self.variant)

    @property
    def doubtful(self) -> bool:
        """Whether a larger share of the training's plans than `TOLERATED_SHARE` missed the threshold."""
        health = self.health or {}
        return health.get("unconverged", 0) > TOLERATED_SHARE * health.get("plans", 0)

    def value(self, measure: str) -> float | None:
        """Return the mean of a measure over the topics; None if it was not measured."""
        return self.scores.means.get(measure) if self.scores else None


@dataclass(frozen=True)
class ApproximateSearch:
    """A search that did not score every document.

    Attributes:
        engine: value of `retrieval.engine`.
        overlap: share of the exact results that it found, the mean over the checked topics; None if no topic was
            checked, or if the run is no longer in the cache.
    """

    engine: str
    overlap: float | None


@dataclass(frozen=True)
class Setting:
    """A row of a result table: a baseline, or transport at one reg.

    `variant` follows the name, and tells rows of equal objective and reg apart.
    """

    objective: str
    reg: float | None
    variant: str = ""

    @property
    def label(self) -> str:
        """Label in tables: `no training`, `reg 0.02`, `BM25 folding`, or `reg 0 with index.storage=int8`."""
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
        """Name in experiment files: `bm25` for every analyzer; the name of an imported run is unchanged."""
        return row_name(self.objective)

    @property
    def rank(self) -> tuple[int, str, float]:
        """Sort key of tables: baselines, the untrained student before trained ones, and then reg from 0 to inf."""
        if self.reg is not None:
            return len(OBJECTIVES) + 1, "", self.reg
        known = list(OBJECTIVES)
        return known.index(self.baseline) if self.baseline in known else len(known), self.objective, 0.0


def in_order(settings: Iterable[Setting]) -> list[Setting]:
    """Return each setting once, in the order of tables."""
    return sorted(set(settings), key=lambda setting: setting.rank)


def corpora(results: list[Result]) -> list[str]:
    """Return the labels of the results' corpus modes, each once, in order."""
    return list(dict.fromkeys(result.corpus for result in results))
