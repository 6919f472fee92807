"""Parquet files: reading records, each with its position. pyarrow is imported only to read one."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from optical_cli.data.text_files import Place
from optical_cli.errors import DataError, one_line

ENDING = ".parquet"


def is_parquet(path: Path) -> bool:
    """Return whether a file is read as parquet, by its name."""
    return path.name.endswith(ENDING)


def read_records(path: Path, columns: Sequence[str]) -> Iterator[tuple[Place, dict[str, Any]]]:
    """Stream the rows of a file with those of some columns that it has; DataError if it cannot be read."""
    import pyarrow as pa
    import pyarrow.parquet

    try:
        with pyarrow.parquet.ParquetFile(path) as file:
            there = [name for name in file.schema_arrow.names if name in columns]
            number = 0
            for batch in file.iter_batches(columns=there or None):
                for record in batch.to_pylist():
                    number += 1
                    yield Place(str(path), number, "row"), record
    except (pa.ArrowException, OSError) as error:
        raise DataError(f"{path} cannot be read as parquet ({one_line(error)}); check that it is complete") from error


def count_records(path: Path) -> int:
    """Return the number of rows of a file; DataError if it cannot be read."""
    import pyarrow as pa
    import pyarrow.parquet

    try:
        with pyarrow.parquet.ParquetFile(path) as file:
            return int(file.metadata.num_rows)
    except (pa.ArrowException, OSError) as error:
        raise DataError(f"{path} cannot be read as parquet ({one_line(error)}); check that it is complete") from error
