"""Every per-topic score as a Parquet file, whose columns have types: reg is a number, inf among them."""

from itertools import chain
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet

from optical_cli.report.study import Study

REPEATED = pa.dictionary(pa.int32(), pa.string())
"""Texts that come again in row after row are stored once."""
CELL = {"pair": REPEATED, "corpus": REPEATED, "objective": REPEATED, "reg": pa.float64(), "seed": pa.int64()}


def write_scores_parquet(path: Path, study: Study) -> None:
    """The rows and columns of `scores.csv`: a row for each topic of each cell; reg is null for what has none."""
    scored = [(result, result.scores.per_topic) for result in study.results if result.scores]
    topics = [list(per_topic[study.measures[0]]) for _, per_topic in scored]
    rows = pa.array(np.repeat(np.arange(len(scored)), [len(own) for own in topics]))  # the cell of each
    columns = {
        name: pa.array([getattr(result, name) for result, _ in scored], kind).take(rows) for name, kind in CELL.items()
    }
    columns["topic"] = pa.array(chain.from_iterable(topics), REPEATED)
    for measure in study.measures:
        values = (
            per_topic[measure][topic] for (_, per_topic), own in zip(scored, topics, strict=True) for topic in own
        )
        columns[measure] = pa.array(np.fromiter(values, dtype=np.float64))
    pyarrow.parquet.write_table(pa.table(columns), path)
