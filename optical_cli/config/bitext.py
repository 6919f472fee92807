"""The sentences a student learns from."""

from typing import Annotated, NamedTuple, Self

from pydantic import AfterValidator, Field, model_validator

from optical_cli.config.settings import Count, CountFromZero, Flag, Number, Settings, Sources


class Format(NamedTuple):
    """A format of bitext files.

    Attributes:
        sentence: what it looks like, for people.
        reader: its class, as `module:Class` in optical_cli.data.bitext.
        endings: of file names, without .gz and .zst.
        columns: what `columns` names in it; "" if nothing.
    """

    sentence: str
    reader: str
    endings: tuple[str, ...] = ()
    columns: str = ""


FORMATS = {
    "tsv": Format("a TSV of sentences and translations", "lines:Tsv"),
    "aligned": Format("two files with a sentence on each line", "lines:Aligned"),
    "jsonl": Format("JSON Lines", "lines:JsonLines", ("jsonl", "ndjson", "json"), "keys"),
    "tmx": Format("TMX", "tmx:Tmx", ("tmx",), "languages"),
    "zip": Format("a Moses zip of OPUS", "lines:MosesZip", ("zip",), "languages"),
}
"""The table of formats. A new one is a row here and a reader, a subclass of `RowFiles`; files of no ending are TSV."""


def _two_names(names: tuple[str, ...]) -> tuple[str, ...]:
    if len(set(names)) != 2 or len(names) != 2:
        raise ValueError("two names, that of the teacher's sentences and that of their translations")
    return names


class Filter(Settings):
    """Which rows of a bitext are left out; empty sides and duplicates always are.

    Attributes:
        equal: drop a row whose sides are the same but for case: it was copied, not translated.
        length_ratio: drop a row with one side more than so many times as long as the other, in characters;
            null for any.
        max_characters: drop a row with a side longer than that; null for any.
    """

    equal: Flag = True
    length_ratio: Annotated[Number, Field(ge=1)] | None = 9.0
    max_characters: Count | None = 2000


class Bitext(Settings):
    """Sentences in the teacher's language and their translations.

    Attributes:
        source: a file (TSV, JSONL, TMX, a Moses zip of OPUS), two line-aligned files, or `builtin:tiny`.
        dataset: instead of it a Hugging Face id, or the folder of a dataset.
        config: of a dataset; null for the only one.
        split: of a dataset.
        revision: of a Hugging Face id, a commit; null for the one in the cache, or else the newest.
        columns: how the source calls the sentences and the translations: keys of JSONL, columns of a dataset,
            languages of TMX and zip; null for the codes of the two languages.
        filter: which rows are left out.
        max_pairs: train on at most so many, a seeded sample; null for all.
        held_out: so many pairs are kept from training and watched.
    """

    source: Sources | None = None
    dataset: str | None = None
    config: str | None = None
    split: Annotated[str, Field(pattern=r"^\w[\w.]*$")] = "train"
    revision: Annotated[str, Field(pattern=r"^[0-9a-f]{40}$")] | None = None
    columns: Annotated[tuple[str, ...], AfterValidator(_two_names)] | None = None
    filter: Filter = Filter()
    max_pairs: Count | None = None
    held_out: CountFromZero = 500

    @property
    def format(self) -> str:
        """`dataset`, or a key of `FORMATS`, by the end of the file's name; .gz and .zst say only how it is packed."""
        if self.dataset is not None:
            return "dataset"
        if self.source is None or len(self.source) == 2:
            return "aligned"
        ending = self.source[0].lower().removesuffix(".gz").removesuffix(".zst").rpartition(".")[2]
        return next((name for name, known in FORMATS.items() if ending in known.endings), "tsv")

    @model_validator(mode="after")
    def _fits_its_format(self) -> Self:
        if self.source is None and self.dataset is None:
            raise ValueError("source: expected, and not there; name a file, or a `dataset`")
        if self.source is not None and self.dataset is not None:
            raise ValueError("dataset: there is a source too; leave one of the two out")
        faults = []
        if self.dataset is None:
            given = sorted(self.model_fields_set & {"config", "split", "revision"})
            faults += [f"{name}: only a `dataset` has one; leave it out, or name a dataset" for name in given]
        if self.columns is not None and self.dataset is None and not FORMATS[self.format].columns:
            held = FORMATS[self.format].sentence
            faults.append(f"columns: not of {held}; leave it out, the teacher's side comes first")
        if faults:
            raise ValueError("\n".join(faults))
        return self
