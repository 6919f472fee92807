"""Every per-topic score as a Parquet file, whose columns have types: reg is a number, inf among them."""

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet

from optical_cli.report.spreadsheets import topic_rows
from optical_cli.report.study import Study


def write_scores_parquet(path: Path, study: Study) -> None:
    """The rows and columns of `scores.csv`: a row for each topic of each cell; reg is null for what has none.

    Texts that come again in row after row are stored once, as Arrow's dictionaries.
    """
    repeated = pa.dictionary(pa.int32(), pa.string())
    schema = pa.schema(
        [
            ("pair", repeated), ("corpus", repeated), ("objective", repeated), ("reg", pa.float64()),
            ("seed", pa.int64()), ("topic", repeated), *((measure, pa.float64()) for measure in study.measures),
        ]
    )  # fmt: skip
    rows = [
        (result.pair, result.corpus, result.objective, result.reg, result.seed, topic, *values)
        for result, topic, values in topic_rows(study)
    ]
    columns = list(zip(*rows, strict=True)) or [()] * len(schema)
    arrays = [pa.array(column, field.type) for column, field in zip(columns, schema, strict=True)]
    pyarrow.parquet.write_table(pa.table(arrays, schema=schema), path)
