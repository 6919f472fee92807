"""The texts that a student may meet: what its vocabulary has to hold."""

from collections.abc import Collection, Iterator
from typing import Any

from optical_cli.config.experiment import languages_of
from optical_cli.data.documents import fill
from optical_cli.encoder.setup import Side
from optical_cli.pipeline.sources import Sources


def texts_of(sources: Sources, languages: Collection[str]) -> Iterator[tuple[Side | None, str]]:
    """Stream all texts that a student of these languages may meet in the experiment, and the side each is on.

    Both sides of its bitexts, for it may be started with the teacher's; whole collections, whatever the corpus
    mode, so that a pooled corpus and the full one are searched with one student.
    """
    for language in sorted(languages):
        for pair in sources.split(language).pairs:
            yield None, pair.teacher
            yield None, pair.foreign
    for (_, template), name in sorted(_collections_in(sources, languages).items()):
        for document in sources.documents(name).documents():
            yield "document", fill(template, document)
    for _, name in sorted(_topics_in(sources, languages).items()):
        for text in sources.topics(name).topics().values():
            yield "query", text


def texts_material(sources: Sources, languages: Collection[str]) -> dict[str, Any]:
    """What decides the texts of `texts_of`: the content of the sources."""
    return {
        "bitexts": [sources.bitext_material(language) for language in sorted(languages)],
        "documents": sorted(_collections_in(sources, languages)),
        "topics": sorted(_topics_in(sources, languages)),
    }


def _collections_in(sources: Sources, languages: Collection[str]) -> dict[tuple[str, str], str]:
    """A pair for each collection in these languages, by its fingerprint and what of a document is encoded."""
    return {
        (sources.documents(name).fingerprint(sources.memo), pair.text): name
        for name, pair in sources.experiment.pairs.items()
        if languages_of(name)[1] in languages
    }


def _topics_in(sources: Sources, languages: Collection[str]) -> dict[str, str]:
    """A pair for each set of topics in these languages, by its fingerprint."""
    names = (name for name in sources.experiment.pairs if languages_of(name)[0] in languages)
    return {sources.topics(name).fingerprint(sources.memo): name for name in names}
