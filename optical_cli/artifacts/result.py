"""The result of a cell of a sweep: its scores, or why there are none, and how its training went."""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from optical_cli.artifacts.scores import Scores
from optical_cli.config.experiment import Index
from optical_cli.config.objectives import OBJECTIVES, TARGETS, row_name
from optical_cli.config.transport import TOLERATED_SHARE
from optical_cli.transport.solvers import format_reg

HEALTH = {
    "plans": "transport plans",
    "unconverged": "plans that missed the threshold",
    "converged": "share of plans that met the threshold",
    "marginal_error": "largest marginal error (L1)",
    "iterations": "iterations per plan (mean)",
    "effective_targets": "effective targets: student tokens per teacher token (mean)",
    "reg_found": "reg that was found for the effective targets",
    "anchor_distance": "cosine distance of tokens from the anchor (mean)",
    "mass": "smallest mass of a plan",
    "grad_norm": "gradient norm (mean)",
    "grad_norm_max": "gradient norm (largest)",
    "steps": "optimizer steps",
}
"""The figures of a training's health, as tables name them."""


@dataclass(frozen=True)
class Result:
    """One cell of a sweep: scored, failed, or (neither `scores` nor `failure`) not made yet.

    Attributes:
        objective: `transport`, a baseline, or `run TAG` for an imported run.
        reg: Of transport only; None for a baseline. The effective targets asked for, of the objective `targets`.
        corpus: The corpus mode as tables show it: `full`, `pooled 5000`.
        failure: Why there are no scores.
        held_out_start: `transport_cost` and `p@1` of the student on the held-out bitext before its training.
        held_out: The same two figures after its training.
        log: File with the log of the training, training.jsonl.
        search: None for an exact search.
        index: The index settings, if the index keeps less of the documents than was encoded.
        variant: See `Setting`.
    """

    pair: str
    objective: str
    reg: float | None
    seed: int
    corpus: str
    scores: Scores | None
    failure: str | None
    health: dict[str, float] | None
    seconds: float | None
    held_out_start: dict[str, float] | None = None
    held_out: dict[str, float] | None = None
    log: Path | None = None
    search: "ApproximateSearch | None" = None
    index: Index | None = None
    variant: str = ""

    def __post_init__(self) -> None:
        if self.scores is not None and self.failure is not None:
            raise ValueError(f"{self}: a failed cell has no scores")
        row = OBJECTIVES.get(self.objective)
        if (row is not None and row.has_reg) != (self.reg is not None):
            raise ValueError(f"{self}: expected a strength for transport, and none for a baseline")
        if self.reg is not None and not self.reg >= 0:
            raise ValueError(f"{self}: expected a reg from 0 to inf")

    @property
    def setting(self) -> "Setting":
        """The objective with its reg: the row of a table."""
        return Setting(self.objective, self.reg, self.variant)

    @property
    def doubtful(self) -> bool:
        """Whether more than the tolerated share of the training's plans missed their threshold."""
        health = self.health or {}
        return health.get("unconverged", 0) > TOLERATED_SHARE * health.get("plans", 0)

    def value(self, measure: str) -> float | None:
        """The mean of a measure over the topics; None without scores."""
        return self.scores.means.get(measure) if self.scores else None


@dataclass(frozen=True)
class ApproximateSearch:
    """A search by a `retrieval.engine` that does not score every document.

    Attributes:
        overlap: Share of the exact results that it found, 0 to 1, the mean over the topics that were checked; None if
            no topic was, or if the run is no longer in the cache.
    """

    engine: str
    overlap: float | None


@dataclass(frozen=True)
class Setting:
    """A row of a table: a baseline, or transport at one reg or number of effective targets.

    Attributes:
        variant: Tells two equal settings apart, behind the name: `with index.storage=int8`, `of tiny`.
    """

    objective: str
    reg: float | None
    variant: str = ""

    @property
    def label(self) -> str:
        """`untrained start`, `reg 0.02`, `targets 4`, `BM25 folding`, `run anserini`, `reg 0 of tiny`."""
        return f"{self._name} {self.variant}" if self.variant else self._name

    @property
    def _name(self) -> str:
        if self.reg is None:
            analyzer = self.objective.removeprefix(self.baseline).removeprefix("-")
            row = OBJECTIVES.get(self.baseline)
            return f"{row.label if row else self.baseline} {analyzer}".rstrip()
        strength = format_reg(self.reg)
        return f"{OBJECTIVES[self.objective].strength} {strength}"

    @property
    def baseline(self) -> str:
        """The name in an experiment file: `bm25` whatever its analyzer; `run TAG` of an imported run."""
        return row_name(self.objective)

    @property
    def is_trained(self) -> bool:
        """Whether each seed trains a student of its own: not for BM25, the untrained start or an imported run."""
        row = OBJECTIVES.get(self.baseline)
        return row is not None and row.is_trained

    @property
    def rank(self) -> tuple[int, str, float]:
        """Sort key of tables: baselines, the untrained start before the trained ones, then reg from 0 to inf."""
        if self.reg is not None:
            return len(OBJECTIVES) + 1, "", self.reg
        known = list(OBJECTIVES)
        return known.index(self.baseline) if self.baseline in known else len(known), self.objective, 0.0


def strength_of(settings: Iterable[Setting]) -> str:
    """Return the word for what the settings differ in: `reg`; `strength` if they have effective targets."""
    return "strength" if any(one.objective == TARGETS for one in settings) else "reg"


def in_order(settings: Iterable[Setting]) -> list[Setting]:
    """Return each setting once, in the order of tables."""
    return sorted(set(settings), key=lambda setting: setting.rank)


def corpora(results: list[Result]) -> list[str]:
    """Return the corpus modes of the results, each once, in their order."""
    return list(dict.fromkeys(result.corpus for result in results))
