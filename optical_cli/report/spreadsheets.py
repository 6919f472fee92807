"""Per-topic scores, means with intervals, comparisons and held-out figures as CSV; the scores as Parquet, too."""

import csv
from collections.abc import Iterable, Sequence
from functools import cache
from io import StringIO
from operator import attrgetter
from pathlib import Path

import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet

from optical_cli.artifacts.result import Setting
from optical_cli.report.study import Study
from optical_cli.report.table import tabulate
from optical_cli.transport.solvers import format_reg

CELL = ("pair", "corpus", "objective", "reg")
REPEATED = pa.dictionary(pa.int32(), pa.string())  # stores a repeated text once
RULERS = ("p@1", "transport_cost", "token_cosine")
COMPARED = {
    "difference": "difference", "low": "low", "high": "high", "d_z": "effect", "p": "p", "p_holm": "corrected",
    "smallest_difference": "smallest", "wins": "wins", "losses": "losses", "seeds": "seeds",
    "seeds_agreeing": "agreeing", "mark": "mark", "margin": "margin", "p_equivalent": "p_equivalent",
    "p_equivalent_holm": "corrected_equivalent",
}  # fmt: skip
"""The columns of `comparisons.csv` that are attributes of a `Comparison`."""
TYPES = {**dict.fromkeys((*CELL, "topic"), REPEATED), "reg": pa.float64(), "seed": pa.int64()}


def write_scores_csv(path: Path, study: Study) -> None:
    """Write a line for each topic of each cell: pair, corpus, objective, reg, seed, topic, then every measure."""
    quoted = cache(_line)  # the bytes of csv.writer in half its time: a text is quoted once, not at every topic
    with path.open("w", encoding="utf-8", newline="") as file:
        file.write(f"{_line(*CELL, 'seed', 'topic', *study.measures)}\n")
        for one in study.results:
            if one.scores:
                cell = _line(*_cell(one.pair, one.corpus, one.setting), one.seed)
                by_measure = [one.scores.per_topic[name] for name in study.measures]
                for topic in by_measure[0]:
                    values = ",".join([repr(of_topic[topic]) for of_topic in by_measure])
                    file.write(f"{cell},{quoted(topic)},{values}\n")


def write_scores_parquet(path: Path, scores_csv: Path) -> None:
    """Write the rows and columns of `scores.csv` with types: reg is a number, inf included, or null.

    The rows come from that file: for Python lists, pyarrow would load pandas, which takes longer than all the rest.
    """
    with scores_csv.open(encoding="utf-8", newline="") as file:
        heads = next(csv.reader(file))
    read = pyarrow.csv.ConvertOptions(column_types={name: TYPES.get(name, pa.float64()) for name in heads})
    pyarrow.parquet.write_table(pyarrow.csv.read_csv(scores_csv, convert_options=read), path)


def write_means_csv(path: Path, study: Study) -> None:
    """Write a line for each pair, setting and measure: mean over topics and seeds, interval, counts and marks."""
    table = tabulate(study.results, study.measures, study.findings)
    topics = {(result.pair, result.corpus): result.scores.topics for result in study.results if result.scores}
    heads = (*CELL, "measure", "mean", "low", "high", "topics", "seeds", "failed", "doubtful", "approximate", "index")
    rows = (
        (
            *_cell(column.pair, column.corpus, row.setting), column.measure, cell.mean,
            *((cell.interval.low, cell.interval.high) if cell.interval else (None, None)),
            topics[column.pair, column.corpus], cell.seeds, cell.failed, int(cell.doubtful), int(bool(cell.searches)),
            "; ".join(dict.fromkeys(cell.smaller)),
        )
        for row in table.rows
        for column, cell in zip(table.columns, row.cells, strict=True)
        if cell.mean is not None
    )  # fmt: skip
    _write(path, heads, rows)


def write_comparisons_csv(path: Path, study: Study) -> None:
    """Write a line for each reg and reference, with every figure of a `Comparison`."""
    compared, measure = attrgetter(*COMPARED.values()), study.findings.measure
    rows = (
        (*_cell(one.pair, one.corpus, one.setting), one.reference.label, measure, *compared(one))
        for one in study.findings.comparisons
    )
    _write(path, (*CELL, "reference", "measure", *COMPARED), rows)


def write_held_out_csv(path: Path, study: Study) -> None:
    """Write a line for each trained cell: its figures on the held-out bitext, before and after training."""
    rows = (
        (*_cell(one.pair, one.corpus, one.setting), one.seed, *(
            (figures or {}).get(ruler) for ruler in RULERS for figures in (one.held_out_start, one.held_out)
        ))
        for one in study.results
        if one.held_out
    )  # fmt: skip
    _write(path, (*CELL, "seed", *(f"{ruler}_{when}" for ruler in RULERS for when in ("start", "end"))), rows)


def _cell(pair: str, corpus: str, setting: Setting) -> tuple[str, str, str, str]:
    return pair, corpus, setting.objective, "" if setting.reg is None else format_reg(setting.reg)


def _write(path: Path, heads: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(heads)
        writer.writerows(rows)


def _line(*values: object) -> str:
    text = StringIO()
    csv.writer(text, lineterminator="").writerow(values)
    return text.getvalue()
