"""The bitext a student learns from."""

from typing import Annotated, Self

from pydantic import AfterValidator, Field, model_validator

from optical_cli.config.bitext_formats import FORMATS, format_of
from optical_cli.config.settings import Count, CountFromZero, Flag, Number, Settings, Sources


def _two_names(names: tuple[str, ...]) -> tuple[str, ...]:
    if len(set(names)) != 2 or len(names) != 2:
        raise ValueError("two names, that of the teacher's sentences and that of their translations")
    return names


class Filter(Settings):
    """Which rows of a bitext are left out, besides rows with an empty side and duplicates.

    Attributes:
        equal: Leave out rows whose sides differ at most in case: copied, not translated.
        length_ratio: Largest ratio of the longer to the shorter side, in characters, at least 1; null for any.
        max_characters: Most characters of a side; null for any.
    """

    equal: Flag = True
    length_ratio: Annotated[Number, Field(ge=1)] | None = 9.0
    max_characters: Count | None = 2000


class Bitext(Settings):
    """Sentences in the teacher's language and their translations: a `source` or a `dataset`.

    Attributes:
        source: A file (TSV, JSONL, TMX, a Moses zip of OPUS), two files aligned by line, or `builtin:tiny`.
        dataset: A Hugging Face id, or the folder of a dataset.
        config: Configuration of the dataset; null for its only one.
        split: Split of the dataset.
        revision: Commit of the Hugging Face id, 40 hex digits; null for the cached one, or else the newest.
        columns: Keys, columns or languages of the teacher's sentences and the translations; null for language codes.
        filter: Which rows are left out.
        max_pairs: Most pairs to train on, a seeded sample; null for all.
        held_out: Number of pairs kept from training, to measure the student on.
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
        """`dataset`, or a key of `FORMATS`."""
        if self.dataset is not None:
            return "dataset"
        return "aligned" if self.source is None else format_of(self.source)

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
