"""The means of a sweep as a table: settings down, pairs and measures across."""

import math
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from optical_cli.artifacts.result import ApproximateSearch, Result, Setting
from optical_cli.config.measures import parse_measure
from optical_cli.config.transport import TOLERATED_SHARE
from optical_cli.report.text import several

if TYPE_CHECKING:
    from optical_cli.report.findings import Findings, Interval

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
    """One measure of one pair on one corpus."""

    pair: str
    corpus: str
    measure: str
    labelled: bool  # whether the head names the corpus mode

    @property
    def pair_head(self) -> str:
        """`yo-yo`, or `yo-yo (pooled 5000)` in a table with other than full corpora."""
        return f"{self.pair} ({self.corpus})" if self.labelled else self.pair

    @property
    def head(self) -> str:
        """Pair and measure: `yo-yo (pooled 5000) nDCG@10`."""
        return f"{self.pair_head} {parse_measure(self.measure).label}"


@dataclass(frozen=True)
class TableCell:
    """The mean of one measure over the seeds that were scored."""

    mean: float | None  # None: no seed was scored
    seeds: int  # scored
    failed: int
    of: int  # the largest number of seeds of any cell of the table
    doubtful: bool  # whether plans behind one of them did not converge
    interval: "Interval | None" = None  # of the mean
    marks: str = ""  # of tests
    searches: tuple[ApproximateSearch, ...] = ()  # of its approximate runs
    smaller: tuple[str, ...] = ()  # how indexes of its runs are smaller than what was encoded

    @property
    def text(self) -> str:
        """`0.523`; `0.523 (2 of 3)` where seeds are missing; `0.523 †` if in doubt; `failed`; `–` for nothing.

        `≈0.523` of an approximate search, `0.523 ‡` of an index that keeps less. With findings
        `0.523 [.491, .555] ▲ab`: the interval and the marks of tests.
        """
        parts = [self.figure, self.bounds, self.missing, *self.signs, self.marks]
        return " ".join(part for part in parts if part)

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
        """`[.491, .555]`; nothing without an interval."""
        return f"[{_bare(self.interval.low)}, {_bare(self.interval.high)}]" if self.interval else ""

    @property
    def missing(self) -> str:
        """`(2 of 3)` where seeds of a mean are missing, else nothing."""
        return f"({self.seeds} of {self.of})" if 0 < self.seeds < self.of else ""

    @property
    def signs(self) -> tuple[str, ...]:
        """`†` of a mean in doubt, `‡` of one on an index that keeps less."""
        signs = {DOUBTFUL: self.doubtful, SMALLER: bool(self.smaller)}
        return tuple(sign for sign, needed in signs.items() if needed and self.mean is not None)


@dataclass(frozen=True)
class Row:
    """One setting over all columns."""

    setting: Setting
    cells: tuple[TableCell, ...]
    letter: str = ""  # what stands for it in marks

    @property
    def label(self) -> str:
        """`no training`, `reg 0.02`; `reg inf (b)` if others are tested against it."""
        return f"{self.setting.label} ({self.letter})" if self.letter else self.setting.label


@dataclass(frozen=True)
class Table:
    """Rows in grid order: baselines, then reg from 0 to inf."""

    columns: tuple[Column, ...]
    rows: tuple[Row, ...]
    seeds: int  # the largest number of seeds of any cell
    tests: int = 0  # comparisons behind its marks

    @property
    def notes(self) -> list[str]:
        """What intervals and marks mean, as far as a cell has them."""
        scored = [cell for row in self.rows for cell in row.cells if cell.mean is not None]
        searches = [search for cell in scored for search in cell.searches]
        smaller = [words for cell in scored for words in cell.smaller]
        over = "topics and seeds" if self.seeds > 1 else "topics"
        notes = approximate_note(searches) + smaller_note(smaller)
        if any(cell.doubtful for cell in scored):
            notes.append(DOUBTFUL_NOTE)
        if any(cell.interval for cell in scored):
            notes.append(f"In brackets: 95 % bootstrap intervals over {over}.")
        if self.tests and any(row.letter for row in self.rows):
            notes.append(
                "▲ above, ▼ below the row of that letter: paired randomization test over topics, p < 0.05 after Holm's "
                f"correction for {self.tests} tests, and the 95 % interval of the difference over {over} leaves out 0. "
                "Without a mark no difference was shown."
            )
            if self.seeds == 1:
                notes.append("One seed: marks hold for these students only; another training may differ.")
        return notes


def approximate_note(searches: Sequence[ApproximateSearch]) -> list[str]:
    """What the mark of approximate runs means, with the share of exact results they found; empty without runs."""
    if not searches:
        return []
    known = sorted(search.overlap for search in searches if search.overlap is not None)
    ends = list(dict.fromkeys(f"{100 * share:.1f}" for share in known[:1] + known[-1:]))
    found = f"{' to '.join(ends)} % of the exact results were found" if known else "how much they missed is not known"
    unchecked = len(searches) - len(known)
    unknown = f" ({several(unchecked, 'run')} unchecked)" if known and unchecked else ""
    engines = ", ".join(dict.fromkeys(search.engine for search in searches))
    return [f"{APPROXIMATE} These runs did not score every document (retrieval.engine: {engines}): {found}{unknown}."]


def smaller_note(indexes: Sequence[str]) -> list[str]:
    """What the mark of runs on a smaller index means; empty without runs."""
    kept = "; ".join(dict.fromkeys(indexes))
    note = f"{SMALLER} The index of these runs keeps less of the documents than was encoded: {kept}."
    return [note] if kept else []


def tabulate(results: Sequence[Result], measures: Sequence[str], findings: "Findings | None" = None) -> Table:
    """Put results into a table, pairs in their order of appearance, each with all the measures.

    Columns name their corpus mode unless every result is on the full corpus. With findings, cells have intervals, and
    those of the tested measure have marks.

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
    most = max((len(seeds) for seeds in groups.values()), default=0)
    tested = findings if findings and findings.measure in measures else None
    rows = []
    for setting in sorted({result.setting for result in results}, key=lambda setting: setting.rank):
        cells = tuple(
            _cell(groups.get((column.pair, column.corpus, setting), {}), column, setting, most, findings)
            for column in columns
        )
        rows.append(Row(setting, cells, tested.letter(setting) if tested else ""))
    return Table(columns, tuple(rows), most, len(tested.comparisons) if tested else 0)


def _cell(
    seeds: Mapping[int, Result], column: Column, setting: Setting, most: int, findings: "Findings | None"
) -> TableCell:
    results = seeds.values()
    values = [value for result in results if (value := result.value(column.measure)) is not None]
    named = (column.pair, column.corpus, setting)
    return TableCell(
        mean=math.fsum(values) / len(values) if values else None,
        seeds=len(values),
        failed=sum(result.failure is not None for result in results),
        of=most,
        doubtful=any(result.doubtful for result in results),
        interval=findings.intervals.get((*named, column.measure)) if findings else None,
        marks=findings.marks(*named) if findings and column.measure == findings.measure else "",
        searches=tuple(result.search for result in results if result.search and result.scores),
        smaller=tuple(result.index.in_words for result in results if result.index and result.scores),
    )


def _bare(value: float) -> str:
    """`.491`, and `1.000`: a figure of an interval, as short as it can be."""
    return f"{value:.3f}".replace("0.", ".", 1)
