"""The means of a sweep as a table: settings down, pairs and measures across."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import fmean
from typing import TYPE_CHECKING, TypeAlias

from optical_cli.artifacts.result import ApproximateSearch, Result, Setting, in_order
from optical_cli.config.measures import parse_measure
from optical_cli.config.transport import TOLERATED_SHARE
from optical_cli.errors import several

if TYPE_CHECKING:
    from optical_cli.report.findings import Findings, Interval

Groups: TypeAlias = dict[tuple[str, str, Setting], dict[int, Result]]
"""Results by pair, corpus and setting, then by seed."""

MISSING = "–"
FAILED = "failed"
FULL = "full"
DOUBTFUL = "†"
DOUBTFUL_NOTE = (
    f"{DOUBTFUL} More than {100 * TOLERATED_SHARE:g} % of the transport plans of this training missed their threshold "
    "(transport.on_unconverged: warn)."
)
APPROXIMATE = "≈"
SMALLER = "‡"


@dataclass(frozen=True)
class Column:
    """A measure of a pair on a corpus.

    Attributes:
        pair_head: `yo-yo`, or `yo-yo (pooled 5000)` in a table where not every corpus is full.
    """

    pair: str
    corpus: str
    measure: str
    pair_head: str

    @property
    def head(self) -> str:
        """`yo-yo (pooled 5000) nDCG@10`."""
        return f"{self.pair_head} {parse_measure(self.measure).label}"


@dataclass(frozen=True)
class TableCell:
    """The mean of a measure over the scored seeds.

    Attributes:
        mean: None if no seed was scored.
        seeds: Number of scored seeds.
        failed: Number of failed seeds.
        of: Number of seeds that a complete cell has.
        doubtful: Whether transport plans behind the mean did not converge.
        interval: 95 % interval of the mean.
        marks: Outcome of tests: `▲ab`.
        searches: Its approximate searches.
        smaller: How the indexes of its runs keep less than was encoded.
    """

    mean: float | None
    seeds: int
    failed: int
    of: int
    doubtful: bool
    interval: "Interval | None" = None
    marks: str = ""
    searches: tuple[ApproximateSearch, ...] = ()
    smaller: tuple[str, ...] = ()

    @property
    def text(self) -> str:
        """`0.523`, `0.523 (2 of 3)` with missing seeds, `0.523 [.491, .555] ▲ab`, `failed`, `–` for nothing.

        `0.523 †` is in doubt, `≈0.523` is of an approximate search, `0.523 ‡` of an index that keeps less.
        """
        return " ".join(filter(None, [self.figure, self.bounds, self.missing, *self.signs, self.marks]))

    def __str__(self) -> str:
        return self.text

    @property
    def figure(self) -> str:
        """The mean, or why there is none."""
        if self.mean is None:
            return FAILED if self.failed else MISSING
        return f"{APPROXIMATE if self.searches else ''}{self.mean:.3f}"

    @property
    def bounds(self) -> str:
        """`[.491, .555]`, `[.982, 1.000]`; nothing without an interval."""
        if self.interval is None:
            return ""
        low, high = (f"{end:.3f}".replace("0.", ".", 1) for end in (self.interval.low, self.interval.high))
        return f"[{low}, {high}]"

    @property
    def missing(self) -> str:
        """`(2 of 3)` if seeds are missing, else nothing."""
        return f"({self.seeds} of {self.of})" if 0 < self.seeds < self.of else ""

    @property
    def signs(self) -> tuple[str, ...]:
        """`†` for a mean in doubt, `‡` for an index that keeps less."""
        signs = {DOUBTFUL: self.doubtful, SMALLER: self.smaller}
        return tuple(sign for sign, needed in signs.items() if needed and self.mean is not None)


@dataclass(frozen=True)
class Row:
    """A setting over all columns.

    Attributes:
        letter: Stands for the setting in marks, if others are tested against it.
    """

    setting: Setting
    cells: tuple[TableCell, ...]
    letter: str = ""

    @property
    def label(self) -> str:
        """`untrained start`, `reg 0.02`; `reg inf (b)` if others are tested against it."""
        return f"{self.setting.label} ({self.letter})" if self.letter else self.setting.label


@dataclass(frozen=True)
class Table:
    """Rows in the order of tables: baselines, then reg from 0 to inf.

    Attributes:
        seeds: The largest number of seeds of any cell.
    """

    columns: tuple[Column, ...]
    rows: tuple[Row, ...]
    seeds: int

    @property
    def over(self) -> str:
        """What intervals are over: `topics and seeds`, or `topics` with one seed."""
        return "topics and seeds" if self.seeds > 1 else "topics"

    @property
    def notes(self) -> list[str]:
        """What brackets and signs mean, for those that a cell has."""
        scored = [cell for row in self.rows for cell in row.cells if cell.mean is not None]
        notes = {
            DOUBTFUL_NOTE: any(cell.doubtful for cell in scored),
            f"[low, high]: 95 % bootstrap interval over {self.over}.": any(cell.interval for cell in scored),
        }
        return [
            *approximate_note([search for cell in scored for search in cell.searches]),
            *smaller_note([words for cell in scored for words in cell.smaller]),
            *(note for note, needed in notes.items() if needed),
        ]


def approximate_note(searches: Sequence[ApproximateSearch]) -> list[str]:
    """Explain the sign of approximate runs, with the share of exact results that they found; empty without runs."""
    if not searches:
        return []
    known = sorted(search.overlap for search in searches if search.overlap is not None)
    ends = list(dict.fromkeys(f"{100 * share:.1f}" for share in known[:1] + known[-1:]))
    found = f"{' to '.join(ends)} % of the exact results were found" if known else "their recall was not measured"
    unchecked = len(searches) - len(known)
    unknown = f" ({several(unchecked, 'run')} unchecked)" if known and unchecked else ""
    engines = ", ".join(dict.fromkeys(search.engine for search in searches))
    return [f"{APPROXIMATE} Approximate search (retrieval.engine: {engines}): {found}{unknown}."]


def smaller_note(indexes: Sequence[str]) -> list[str]:
    """Explain the sign of runs on a smaller index; empty without runs."""
    kept = "; ".join(dict.fromkeys(indexes))
    return [f"{SMALLER} The index keeps less of the documents than was encoded: {kept}."] if kept else []


def tabulate(results: Sequence[Result], measures: Sequence[str], findings: "Findings | None" = None) -> Table:
    """Put results into a table, pairs in their order of appearance, each with all the measures.

    Columns name their corpus mode unless every result is on the full corpus.

    Args:
        findings: Intervals for the cells, and marks for the cells of the tested measure.

    Raises:
        ValueError: two results have the same pair, corpus, setting and seed.
    """
    groups: Groups = defaultdict(dict)
    for result in results:
        seeds = groups[result.pair, result.corpus, result.setting]
        if result.seed in seeds:
            raise ValueError(f"two results for one cell: {result}")
        seeds[result.seed] = result
    labelled = any(result.corpus != FULL for result in results)
    columns = tuple(
        Column(pair, corpus, measure, f"{pair} ({corpus})" if labelled else pair)
        for pair, corpus in dict.fromkeys((result.pair, result.corpus) for result in results)
        for measure in measures
    )
    most = max((len(seeds) for seeds in groups.values()), default=0)
    tested = findings if findings and findings.measure in measures else None
    rows = []
    for setting in in_order(result.setting for result in results):
        cells = tuple(_cell(groups, column, setting, most, findings) for column in columns)
        rows.append(Row(setting, cells, tested.letter(setting) if tested else ""))
    return Table(columns, tuple(rows), most)


def _cell(groups: Groups, column: Column, setting: Setting, most: int, findings: "Findings | None") -> TableCell:
    named = (column.pair, column.corpus, setting)
    results = groups[named].values()
    values = [value for result in results if (value := result.value(column.measure)) is not None]
    return TableCell(
        mean=fmean(values) if values else None, seeds=len(values), of=most if setting.is_trained else len(values),
        failed=sum(result.failure is not None for result in results),
        doubtful=any(result.doubtful for result in results),
        interval=findings.intervals.get((*named, column.measure)) if findings else None,
        marks=findings.marks(*named) if findings and column.measure == findings.measure else "",
        searches=tuple(result.search for result in results if result.search and result.scores),
        smaller=tuple(result.index.in_words for result in results if result.index and result.scores),
    )  # fmt: skip
