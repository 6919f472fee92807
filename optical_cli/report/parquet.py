"""Every per-topic score as a Parquet file, whose columns have types: reg is a number, inf among them."""

import csv
from pathlib import Path

import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet

REPEATED = pa.dictionary(pa.int32(), pa.string())
"""Texts that come again in row after row are stored once."""
TYPES = {
    **dict.fromkeys(("pair", "corpus", "objective", "topic"), REPEATED), "reg": pa.float64(), "seed": pa.int64(),
}  # fmt: skip


def write_scores_parquet(path: Path, scores_csv: Path) -> None:
    """The rows and columns of `scores.csv`, a row for each topic of each cell; reg is null for what has none.

    Read from that file, because pyarrow loads pandas, which takes longer than all else here, to look at a Python list.
    """
    with scores_csv.open(encoding="utf-8", newline="") as file:
        heads = next(csv.reader(file))
    kinds = {name: TYPES.get(name, pa.float64()) for name in heads}
    read = pyarrow.csv.ConvertOptions(column_types=kinds)
    pyarrow.parquet.write_table(pyarrow.csv.read_csv(scores_csv, convert_options=read), path)
