"""The formats of bitext files. To add one, add a row to `FORMATS` and a reader to `data/bitext/`."""

from collections.abc import Sequence
from typing import NamedTuple


class Format(NamedTuple):
    """A format of bitext files."""

    sentence: str  # a description, such as "a Moses zip of OPUS"
    reader: str  # `module:Class` in optical_cli.data.bitext
    endings: tuple[str, ...] = ()  # of file names, without .gz and .zst
    columns: str = ""  # what the setting `columns` selects: "keys" or "languages"; "" if it does not apply


FORMATS = {  # readers are subclasses of `RowFiles`; a file with another ending is read as TSV
    "tsv": Format("a TSV of sentences and translations", "rows:Tsv"),
    "aligned": Format("two files with a sentence on each line", "rows:Aligned"),
    "jsonl": Format("JSON Lines", "rows:JsonLines", ("jsonl", "ndjson", "json"), "keys"),
    "tmx": Format("TMX", "tmx:Tmx", ("tmx",), "languages"),
    "zip": Format("a Moses zip of OPUS", "rows:MosesZip", ("zip",), "languages"),
}


def format_of(source: Sequence[str]) -> str:
    """Return the format of a file, by the ending of its name without .gz and .zst; two files are `aligned`."""
    if len(source) == 2:
        return "aligned"
    ending = source[0].lower().removesuffix(".gz").removesuffix(".zst").rpartition(".")[2]
    return next((name for name, known in FORMATS.items() if ending in known.endings), "tsv")
