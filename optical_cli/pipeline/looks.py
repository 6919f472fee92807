"""Looks at the data of an experiment: one table, which `optical plan`, a first run and `optical doctor` share.

To add a look, write a function that returns what it found, and add a row to `BITEXT_LOOKS` or `PAIR_LOOKS`.
"""

import unicodedata
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property, partial
from itertools import islice
from typing import Any, NamedTuple

from optical_cli.config.experiment import languages_of
from optical_cli.data.bitext import SentencePair
from optical_cli.data.documents import fills_blank
from optical_cli.data.languages import SAMPLE, can_guess, looks_like_another
from optical_cli.data.text_files import looks_like_header
from optical_cli.data.topics import match_topics
from optical_cli.encoder.setup import MOST_UNKNOWN, unknown_share
from optical_cli.errors import DataError, several
from optical_cli.pipeline.sources import Sources

MOST_SHARING = 0.05
"""Share of the training pairs that may be lost without a warning, as they share a sentence with a held-out one."""
MOST_UNJUDGED = 0.5
"""Share of the topics that may lack judgements without a warning."""
MOST_ABSENT = 0.5
"""Share of the judged documents that a collection may lack; figures on one that lacks more mean nothing."""
MOSTLY_UNKNOWN = 0.5
"""Share of the tokens that may be unknown to an encoder; one that knows fewer cannot tell texts apart."""
COLUMNS = {"teacher": "the teacher's sentences", "student": "the translations"}
"""The columns of a bitext in words, by the encoder that learns from them."""


class Seen(NamedTuple):
    """What a look found in the data, and what follows from it or what to do about it: "" if it is as expected."""

    found: str
    doubt: str = ""


class Look(NamedTuple):
    """A look at the data of one setting.

    Attributes:
        key: the setting that names the data, such as `bitext.sw`.
        name: what is looked at.
        see: looks; DataError if the data cannot be used, NotHere if it is not on this machine.
    """

    key: str
    name: str
    see: Callable[[], Seen]


@dataclass(frozen=True)
class BitextData:
    """A bitext that is looked at."""

    sources: Sources
    language: str

    @cached_property
    def pairs(self) -> Sequence[SentencePair]:
        """The pairs that its filter keeps."""
        return self.sources.bitext(self.language).pairs()

    @property
    def sides(self) -> dict[str, tuple[str, list[str]]]:
        """The language of each column, and a sample of its sentences."""
        return {
            "teacher": (self.sources.experiment.teacher.language, [pair.teacher for pair in self.pairs[:SAMPLE]]),
            "student": (self.language, [pair.foreign for pair in self.pairs[:SAMPLE]]),
        }


@dataclass(frozen=True)
class PairData:
    """Topics, judgements and collection of a language pair that are looked at."""

    sources: Sources
    pair: str

    @cached_property
    def topics(self) -> Mapping[str, str]:
        """Texts of the topics by query id."""
        return self.sources.topics(self.pair).topics()

    @cached_property
    def documents(self) -> list[str]:
        """The first documents of the collection."""
        first = islice(self.sources.documents(self.pair).documents(), SAMPLE)
        return [f"{document.title} {document.text}" for document in first]


def looks_of(sources: Sources) -> Iterator[Look]:
    """Iterate over the looks at every bitext, then at every pair of an experiment."""
    x = sources.experiment
    for language in x.bitext:
        bitext = BitextData(sources, language)
        for name, look_at_bitext in BITEXT_LOOKS.items():
            yield Look(f"bitext.{language}", name, partial(look_at_bitext, bitext))
    for pair in x.pairs:
        data = PairData(sources, pair)
        for name, look_at_pair in PAIR_LOOKS.items():
            yield Look(f"pairs.{pair}", name, partial(look_at_pair, data))


def _rows(data: BitextData) -> Seen:
    selection, split = data.sources.bitext(data.language).selection, data.sources.split(data.language)
    parts = [several(selection.rows, "row"), f"{len(selection.pairs)} kept", f"{len(split.train)} to train on"]
    return Seen(", ".join([*parts, f"{len(split.held_out)} held out"]))


def _shared_sentences(data: BitextData) -> Seen:
    split = data.sources.split(data.language)
    if split.sharing <= max(len(split.held_out), MOST_SHARING * len(split.train)):
        return Seen(f"{several(split.sharing, 'pair')} left out that share a sentence with a held-out one")
    return Seen(split.sharing_in_words, "lower held_out, or remove translations that repeat")


def _bitext_header(data: BitextData) -> Seen:
    first = (data.pairs[0].teacher, data.pairs[0].foreign)
    if looks_like_header(first, data.language, data.sources.experiment.teacher.language):
        found = f"the first pair is {first[0]!r} and {first[1]!r}, which looks like a header"
        return Seen(found, "remove the line")
    return Seen("no header")


def _column_language(side: str, data: BitextData) -> Seen:
    return _language(*data.sides[side], COLUMNS[side], "check whether the columns are swapped")


def _column_tokens(side: str, data: BitextData) -> Seen:
    language, texts = data.sides[side]
    return _tokens(data.sources, language, texts, f"bitext.{data.language}", COLUMNS[side])


def _known_topics(data: BitextData) -> Seen:
    sources = data.sources
    sentences = {text for pair in data.pairs for text in (pair.teacher, pair.foreign)}
    asked = {sources.topics(pair) for pair in sources.experiment.pairs if data.language in languages_of(pair)}
    topics = {text for one in asked for text in one.topics().values()}
    if shared := sorted(topics & sentences):
        found = f"{len(shared)} of {several(len(topics), 'topic')} are sentences of it, such as {shared[0]!r:.60}"
        return Seen(found, "a student learns these by heart")
    return Seen(f"none of {several(len(topics), 'topic')} is a sentence of it")


def _judgements(data: PairData) -> Seen:
    """Raise DataError if no topic is judged, or a judged topic is missing."""
    source, qrels = data.sources.topics(data.pair), data.sources.judgements(data.pair)
    judged, unjudged, missing = match_topics(data.topics, qrels.judgements())
    if not judged:
        raise DataError(
            f"pairs.{data.pair}: {qrels.name} judges none of the topics of {source.name}; "
            "expected topics and qrels of the same collection"
        )
    if missing:
        raise DataError(
            f"pairs.{data.pair}: {qrels.name} judges {len(missing)} query ids that {source.name} has no topic for, "
            f"such as {missing[0]!r}; add the topics or remove their judgements"
        )
    if len(unjudged) > MOST_UNJUDGED * len(data.topics):
        found = f"{len(unjudged)} of {len(data.topics)} topics have no judgement, such as {unjudged[0]!r}"
        return Seen(found, "they are not measured")
    return Seen(f"{len(judged)} of {several(len(data.topics), 'topic')} judged")


def _topic_header(data: PairData) -> Seen:
    first = next(iter(data.topics))
    if looks_like_header([first]):
        name, text = data.sources.topics(data.pair).name, data.topics[first]
        found = f"the first topic of {name} is {first!r}, {text!r:.60}, which looks like a header"
        return Seen(found, "remove the line")
    return Seen("no header")


def _topic_language(data: PairData) -> Seen:
    of_it = f"the topics of {data.sources.topics(data.pair).name}"
    return _language(languages_of(data.pair)[0], list(data.topics.values()), of_it, "check the file and the pair")


def _document_language(data: PairData) -> Seen:
    of_it = f"the first documents of {data.sources.documents(data.pair).name}"
    return _language(languages_of(data.pair)[1], data.documents, of_it, "check the file and the pair")


def _topic_tokens(data: PairData) -> Seen:
    texts = list(data.topics.values())[:SAMPLE]
    return _tokens(data.sources, languages_of(data.pair)[0], texts, f"pairs.{data.pair}", "the topics")


def _document_tokens(data: PairData) -> Seen:
    language, key = languages_of(data.pair)[1], f"pairs.{data.pair}"
    return _tokens(data.sources, language, data.documents, key, "the documents")


def _judged_documents(data: PairData) -> Seen:
    """Raise DataError if the collection lacks most of the judged documents."""
    found = judged_documents(data.sources, data.pair)
    if not found["absent"]:
        return Seen(f"{several(found['judged'], 'judged document')} in the collection")
    documents, qrels = data.sources.documents(data.pair), data.sources.judgements(data.pair)
    said = (
        f"{found['absent']} of {found['judged']} documents that {qrels.name} judges are not in {documents.name}, such "
        f"as {found['example']!r}"
    )
    if found["written_otherwise"]:
        said += (
            f"; {found['written_otherwise']} of them are there in another Unicode normalisation (NFC, NFD): write ids "
            "alike in both"
        )
    if found["absent"] > MOST_ABSENT * found["judged"]:
        raise DataError(f"pairs.{data.pair}: {said}; judgements of this collection expected")
    return Seen(said, "no run can find them, which lowers every figure")


def _blank_documents(data: PairData) -> Seen:
    """Raise DataError if all documents are blank in the template.

    A document with a title and no text is valid, and blank in a template without `{title}`.
    """
    documents, template = data.sources.documents(data.pair), data.sources.experiment.pairs[data.pair].text
    if "{title}" in template:  # blank documents are refused, or limited to a share, when the collection is read
        return Seen("read with their titles")

    def count() -> dict[str, Any]:
        blank = [fills_blank(template, document) for document in documents.documents()]
        return {"blank": sum(blank), "documents": len(blank)}

    name = f"blank documents of {template}: {data.sources.fingerprint(documents)}"
    found = data.sources.memo.of_inputs(name, count)
    said = (
        f"{found['blank']} of {several(found['documents'], 'document')} of {documents.name} are blank in {template!r}"
    )
    if found["blank"] == found["documents"]:
        raise DataError(f"pairs.{data.pair}.text: {said}; add {{title}} to it, or name another collection")
    return Seen(said, "add {title} to it, or remove them" if found["blank"] else "")


BITEXT_LOOKS: dict[str, Callable[[BitextData], Seen]] = {
    "rows": _rows,
    "held-out pairs": _shared_sentences,
    "header": _bitext_header,
    "language of the teacher's sentences": partial(_column_language, "teacher"),
    "language of the translations": partial(_column_language, "student"),
    "tokens of the teacher's sentences": partial(_column_tokens, "teacher"),
    "tokens of the translations": partial(_column_tokens, "student"),
    "topics": _known_topics,
}
PAIR_LOOKS: dict[str, Callable[[PairData], Seen]] = {
    "judgements": _judgements,
    "header": _topic_header,
    "language of the topics": _topic_language,
    "language of the documents": _document_language,
    "tokens of the topics": _topic_tokens,
    "tokens of the documents": _document_tokens,
    "judged documents": _judged_documents,
    "blank documents": _blank_documents,
}


def judged_documents(sources: Sources, pair: str) -> dict[str, Any]:
    """Count the documents that are judged, and those among them that the collection lacks, with an example."""
    documents, qrels = sources.documents(pair), sources.judgements(pair)

    def count() -> dict[str, Any]:
        judged = {doc_id for grades in qrels.judgements().values() for doc_id in grades}
        absent, ids = set(judged), {_normalised(doc_id): doc_id for doc_id in judged}
        otherwise = set()
        for document in documents.documents():
            absent.discard(document.doc_id)
            if not document.doc_id.isascii():
                otherwise.add(ids.get(_normalised(document.doc_id)))
        example = min(absent, default=None)
        return {
            "judged": len(judged), "absent": len(absent), "example": example,
            "written_otherwise": len(otherwise & absent),
        }  # fmt: skip

    return sources.memo.of_inputs(_judged_name(sources, pair), count)


def absent_in_words(sources: Sources, pair: str) -> str:
    """Say how many judged documents the collection lacks; "" if none, or if no check has counted them yet."""
    found = sources.memo.known_of_inputs(_judged_name(sources, pair))
    if found is None or not found["absent"]:
        return ""
    return f"{found['absent']} of {several(found['judged'], 'judged document')} not in it"


def _judged_name(sources: Sources, pair: str) -> str:
    parts = (sources.documents(pair), sources.judgements(pair))
    return f"judged documents: {' '.join(map(sources.fingerprint, parts))}"


def _normalised(doc_id: str) -> str:
    return doc_id if doc_id.isascii() else unicodedata.normalize("NFC", doc_id)


def _language(language: str, texts: Sequence[str], of_it: str, remedy: str) -> Seen:
    if guess := looks_like_another(texts, language):
        return Seen(f"{guess.share:.0%} of {of_it} look like {guess.language!r}, {language!r} expected", remedy)
    if not can_guess(language):
        return Seen(f"no guess of the language of {of_it}")
    return Seen(f"{of_it} pass for {language!r}")


def _tokens(sources: Sources, language: str, texts: Sequence[str], key: str, of_it: str) -> Seen:
    """Raise DataError if most tokens of a sample of texts are unknown to the encoder of their language."""
    x = sources.experiment
    whose, model = ("teacher", x.teacher.model) if language == x.teacher.language else ("student", sources.init)
    folder = sources.model(model).folder
    share = unknown_share(folder, texts) if sources.is_local(model) else None
    if share is None:
        return Seen(f"unknown tokens of {of_it} not counted")
    found = f"{share:.1%} of the tokens of {of_it} are unknown to the {whose}'s tokenizer"
    if share > MOSTLY_UNKNOWN:
        raise DataError(f"{key}: {found}; choose a {whose} whose tokenizer knows {language!r}")
    return Seen(found, f"choose a {whose} whose tokenizer was trained on {language!r}" if share > MOST_UNKNOWN else "")
