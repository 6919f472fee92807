"""Topics in the teacher's language: which pairs have some, who translates them, and what each of them says."""

from collections.abc import Mapping
from pathlib import Path

from optical_cli.config.experiment import Experiment, can_be_translated, languages_of
from optical_cli.data.paths import local_path
from optical_cli.errors import DataError
from optical_cli.pipeline.sources import Sources


def translated_pairs(experiment: Experiment) -> list[str]:
    """The pairs that can be searched by the teacher with translated topics, and have what translates them."""
    return [
        pair
        for pair in experiment.pairs
        if can_be_translated(pair, experiment.teacher.language) and languages_of(pair)[0] in experiment.translate
    ]


def translator_of(experiment: Experiment, pair: str) -> str:
    """Who or what translates the topics of a pair: as the experiment says, or the name of the model."""
    settings = experiment.translate[languages_of(pair)[0]]
    model = settings.model or ""
    here = model and local_path(model, experiment.base)
    return settings.by or (Path(model).name if here else model)


def translated_topics(sources: Sources, pair: str, translations: Mapping[str, str]) -> dict[str, str]:
    """The topics of a pair, each with the text of its translation, in the order of the topics.

    Raises:
        DataError: one has no translation.
    """
    topics = sources.topics(pair)
    asked = topics.topics()
    if missing := [query_id for query_id in asked if query_id not in translations]:
        language = languages_of(pair)[0]
        raise DataError(
            f"translate.{language}.topics: {len(missing)} of {len(asked)} topics of {topics.name} have no "
            f"translation there, such as {missing[0]!r}; add them"
        )
    return {query_id: translations[query_id] for query_id in asked}
