"""The baseline `translate`: how the topics of a language come into the teacher's."""

from typing import Annotated, Self

from pydantic import Field, model_validator

from optical_cli.config.settings import Count, Settings

_OF_A_MODEL = {"source_code", "target_code", "prefix", "beams", "max_length", "batch_size"}

Name = Annotated[str, Field(min_length=1)]


class Translate(Settings):
    """Topics of a language, translated for a search by the teacher.

    Attributes:
        topics: the translations themselves: whatever `pairs.*.topics` may be.
        by: who or what made them; of a model its name, unless it is given.
        model: instead of topics a translation model (encoder and decoder): a folder or a Hugging Face id, safetensors.
        source_code: what the model calls the topics' language, such as hin_Deva; null for a model of one pair.
        target_code: what it calls the teacher's, such as eng_Latn.
        prefix: stands before each topic, as T5 wants it.
        beams: of the search for a translation; 1 takes the likeliest token each time.
        max_length: tokens of a topic and of a translation; the rest is cut off.
        batch_size: topics at a time; it can move the last bits of a score, and with them a token.
    """

    topics: str | None = None
    by: Name | None = None
    model: str | None = None
    source_code: Name | None = None
    target_code: Name | None = None
    prefix: str = ""
    beams: Count = 4
    max_length: Count = 128
    batch_size: Count = 16

    @model_validator(mode="after")
    def _one_of_two(self) -> Self:
        if (self.topics is None) == (self.model is None):
            found = "neither" if self.topics is None else "both"
            raise ValueError(f"model: either a model or topics that are translated already expected, found {found}")
        if self.topics is not None:
            faults = [
                f"{name}: only a model has one; leave it out, or name a model"
                for name in sorted(self.model_fields_set & _OF_A_MODEL)
            ]
            if self.by is None:
                faults.append("by: expected beside topics: who or what translated them")
            if faults:
                raise ValueError("\n".join(faults))
        return self
