"""The formats of bitext files. A new one is a row of `FORMATS`, and a reader in `data/bitext/`."""

from collections.abc import Sequence
from typing import NamedTuple


class Format(NamedTuple):
    """A format of bitext files."""

    sentence: str
    reader: str  # `module:Class` in optical_cli.data.bitext
    endings: tuple[str, ...] = ()  # of file names, without .gz and .zst
    columns: str = ""  # what the setting `columns` names in it; "" if nothing


FORMATS = {  # a reader is a subclass of `RowFiles`; files of no known ending are TSV
    "tsv": Format("a TSV of sentences and translations", "rows:Tsv"),
    "aligned": Format("two files with a sentence on each line", "rows:Aligned"),
    "jsonl": Format("JSON Lines", "rows:JsonLines", ("jsonl", "ndjson", "json"), "keys"),
    "tmx": Format("TMX", "tmx:Tmx", ("tmx",), "languages"),
    "zip": Format("a Moses zip of OPUS", "rows:MosesZip", ("zip",), "languages"),
}


def format_of(source: Sequence[str]) -> str:
    """Name the format of one file, by the end of its name without .gz and .zst, or of two aligned files."""
    if len(source) == 2:
        return "aligned"
    ending = source[0].lower().removesuffix(".gz").removesuffix(".zst").rpartition(".")[2]
    return next((name for name, known in FORMATS.items() if ending in known.endings), "tsv")
