"""Settings of the bitext that a student learns from."""

from typing import Annotated, Self

from pydantic import AfterValidator, Field, model_validator

from optical_cli.config.bitext_formats import FORMATS, format_of
from optical_cli.config.settings import Count, CountFromZero, Flag, Number, Settings, Sources


def _two_names(names: tuple[str, ...]) -> tuple[str, ...]:
    if len(set(names)) != 2 or len(names) != 2:
        raise ValueError("two different names: the teacher's language first, then the translations")
    return names


class Filter(Settings):
    """Rows of a bitext that are dropped. Rows with an empty side and repeated rows always are.

    Attributes:
        equal: Drop rows whose two sides are equal up to case: copied, not translated.
        length_ratio: Drop rows whose longer side has more than this many times the characters of the shorter side;
            null keeps every ratio.
        max_characters: Drop rows with a side of more characters than this; null keeps every length.
    """

    equal: Flag = True
    length_ratio: Annotated[Number, Field(ge=1)] | None = 9.0
    max_characters: Count | None = 2000


class Bitext(Settings):
    """Sentences in the teacher's language and their translations, from a `source` or a `dataset`.

    Attributes:
        source: A file (TSV, JSON Lines, TMX or a Moses zip of OPUS), a list of two files aligned by line, or
            `builtin:tiny`. Files may be compressed (.gz, .zst).
        dataset: A dataset of the Hugging Face `datasets` library: a hub id or a folder. Replaces `source`.
        config: Configuration of the dataset; null if it has only one.
        split: Split of the dataset.
        revision: Commit of the dataset on the hub, 40 hex digits; null uses the cached copy, or downloads the newest.
        columns: Names of the teacher's side and of the translations: keys of JSON Lines, columns of a dataset, or
            languages of a TMX or zip. null uses the two language codes.
        filter: Rows to drop.
        max_pairs: Number of pairs to train on, a fixed random sample; null trains on all of them.
        held_out: Number of pairs kept out of the training to measure the student on; 0 measures nothing.
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
        """Name of the format: `dataset`, or a key of `FORMATS`."""
        if self.dataset is not None:
            return "dataset"
        return "aligned" if self.source is None else format_of(self.source)

    @model_validator(mode="after")
    def _fits_its_format(self) -> Self:
        if self.source is None and self.dataset is None:
            raise ValueError("source: missing; name a file, or a `dataset`")
        if self.source is not None and self.dataset is not None:
            raise ValueError("dataset: expected either a `dataset` or a `source`, found both; remove one of them")
        faults = []
        if self.dataset is None:
            given = sorted(self.model_fields_set & {"config", "split", "revision"})
            faults += [f"{name}: applies to a `dataset` only; remove it, or name a dataset" for name in given]
        if self.columns is not None and self.dataset is None and not FORMATS[self.format].columns:
            found = FORMATS[self.format].sentence
            faults.append(f"columns: does not apply to {found}; remove it, and put the teacher's language first")
        if faults:
            raise ValueError("\n".join(faults))
        return self
