"""The table of a sweep as plain data: settings down, pairs and measures across."""

import math
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

from optical_cli.config.transport import TOLERATED_SHARE
from optical_cli.measures import parse_measure
from optical_cli.report.result import Result, Setting

MISSING = "–"
FAILED = "failed"
FULL = "full"
DOUBTFUL = "†"
DOUBTFUL_NOTE = (
    f"{DOUBTFUL} More than {100 * TOLERATED_SHARE:g} % of the transport plans of this training missed their threshold "
    "(transport.on_unconverged: warn)."
)


@dataclass(frozen=True)
class Column:
    """One measure of one pair on one corpus."""

    pair: str
    corpus: str
    measure: str
    labelled: bool  # whether the corpus mode stands in the head

    @property
    def pair_head(self) -> str:
        """`yo-yo`, or `yo-yo (pooled 5000)` in a table with anything else than full corpora."""
        return f"{self.pair} ({self.corpus})" if self.labelled else self.pair

    @property
    def head(self) -> str:
        """Pair and measure: `yo-yo (pooled 5000) nDCG@10`."""
        return f"{self.pair_head} {parse_measure(self.measure).label}"


@dataclass(frozen=True)
class Cell:
    """The mean of one measure over the seeds that were scored."""

    mean: float | None  # None: no seed was scored
    seeds: int  # scored
    failed: int
    of: int  # the largest number of seeds of any cell of the table
    doubtful: bool  # whether plans behind one of them did not converge

    @property
    def text(self) -> str:
        """`0.523`; `0.523 (2 of 3)` where seeds are wanting; `0.523 †` if in doubt; `failed`; `–` for nothing."""
        if self.mean is None:
            return FAILED if self.failed else MISSING
        figure = f"{self.mean:.3f}" if self.seeds == self.of else f"{self.mean:.3f} ({self.seeds} of {self.of})"
        return f"{figure} {DOUBTFUL}" if self.doubtful else figure


@dataclass(frozen=True)
class Row:
    """One setting over all columns."""

    setting: Setting
    cells: tuple[Cell, ...]

    @property
    def label(self) -> str:
        """`no training`, `reg 0.02`."""
        return self.setting.label


@dataclass(frozen=True)
class Table:
    """Rows in grid order: baselines, then reg from 0 to inf."""

    columns: tuple[Column, ...]
    rows: tuple[Row, ...]
    seeds: int  # the largest number of seeds of any cell

    @property
    def note(self) -> str | None:
        """What the mark of doubt means, if a cell has it."""
        marked = any(cell.doubtful and cell.mean is not None for row in self.rows for cell in row.cells)
        return DOUBTFUL_NOTE if marked else None


def tabulate(results: Sequence[Result], measures: Sequence[str]) -> Table:
    """Puts results into a table, pairs in their order of appearance, each with all the measures.

    Columns name their corpus mode unless every result is on the full corpus.

    Raises:
        ValueError: two results for the same pair, corpus, setting and seed.
    """
    groups: dict[tuple[str, str, Setting], dict[int, Result]] = defaultdict(dict)
    for result in results:
        seeds = groups[result.pair, result.corpus, result.setting]
        if result.seed in seeds:
            raise ValueError(f"two results for one cell: {result}")
        seeds[result.seed] = result
    labelled = any(result.corpus != FULL for result in results)
    columns = tuple(
        Column(pair, corpus, measure, labelled)
        for pair, corpus in dict.fromkeys((result.pair, result.corpus) for result in results)
        for measure in measures
    )
    settings = sorted({result.setting for result in results}, key=lambda setting: setting.rank)
    most = max((len(seeds) for seeds in groups.values()), default=0)
    return Table(
        columns=columns,
        rows=tuple(
            Row(
                setting,
                tuple(
                    _cell(groups.get((column.pair, column.corpus, setting), {}), column.measure, most)
                    for column in columns
                ),
            )
            for setting in settings
        ),
        seeds=most,
    )


def _cell(seeds: dict[int, Result], measure: str, most: int) -> Cell:
    values = [value for result in seeds.values() if (value := result.value(measure)) is not None]
    doubtful = any(result.doubtful for result in seeds.values())
    failed = sum(result.failure is not None for result in seeds.values())
    mean = math.fsum(values) / len(values) if values else None
    return Cell(mean=mean, seeds=len(values), failed=failed, of=most, doubtful=doubtful)
