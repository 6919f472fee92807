"""Searching: the index of a pair's documents, and the runs over it, by tokens or by words."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from optical_cli.cache.artifact import Health
from optical_cli.config.baselines import STEMMED, Analyzer, bm25_objective, no_stemmer_for, stemmer_of
from optical_cli.config.experiment import Pair, in_one_language, languages_of
from optical_cli.config.objectives import TRANSLATE
from optical_cli.errors import ConfigError
from optical_cli.pipeline.cells import Cell
from optical_cli.pipeline.context import Context
from optical_cli.pipeline.corpus import Corpus, candidates_of, corpus_of
from optical_cli.pipeline.step import Step, make_step
from optical_cli.pipeline.students import Students, refuse_bm25
from optical_cli.pipeline.translations import Asked, Translations


class Searches:
    """The steps that end in a run.

    Args:
        context: where they are made.
        students: that encode what is not in the teacher's language.
    """

    def __init__(self, context: Context, students: Students) -> None:
        self._at = context
        self._sources = context.sources
        self._students = students
        self._translations = Translations(context)

    def index(self, cell: Cell) -> Step:
        """The token embeddings of the pair's documents, by the teacher or by the cell's student.

        Raises:
            ConfigError: BM25 has none.
        """
        refuse_bm25(cell)
        x, pair = self._at.experiment, self._at.experiment.pairs[cell.pair]
        _, language = languages_of(cell.pair)
        documents = self._sources.documents(cell.pair)
        encoder, candidates = self._encoder(language, cell), self._candidates(cell.pair)
        material = {
            "encoder": encoder.material,
            "documents": documents.fingerprint(self._at.cache.fingerprints),
            "corpus": self._corpus_material(cell.pair),
            "text": pair.text,
            "length": x.encoding.document_length,
            "precision": self._at.encoding_precision,
            **x.index.deciding(),
        }

        def build(folder: Path, inputs: Mapping[str, Path]) -> Health:
            from optical_cli.index import build_index

            remote, corpus = self._at.remote, self._corpus(cell.pair, candidates.run(inputs))
            health = build_index(
                corpus.documents(),
                encoder.folder(inputs),
                folder,
                unfinished=self._at.cache.unfinished(step.kind, step.key),
                template=pair.text,
                count=corpus.count,
                kept=x.index,
                setup=self._at.setup,
                progress=self._at.progress,
                encode=remote.encode if remote else None,
            )
            return {**health, **corpus.health}

        label = "-".join(filter(None, [language, documents.name, pair.corpus_name, x.index.name, encoder.label]))
        step = make_step("indexes", "index", label, material, build, {**encoder.inputs, **candidates.inputs})
        return step

    def quantized(self, cell: Cell) -> Step:
        """The same tokens, quantised for the approximate search.

        Raises:
            ConfigError: BM25 has none.
        """
        index, how = self.index(cell), self._at.experiment.retrieval.approximate
        material = {"index": index.key.digest, **how.of_the_structure}

        def build(folder: Path, inputs: Mapping[str, Path]) -> Health:
            from optical_cli.retrieve.quantize import quantize

            return quantize(inputs["index"], folder, how=how, progress=self._at.progress)

        return make_step("quantized", "quantize", index.label, material, build, {"index": index})

    def run(self, cell: Cell) -> Step:
        """The run of a cell.

        Raises:
            ConfigError: BM25 is to match words across languages, or translated topics are to meet other documents than
                the teacher's.
        """
        if cell.objective == TRANSLATE:
            return self._maxsim_run(cell, self._translations.of(cell.pair))
        if cell.analyzer is None:
            return self._maxsim_run(cell, self._topics(cell.pair))
        if not in_one_language(cell.pair):
            raise ConfigError(
                f"{cell.pair}: BM25 matches words, and these topics and documents are in different languages; "
                "choose a pair of one language"
            )
        candidates = self._candidates(cell.pair)
        return self._bm25_run(cell.pair, cell.analyzer, self._corpus_material(cell.pair), candidates)

    def _topics(self, pair: str) -> Asked:
        """The topics of a pair as they are."""
        topics = self._sources.topics(pair)
        return Asked(
            languages_of(pair)[0],
            topics.fingerprint(self._at.cache.fingerprints),
            lambda _inputs: topics.topics(),
            {},
            _provenance(self._at.experiment.pairs[pair]),
        )

    def _maxsim_run(self, cell: Cell, asked: Asked) -> Step:
        x, pair = self._at.experiment, self._at.experiment.pairs[cell.pair]
        approximate = x.is_approximate(cell.pair)
        retrieval = x.retrieval if approximate else x.retrieval.exact
        index, encoder = self.index(cell), self._encoder(asked.language, cell)
        candidates = self._candidates(cell.pair)
        material = {
            "index": index.key.digest,
            "encoder": encoder.material,
            "topics": asked.material,
            "retrieval": retrieval.deciding(),
            "length": x.encoding.query_length,
            "precision": self._at.encoding_precision,
        }
        inputs = {"index": index, **encoder.inputs, **candidates.inputs, **asked.inputs}
        if approximate:
            inputs["quantized"] = self.quantized(cell)
            material["quantized"] = inputs["quantized"].key.digest
        how = [x.index.name, "approximate" if approximate else ""]
        label = "-".join(filter(None, [cell.pair, pair.corpus_name, *how, cell.name])).replace(" ", "")

        def build(folder: Path, inputs: Mapping[str, Path]) -> Health:
            from optical_cli.retrieve.engines import Quantized
            from optical_cli.retrieve.search import search

            remote = self._at.remote
            health = search(
                asked.topics(inputs),
                encoder.folder(inputs),
                inputs["index"],
                folder,
                depth=x.retrieval.depth,
                memory=x.retrieval.memory,
                precision=self._at.search_precision(),
                tag=label,
                setup=self._at.setup,
                progress=self._at.progress,
                candidates=self._own_candidates(cell.pair, candidates.run(inputs)),
                quantized=Quantized(inputs["quantized"], x.retrieval) if approximate else None,
                open_exact=remote.open_exact if remote else None,
            )
            return {**health, **asked.provenance}

        return make_step("runs", "retrieve", label, material, build, inputs)

    def _bm25_run(
        self, name: str, analyzer: Analyzer, corpus_material: Mapping[str, Any], candidates: "_Candidates"
    ) -> Step:
        """A run by words; how rare a word is follows from the whole collection where there are candidates.

        Raises:
            ConfigError: the words of a language are to be stemmed that has no stemmer.
        """
        x, pair = self._at.experiment, self._at.experiment.pairs[name]
        documents, topics = self._sources.documents(name), self._sources.topics(name)
        material = {
            "documents": documents.fingerprint(self._at.cache.fingerprints),
            "corpus": corpus_material,
            "text": pair.text,
            "topics": topics.fingerprint(self._at.cache.fingerprints),
            "analyzer": analyzer,
            "k1": x.bm25.k1,
            "b": x.bm25.b,
            "depth": x.retrieval.depth,
        }
        language = languages_of(name)[1]
        if analyzer == STEMMED:
            material["stemmer"] = stemmer_of(language)
            if material["stemmer"] is None:
                raise ConfigError(no_stemmer_for(language))
        mode = pair.corpus_name if corpus_material["mode"] == pair.corpus else corpus_material["mode"]
        label = f"{name}-{mode}-{bm25_objective(analyzer)}".replace(" ", "")

        def build(folder: Path, inputs: Mapping[str, Path]) -> Health:
            from optical_cli.retrieve.bm25 import search

            whole = pair.corpus == "candidates"
            corpus = Corpus(documents, None, {}) if whole else self._corpus(name)
            health = search(
                topics.topics(), corpus.documents(), folder,
                analyzer=analyzer, language=language, k1=x.bm25.k1, b=x.bm25.b, template=pair.text, count=corpus.count,
                depth=x.retrieval.depth, tag=label, progress=self._at.progress,
                candidates=self._own_candidates(name, candidates.run(inputs)),
            )  # fmt: skip
            return {**health, **corpus.health, **_provenance(pair)}

        return make_step("runs", "bm25", label, material, build, candidates.inputs)

    def _corpus(self, pair: str, run: Path | None = None) -> Corpus:
        """The documents of a pair, with the run of its candidates; it is said if judged ones are not among them."""
        corpus = corpus_of(self._sources, pair, run)
        if absent := corpus.health.get("judged_not_in_collection"):
            self._at.progress.say(f"{pair}: {absent} judged documents are not in {self._sources.documents(pair).name}")
        return corpus

    def _corpus_material(self, pair_name: str) -> dict[str, Any]:
        pair = self._at.experiment.pairs[pair_name]
        if pair.corpus == "full":
            return {"mode": "full"}
        if pair.corpus == "candidates":
            return {"mode": "candidates", **self._candidates(pair_name).material}
        qrels = self._sources.judgements(pair_name).fingerprint(self._at.cache.fingerprints)
        return {"mode": "pooled", "size": pair.pool_size, "seed": pair.pool_seed, "qrels": qrels}

    def _candidates(self, pair: str) -> "_Candidates":
        """The run whose documents a pair is searched in: a file, a search by BM25, or none."""
        source = self._at.experiment.pairs[pair].candidates
        if source is None:
            return NO_CANDIDATES
        if file := self._sources.candidate_run(pair):
            memo = self._at.cache.fingerprints
            material = {"run": file.fingerprint(memo), "topics": self._sources.topics(pair).fingerprint(memo)}
            return _Candidates(material, lambda _inputs: file.path, {})
        analyzer = self._at.experiment.bm25.analyzer_of(source) or self._at.experiment.bm25.analyzers[0]
        first_stage = self._bm25_run(pair, analyzer, {"mode": "full"}, NO_CANDIDATES)
        return _Candidates(
            {"run": first_stage.key.digest},
            lambda inputs: inputs["candidates"] / "run.trec",
            {"candidates": first_stage},
        )

    def _own_candidates(self, pair: str, run: Path | None) -> Mapping[str, Sequence[str]] | None:
        """The candidates of each topic, if the pair has some; it is said how many topics have none."""
        if run is None:
            return None
        found = candidates_of(self._sources, pair, run)
        if without := len(self._sources.topics(pair).topics()) - len(found):
            self._at.progress.say(f"{pair}: {without} topics have no candidates, and so no results")
        return found

    def _encoder(self, language: str, cell: Cell) -> "_Encoder":
        """A side in the teacher's language is the teacher's, any other the student's. Nothing else decides it."""
        if language == self._at.experiment.teacher.language:
            teacher = self._sources.model(self._at.experiment.teacher.model)
            return _Encoder(teacher.fingerprint, teacher.label, lambda _inputs: teacher.folder, {})
        checkpoint = self._students.checkpoint(cell)
        needed = {"checkpoint": checkpoint}
        if self._at.experiment.student.adapters is not None and cell.is_trained:
            needed["start"] = checkpoint.inputs["start"]  # adapters alone are no encoder
        return _Encoder(checkpoint.key.digest, checkpoint.label, lambda inputs: inputs["checkpoint"], needed)


def _provenance(pair: Pair) -> Health:
    """Who translated the topics, for the manifest of a run; the key has what they say."""
    return {} if pair.translated_by is None else {"topics_translated_by": pair.translated_by}


@dataclass(frozen=True)
class _Candidates:
    """The run whose documents a pair is searched in: what keys have of it, where it is, the steps behind it."""

    material: Mapping[str, str]
    run: Callable[[Mapping[str, Path]], Path | None]
    inputs: Mapping[str, Step]


NO_CANDIDATES = _Candidates({}, lambda _inputs: None, {})


@dataclass(frozen=True)
class _Encoder:
    """What encodes one side: how keys call it, where its folder is, and the steps behind it."""

    material: str
    label: str
    folder: Callable[[Mapping[str, Path]], Path]
    inputs: Mapping[str, Step]
