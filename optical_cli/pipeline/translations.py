"""Topics in the teacher's language: as somebody translated them, or by a translation model."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from optical_cli.cache.artifact import Health
from optical_cli.config.experiment import Experiment, can_be_translated, languages_of
from optical_cli.data.paths import local_path
from optical_cli.data.topics import read_topics
from optical_cli.errors import ConfigError, DataError
from optical_cli.pipeline.context import Context
from optical_cli.pipeline.sources import Sources
from optical_cli.pipeline.step import Step, make_step


@dataclass(frozen=True)
class TopicInput:
    """The topics of a search.

    Attributes:
        material: what of them belongs in keys.
        topics: gives the texts by query id, from the folders of the inputs.
        inputs: the steps whose artifacts they are read from.
        provenance: who translated them, for the manifest of a run.
    """

    language: str
    material: str
    topics: Callable[[Mapping[str, Path]], Mapping[str, str]]
    inputs: Mapping[str, Step]
    provenance: Health


class Translations:
    """The topics of pairs in the teacher's language."""

    def __init__(self, context: Context) -> None:
        self._at = context
        self._sources = context.sources

    def of(self, pair: str) -> TopicInput:
        """The translated topics of a pair.

        Raises:
            ConfigError: the teacher could not search with them, or nobody translates them.
        """
        x, language = self._at.experiment, languages_of(pair)[0]
        if not can_be_translated(pair, x.teacher.language):
            raise ConfigError(
                f"{pair}: translated topics are in the teacher's language ({x.teacher.language}), and a search with "
                f"them needs documents in it and topics that are not; a pair such as {self._example()} expected"
            )
        if language not in x.translate:
            raise ConfigError(f"{pair}: nobody translates its topics; add translate.{language}.model, or topics and by")
        provenance = {"topics_translated_by": translator_of(x, pair)}
        if translations := self._sources.translations(pair):
            return TopicInput(
                x.teacher.language,
                translations.fingerprint(self._at.cache.fingerprints),
                lambda _inputs: translated_topics(self._sources, pair, translations.topics()),
                {},
                provenance,
            )
        step = self._step(pair)
        return TopicInput(
            x.teacher.language,
            step.key.digest,
            lambda inputs: read_topics(inputs["translations"] / "topics.tsv"),
            {"translations": step},
            provenance,
        )

    def _step(self, pair: str) -> Step:
        """The topics of a pair as a model translates them."""
        x = self._at.experiment
        query, document = languages_of(pair)
        settings, topics = x.translate[query], self._sources.topics(pair)
        model = self._sources.model(settings.model or "")
        material = {
            "model": model.fingerprint,
            "topics": topics.fingerprint(self._at.cache.fingerprints),
            "settings": settings.model_dump(exclude={"topics", "by", "model"}),
        }

        def build(folder: Path, _inputs: Mapping[str, Path]) -> Health:
            from optical_cli.retrieve.translated_topics import translate_topics

            health = translate_topics(
                topics.topics(),
                model.folder,
                folder,
                settings=settings,
                device=self._at.setup.device,
                progress=self._at.progress,
            )
            return {**health, "model": translator_of(x, pair)}

        return make_step("translate", f"{query}-in-{document}-{model.label}", material, build)

    def _example(self) -> str:
        teacher = self._at.experiment.teacher.language
        foreign = next(iter(self._at.experiment.bitext), "sw")
        return f"{foreign}-{teacher}"


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
