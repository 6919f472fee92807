"""The rows of a dataset of the datasets library, which is imported only when one is read."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from optical_cli.cache.fingerprints import Fingerprints
from optical_cli.data.bitext.columns import TRANSLATION, row_of
from optical_cli.data.bitext.rows import Row, RowSource
from optical_cli.data.places import Place
from optical_cli.errors import DataError, one_line

_READING = 1  # raise it when rows are made of a dataset in another way: remembered fingerprints end


def rows_of(dataset: Any, columns: tuple[str, str], name: str) -> Iterator[Row]:
    """The rows of a dataset; its other columns, which may be large, are not decoded."""
    held = dataset.column_names or []
    wanted = list(columns) if set(columns) <= set(held) else [TRANSLATION]
    if set(wanted) <= set(held):
        dataset = dataset.select_columns(wanted)
    for number, record in enumerate(dataset, start=1):
        yield row_of(record, columns, Place(name, number, "row"))


def fingerprint_of_rows(source: RowSource, state: str, memo: Fingerprints) -> str:
    """SHA-256 of the rows, remembered for a `state` that changes whenever they may have changed.

    It is of the rows and not of their files, so that a key does not depend on what the library made of them here.
    """
    name = f"rows of a dataset, reading {_READING}: {state}"
    return memo.of_stream(name, lambda: (json.dumps([row.teacher, row.foreign]).encode() for row in source.rows()))


@contextmanager
def datasets_library(name: str, mend: str) -> Iterator[Any]:
    """The library, quiet; what goes wrong inside it is told as a DataError with how to mend it."""
    import datasets
    from datasets.exceptions import DatasetsError

    datasets.disable_progress_bars()  # the terminal belongs to the command line
    datasets.logging.set_verbosity_error()
    try:
        yield datasets
    # a missing file or network is an OSError, a config, split or file that does not fit one of the others
    except (OSError, ValueError, KeyError, TypeError, RuntimeError, DatasetsError) as error:
        raise DataError(f"{name} cannot be read as a dataset ({one_line(error)}); {mend}") from error
