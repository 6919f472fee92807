"""The topics of a search: the original ones, or translations into the teacher's language."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from optical_cli.cache.artifact import Health
from optical_cli.config.experiment import Experiment, can_be_translated, languages_of
from optical_cli.data.paths import local_path
from optical_cli.data.topics import read_topics
from optical_cli.errors import ConfigError, DataError
from optical_cli.pipeline.context import Context
from optical_cli.pipeline.sources import Sources
from optical_cli.pipeline.step import Folders, Step, make_step


@dataclass(frozen=True)
class TopicInput:
    """The topics of a search.

    Attributes:
        material: identifies the topics in keys.
        read: returns the texts by query id, given the folders of `inputs`.
        provenance: who translated the topics, for the manifest of a run.
    """

    language: str
    material: str
    read: Callable[[Folders], Mapping[str, str]]
    provenance: Health
    inputs: Mapping[str, Step] = field(default_factory=dict)


def original_topic_input(context: Context, pair: str) -> TopicInput:
    """Return the topics of a pair in its query language. Their key does not depend on `translated_by`."""
    topics, by = context.sources.topics(pair), context.experiment.pairs[pair].translated_by
    return TopicInput(
        languages_of(pair)[0],
        context.sources.fingerprint(topics),
        lambda _inputs: topics.topics(),
        {} if by is None else {"topics_translated_by": by},
    )


def translated_topic_input(context: Context, pair: str) -> TopicInput:
    """Return the topics of a pair, translated into the teacher's language.

    Raises:
        ConfigError: the documents are not in the teacher's language, or the topics are; or the experiment has no
            translation.
    """
    x, language, teacher = context.experiment, languages_of(pair)[0], context.experiment.teacher.language
    if not can_be_translated(pair, teacher):
        raise ConfigError(
            f"{pair}: translated topics need documents in the teacher's language ({teacher}), and topics in another; "
            f"choose a pair such as {next(iter(x.bitext), 'sw')}-{teacher}"
        )
    if language not in x.translate:
        raise ConfigError(f"{pair}: its topics have no translation; add translate.{language}.model, or topics and by")
    provenance = {"topics_translated_by": translator_of(x, pair)}
    if translations := context.sources.translations(pair):
        return TopicInput(
            teacher,
            context.sources.fingerprint(translations),
            lambda _inputs: translated_topics(context.sources, pair, translations.topics()),
            provenance,
        )
    step = _translate_step(context, pair)
    return TopicInput(
        teacher,
        step.key.digest,
        lambda inputs: read_topics(inputs["translations"] / "topics.tsv"),
        provenance,
        {"translations": step},
    )


def _translate_step(context: Context, pair: str) -> Step:
    """Return the step that translates the topics of a pair by a model."""
    query, document = languages_of(pair)
    settings, topics = context.experiment.translate[query], context.sources.topics(pair)
    model = context.sources.model(settings.model or "")
    material = {
        "model": model.fingerprint,
        "topics": context.sources.fingerprint(topics),
        "settings": settings.model_dump(exclude={"topics", "by", "model"}),
    }

    def build(folder: Path, _inputs: Folders) -> Health:
        from optical_cli.retrieve.translated_topics import translate_topics

        device, progress = context.setup.device, context.progress
        health = translate_topics(
            topics.topics(), model.folder, folder, settings=settings, device=device, progress=progress
        )
        return {**health, "model": translator_of(context.experiment, pair)}

    return make_step("translate", f"{query}-in-{document}-{model.label}", material, build)


def translated_pairs(experiment: Experiment) -> list[str]:
    """Return the pairs that the baseline `translate` suits, and that have a translation in the experiment."""
    pairs = (pair for pair in experiment.pairs if can_be_translated(pair, experiment.teacher.language))
    return [pair for pair in pairs if languages_of(pair)[0] in experiment.translate]


def translator_of(experiment: Experiment, pair: str) -> str:
    """Return the name of the translator of a pair's topics: `by` of the experiment, or the name of the model."""
    settings = experiment.translate[languages_of(pair)[0]]
    model = settings.model or ""
    is_folder = model and local_path(model, experiment.base)
    return settings.by or (Path(model).name if is_folder else model)


def translated_topics(sources: Sources, pair: str, translations: Mapping[str, str]) -> dict[str, str]:
    """Return the translated texts of a pair's topics, in the order of the topics.

    Raises:
        DataError: a topic has no translation.
    """
    source = sources.topics(pair)
    topics = source.topics()
    if missing := [query_id for query_id in topics if query_id not in translations]:
        raise DataError(
            f"translate.{languages_of(pair)[0]}.topics: {len(missing)} of {len(topics)} topics of {source.name} have "
            f"no translation, such as {missing[0]!r}; add their translations"
        )
    return {query_id: translations[query_id] for query_id in topics}
