"""The means of a sweep as a table, settings down, pairs and measures across; or as lines of text with bars."""

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

Groups: TypeAlias = dict[tuple[str, str, Setting], dict[int, Result]]  # by pair, corpus and setting, then by seed

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
EIGHTHS = " ▏▎▍▌▋▊▉"
SHORTEST_BAR = 8


@dataclass(frozen=True)
class Column:
    """One measure of one pair on one corpus."""

    pair: str
    corpus: str
    measure: str
    pair_head: str  # `yo-yo`, or `yo-yo (pooled 5000)` in a table with other than full corpora

    @property
    def head(self) -> str:
        """`yo-yo (pooled 5000) nDCG@10`."""
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
        """`[.491, .555]`, or `[.982, 1.000]`; nothing without an interval."""
        if self.interval is None:
            return ""
        low, high = (f"{end:.3f}".replace("0.", ".", 1) for end in (self.interval.low, self.interval.high))
        return f"[{low}, {high}]"

    @property
    def missing(self) -> str:
        """`(2 of 3)` where seeds of a mean are missing, else nothing."""
        return f"({self.seeds} of {self.of})" if 0 < self.seeds < self.of else ""

    @property
    def signs(self) -> tuple[str, ...]:
        """`†` of a mean in doubt, `‡` of one on an index that keeps less."""
        signs = {DOUBTFUL: self.doubtful, SMALLER: self.smaller}
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
        over = "topics and seeds" if self.seeds > 1 else "topics"
        lettered = self.tests > 0 and any(row.letter for row in self.rows)
        notes = {
            DOUBTFUL_NOTE: any(cell.doubtful for cell in scored),
            f"In brackets: 95 % bootstrap intervals over {over}.": any(cell.interval for cell in scored),
            "▲ above, ▼ below the row of that letter: paired randomization test over topics, p < 0.05 after Holm's "
            f"correction for {self.tests} tests, and the 95 % interval of the difference over {over} leaves out 0. "
            "Without a mark no difference was shown.": lettered,
            "One seed: marks hold for these students only; another training may differ.": lettered and self.seeds == 1,
        }
        return [
            *approximate_note([search for cell in scored for search in cell.searches]),
            *smaller_note([words for cell in scored for words in cell.smaller]),
            *(note for note, needed in notes.items() if needed),
        ]


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
    return [f"{SMALLER} The index of these runs keeps less of the documents than was encoded: {kept}."] if kept else []


def tabulate(results: Sequence[Result], measures: Sequence[str], findings: "Findings | None" = None) -> Table:
    """Put results into a table, pairs in their order of appearance, each with all the measures.

    Columns name their corpus mode unless every result is on the full corpus. With findings, cells have intervals, and
    those of the tested measure have marks. ValueError at two results for one pair, corpus, setting and seed.
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
    return Table(columns, tuple(rows), most, len(tested.comparisons) if tested else 0)


def _cell(groups: Groups, column: Column, setting: Setting, most: int, findings: "Findings | None") -> TableCell:
    named = (column.pair, column.corpus, setting)
    results = groups[named].values()
    values = [value for result in results if (value := result.value(column.measure)) is not None]
    return TableCell(
        mean=fmean(values) if values else None, seeds=len(values), of=most,
        failed=sum(result.failure is not None for result in results),
        doubtful=any(result.doubtful for result in results),
        interval=findings.intervals.get((*named, column.measure)) if findings else None,
        marks=findings.marks(*named) if findings and column.measure == findings.measure else "",
        searches=tuple(result.search for result in results if result.search and result.scores),
        smaller=tuple(result.index.in_words for result in results if result.index and result.scores),
    )  # fmt: skip


def text_curve(results: Sequence[Result], measure: str, width: int = 80) -> list[str]:
    """One block a pair, one line a setting: label, value, bar; lines of at most `width` characters.

    All bars share a scale from 0 to the highest value. A width too small for a bar of eight characters is exceeded.
    """
    table = tabulate(results, [measure])
    cells = [cell for row in table.rows for cell in row.cells]
    top = max((cell.mean or 0.0 for cell in cells), default=0.0) or 1.0
    labels = max((len(row.label) for row in table.rows), default=0)
    values = max((len(cell.text) for cell in cells), default=0)
    room = max(width - labels - values - 6, SHORTEST_BAR)
    seeds = f", mean of {table.seeds} seeds" if table.seeds > 1 else ""
    lines = []
    for i, column in enumerate(table.columns):
        lines += [""] if i else []
        lines.append(f"{column.pair_head}  {parse_measure(measure).label}{seeds}")
        for row in table.rows:
            whole, eighths = divmod(round(8 * room * (row.cells[i].mean or 0.0) / top), 8)
            bar = "█" * whole + EIGHTHS[eighths]
            lines.append(f"  {row.label:<{labels}}  {row.cells[i].text:<{values}}  {bar}".rstrip())
    return lines
