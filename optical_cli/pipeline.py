"""The sentence: bitext, distill, index, retrieve, evaluate.

Every stage is a `Step`: the key of its artifact, the steps it stands on, and how it is made. Keys follow from the
experiment and its input data alone, so a whole sweep can be looked up, or planned, without computing anything.

Stages are imported inside the builders: this module is the one place where that is done, and it keeps torch out
of `optical --help` and of a command whose artifact is cached.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from optical_cli.cache.store import Artifact, Cache, Health
from optical_cli.cells import Cell, Student, student_of
from optical_cli.config.bm25 import Analyzer, bm25_objective
from optical_cli.config.experiment import Experiment, in_one_language, languages_of
from optical_cli.encoder.precision import Resolved, resolve_precision
from optical_cli.encoder.setup import EncoderSetup
from optical_cli.encoder.side import Side
from optical_cli.errors import CacheError, ConfigError, OpticalError
from optical_cli.processes import Processes
from optical_cli.progress import Progress, Silence
from optical_cli.sources import Corpus, Sources
from optical_cli.step import VERSIONS, Step, make_step


class Pipeline:
    """The steps of an experiment over one cache.

    Args:
        experiment: what to do.
        cache: where artifacts are.
        device: a torch device, or `auto`.
        progress: hears how far the work is.
        upstream: make what is missing upstream of a step that is asked for; else refuse.
        processes: that run this same pipeline together; they train together, and the first does all else.
        deadline: no training goes on when `time.monotonic()` has passed it; None for no limit.

    Attributes:
        made: artifacts made so far, not found in the cache.

    Raises:
        DataError: of all models and data that the experiment names and that cannot be opened, a line each.
    """

    def __init__(
        self,
        experiment: Experiment,
        cache: Cache,
        device: str = "auto",
        progress: Progress | None = None,
        *,
        upstream: bool = True,
        processes: Processes | None = None,
        deadline: float | None = None,
    ) -> None:
        self.experiment = experiment
        self.cache = cache
        self._wanted_device = device
        self._progress = progress or Silence()
        self._upstream = upstream
        self._processes = processes or Processes()
        self._deadline = deadline
        self._sources = Sources(experiment, cache.fingerprints)
        self._sources.open_all()
        self._failed: dict[str, Exception] = {}
        self._fits: dict[Student, Health] = {}
        self.made = 0

    # -- the steps --------------------------------------------------------------------------------------------

    def encodings(self, language: str, sides: tuple[Side, ...]) -> Step:
        """The teacher's token embeddings of a bitext."""
        x = self.experiment
        lengths = {side: min(length, x.training.max_length) for side, length in self._lengths.items() if side in sides}
        material = {
            "teacher": self._sources.model(x.teacher.model).fingerprint,
            "bitext": self._sources.bitext_material(language),
            "lengths": lengths,
            "precision": self.encoding_precision,
        }

        def build(folder: Path, _inputs: Mapping[str, Path]) -> Health:
            from optical_cli.data.bitext.dropped import record_dropped
            from optical_cli.distill.teacher_tokens import encode_bitext

            dropped = record_dropped(self._sources.bitext(language), folder, self._progress.say)
            sentences = [pair.teacher for pair in self._sources.split(language).pairs]
            fit = self._teacher_fit(sentences, sides[0], lengths[sides[0]])
            tokens = encode_bitext(
                sentences,
                self._sources.model(x.teacher.model).folder,
                sides,
                folder,
                known_from=self._same_encodings(material),
                setup=replace(
                    self._setup,
                    query_length=lengths.get("query", lengths[sides[0]]),
                    document_length=lengths.get("document", lengths[sides[0]]),
                ),
                progress=self._progress,
            )
            return {**tokens, "bitext": dropped, "tokenizer": fit}

        label = f"{self._sources.model(x.teacher.model).label}-{language}"
        return make_step("encodings", "encodings", label, material, build)

    def _same_encodings(self, material: Mapping[str, Any]) -> list[Path]:
        """Encodings of other bitexts that were made as these are to be: their sentences need not be encoded again."""
        wanted = {**material, "stage": "encodings", "version": VERSIONS["encodings"], "bitext": None}
        lengths = material["lengths"].items()
        return [
            artifact.folder
            for artifact in self.cache.entries("encodings")
            if {**artifact.manifest["material"], "bitext": None, "lengths": None} == {**wanted, "lengths": None}
            and lengths <= artifact.manifest["material"]["lengths"].items()
        ]

    def start(self, student: Student) -> Step:
        """The student as initialised."""
        x = self.experiment
        teacher = self._sources.model(x.teacher.model)
        lengths = list(self._lengths.values())
        trimmed = self._trimmed_material(student)
        if x.student.init == "teacher":
            label = f"{teacher.label}-{student.name}-start" if trimmed else f"{teacher.label}-start"
            return make_step(
                "checkpoints", "start", label, {"init": teacher.fingerprint, "lengths": lengths, **trimmed},
                lambda folder, _inputs: self._copy_teacher(student, folder),
            )  # fmt: skip
        init, warm_start = self._sources.model(x.student.init), x.student.warm_start
        material = {
            "init": init.fingerprint,
            "teacher": teacher.fingerprint,
            "lengths": lengths,
            "warm_start": warm_start and {
                **warm_start.deciding(),
                "precision": self.encoding_precision,
                "side": student.sides[0],
                "bitexts": [self._sources.bitext_material(language) for language in student.languages],
            },
            **trimmed,
        }  # fmt: skip

        def build(folder: Path, _inputs: Mapping[str, Path]) -> Health:
            from optical_cli.distill.start import start_student

            return start_student(
                init.folder,
                teacher.folder,
                warm_start,
                [self._sources.split(language) for language in student.languages],
                student.sides[0],
                folder,
                setup=self._setup,
                progress=self._progress,
                trim=self._trim(student),
            )

        return make_step("checkpoints", "start", f"{init.label}-{student.name}-start", material, build)

    def checkpoint(self, cell: Cell) -> Step:
        """The student of a cell.

        Raises:
            ConfigError: both sides of the pair are the teacher's, the solver does not take the cell's reg, or BM25
                has no student.
        """
        _refuse_bm25(cell)
        x = self.experiment
        student = student_of(x, cell.pair)
        if student is None:
            raise ConfigError(f"{cell.pair}: both sides are in the teacher's language, so there is nothing to distill")
        start = self.start(student)
        if cell.objective == "none":
            return start
        bitexts = {language: self.encodings(language, student.sides) for language in student.languages}
        material = {
            "start": start.key.digest,
            "encodings": [step.key.digest for step in bitexts.values()],
            "sides": student.sides,
            "objective": cell.objective,
            "transport": self._transport_material(cell),
            "training": {**x.training.deciding(), "precision": self._training_precision},
            "freeze_embeddings": x.student.freeze_embeddings,
            "seed": cell.seed,
        }
        if x.student.adapters is not None:
            material["adapters"] = x.student.adapters.deciding()

        def build(folder: Path, inputs: Mapping[str, Path]) -> Health:
            return self._train(cell, student, folder, inputs, self.cache.unfinished(step.kind, step.key))

        label = f"{student.name}-{cell.name}"
        step = make_step("checkpoints", "distill", label, material, build, {"start": start, **bitexts}, together=True)
        return step

    def index(self, cell: Cell) -> Step:
        """The token embeddings of the pair's documents, by the teacher or by the cell's student.

        Raises:
            ConfigError: BM25 has none.
        """
        _refuse_bm25(cell)
        x, pair = self.experiment, self.experiment.pairs[cell.pair]
        _, language = languages_of(cell.pair)
        documents = self._sources.documents(cell.pair)
        encoder, candidates = self._encoder(language, cell), self._candidates(cell.pair)
        material = {
            "encoder": encoder.material,
            "documents": documents.fingerprint(self.cache.fingerprints),
            "corpus": self._corpus_material(cell.pair),
            "text": pair.text,
            "length": x.encoding.document_length,
            "precision": self.encoding_precision,
        }

        def build(folder: Path, inputs: Mapping[str, Path]) -> Health:
            from optical_cli.index import build_index

            corpus = self._corpus(cell.pair, candidates.run(inputs))
            health = build_index(
                corpus.documents(),
                encoder.folder(inputs),
                folder,
                template=pair.text,
                count=corpus.count,
                setup=self._setup,
                progress=self._progress,
            )
            return {**health, **corpus.health}

        label = f"{language}-{documents.name}-{pair.corpus_name}-{encoder.label}"
        return make_step("indexes", "index", label, material, build, {**encoder.inputs, **candidates.inputs})

    def run(self, cell: Cell) -> Step:
        """The run of a cell."""
        if cell.analyzer is None:
            return self._maxsim_run(cell)
        if not in_one_language(cell.pair):
            raise ConfigError(
                f"{cell.pair}: BM25 matches words, and these topics and documents are in different languages; "
                "choose a pair of one language"
            )
        candidates = self._candidates(cell.pair)
        return self._bm25_run(cell.pair, cell.analyzer, self._corpus_material(cell.pair), candidates)

    def _bm25_run(
        self, name: str, analyzer: Analyzer, corpus_material: Mapping[str, Any], candidates: "_Candidates"
    ) -> Step:
        """A run by words; how rare a word is follows from the whole collection where there are candidates."""
        x, pair = self.experiment, self.experiment.pairs[name]
        documents, topics = self._sources.documents(name), self._sources.topics(name)
        material = {
            "documents": documents.fingerprint(self.cache.fingerprints),
            "corpus": corpus_material,
            "text": pair.text,
            "topics": topics.fingerprint(self.cache.fingerprints),
            "analyzer": analyzer,
            "k1": x.bm25.k1,
            "b": x.bm25.b,
            "depth": x.retrieval.depth,
        }
        mode = pair.corpus_name if corpus_material["mode"] == pair.corpus else corpus_material["mode"]
        label = f"{name}-{mode}-{bm25_objective(analyzer)}".replace(" ", "")

        def build(folder: Path, inputs: Mapping[str, Path]) -> Health:
            from optical_cli.bm25 import search

            whole = pair.corpus == "candidates"
            corpus = Corpus(documents, None, {}) if whole else self._corpus(name)
            health = search(
                topics.topics(), corpus.documents(), folder,
                analyzer=analyzer, k1=x.bm25.k1, b=x.bm25.b, template=pair.text, count=corpus.count,
                depth=x.retrieval.depth, tag=label, progress=self._progress,
                candidates=self._own_candidates(name, candidates.run(inputs)),
            )  # fmt: skip
            return {**health, **corpus.health}

        return make_step("runs", "bm25", label, material, build, candidates.inputs)

    def _maxsim_run(self, cell: Cell) -> Step:
        x, pair = self.experiment, self.experiment.pairs[cell.pair]
        query_language, _ = languages_of(cell.pair)
        topics = self._sources.topics(cell.pair)
        index, encoder = self.index(cell), self._encoder(query_language, cell)
        candidates = self._candidates(cell.pair)
        material = {
            "index": index.key.digest,
            "encoder": encoder.material,
            "topics": topics.fingerprint(self.cache.fingerprints),
            "retrieval": x.retrieval.deciding(),
            "length": x.encoding.query_length,
            "precision": self.encoding_precision,
        }
        label = f"{cell.pair}-{pair.corpus_name}-{cell.name}".replace(" ", "")

        def build(folder: Path, inputs: Mapping[str, Path]) -> Health:
            from optical_cli.retrieve import search

            return search(
                topics.topics(),
                encoder.folder(inputs),
                inputs["index"],
                folder,
                depth=x.retrieval.depth,
                memory=x.retrieval.memory,
                precision=resolve_precision(x.retrieval.precision, self._machines, self._progress.say),
                tag=label,
                setup=self._setup,
                progress=self._progress,
                candidates=self._own_candidates(cell.pair, candidates.run(inputs)),
            )

        inputs = {"index": index, **encoder.inputs, **candidates.inputs}
        return make_step("runs", "retrieve", label, material, build, inputs)

    def scores(self, cell: Cell) -> Step:
        """The measures of a cell's run."""
        run, qrels = self.run(cell), self._sources.judgements(cell.pair)
        topics = self._sources.topics(cell.pair)
        measures = self.experiment.evaluation.measures
        material = {
            "run": run.key.digest,
            "topics": topics.fingerprint(self.cache.fingerprints),
            "qrels": qrels.fingerprint(self.cache.fingerprints),
            "measures": sorted(set(measures)),  # scores.json holds them sorted
        }

        def build(folder: Path, inputs: Mapping[str, Path]) -> Health:
            from optical_cli.artifacts.run import read_run
            from optical_cli.artifacts.scores import write_scores
            from optical_cli.evaluate import evaluate_run

            run_file = read_run(inputs["run"] / "run.trec")
            scores = evaluate_run(run_file, qrels.judgements(), topics.topics(), measures)
            write_scores(folder / "scores.json", scores)
            return {
                "topics": scores.topics,
                "unjudged_topics": scores.unjudged_topics,
                "empty_topics": scores.empty_topics,
            }

        return make_step("scores", "evaluate", run.label, material, build, {"run": run})

    def check(self) -> None:
        """Read all input, before anything expensive starts.

        Raises:
            DataError: of all that is wrong with it, a line each.
        """
        self._sources.check()

    # -- making them ------------------------------------------------------------------------------------------

    def obtain(self, step: Step) -> tuple[Artifact, bool]:
        """The artifact of a step and whether it had to be made, with everything upstream that was missing.

        Raises:
            OpticalError: what the stage raises; a step that failed once fails again at once.
        """
        found = self.cache.find(step.kind, step.key)
        if self._processes.agree(found is not None):
            return found or self._found(step), False
        if step.key.digest in self._failed:
            raise self._failed[step.key.digest]
        try:
            self._sources.check()
            folders = {name: self._upstream_folder(step, wanted) for name, wanted in step.inputs.items()}
            made = self._make(step, folders)
        except (OpticalError, RuntimeError, MemoryError, OSError) as error:
            self._failed[step.key.digest] = error  # so that the next cell that needs it does not wait for it again
            raise
        self.made += made
        return self._found(step), made

    def _make(self, step: Step, inputs: Mapping[str, Path]) -> bool:
        """Make an artifact, and say whether it was not there in the end; processes beside the first only help."""
        processes = self._processes

        def build(folder: Path) -> Health:
            processes.agree(True)
            return step.build(folder, inputs)

        if processes.first:
            _, made = self.cache.make(step.kind, step.label, step.key, build)
            if not made:
                processes.agree(False)
        else:
            made = processes.agree(False)
            if made and step.together:
                with TemporaryDirectory() as nowhere:
                    step.build(Path(nowhere), inputs)
        processes.wait()
        return made

    def _found(self, step: Step) -> Artifact:
        found = self.cache.find(step.kind, step.key)
        if found is None:
            raise CacheError(
                f"{step.label}: made, and not found in {self.cache.root}; all processes need to see one cache folder"
            )
        return found

    def _upstream_folder(self, step: Step, wanted: Step) -> Path:
        if not self._upstream and self.cache.find(wanted.kind, wanted.key) is None:
            raise CacheError(
                f"{step.label}: needs {wanted.kind}/{wanted.label}, which is not in the cache; "
                "make it first, or leave out --no-upstream"
            )
        return self.obtain(wanted)[0].folder

    # -- how stages are called --------------------------------------------------------------------------------

    def _copy_teacher(self, student: Student, folder: Path) -> Health:
        from optical_cli.distill.start import copy_teacher

        teacher = self._sources.model(self.experiment.teacher.model)
        return copy_teacher(teacher.folder, folder, self._setup, self._trim(student))

    def _trimmed_material(self, student: Student) -> dict[str, Any]:
        """What decides which tokens a student keeps: nothing, if it keeps all."""
        settings = self.experiment.student
        if settings.vocabulary == "full":
            return {}
        texts = self._sources.texts_material(student.languages)
        return {"vocabulary": {"keep": "trim", "floor": settings.vocabulary_floor, **texts}}

    def _trim(self, student: Student) -> Callable[[Any], dict[str, Any]] | None:
        """What cuts down the vocabulary of a student, if that is wanted."""
        if self.experiment.student.vocabulary == "full":
            return None
        from optical_cli.encoder.vocabulary import trim_vocabulary

        floor = self.experiment.student.vocabulary_floor
        texts = self._sources.texts_of(student.languages)
        return lambda encoder: trim_vocabulary(encoder, texts, floor, self._progress)

    def _train(
        self, cell: Cell, student: Student, folder: Path, inputs: Mapping[str, Path], unfinished: Path
    ) -> Health:
        from optical_cli.distill.teacher_tokens import TeacherTokens
        from optical_cli.distill.train import train_student

        x = self.experiment
        teacher = TeacherTokens([inputs[language] for language in student.languages], student.sides)
        fit = self._student_fit(student, inputs["start"])
        health = train_student(
            inputs["start"],
            teacher,
            [self._sources.split(language) for language in student.languages],
            student.sides,
            folder,
            unfinished=unfinished,
            objective=cell.objective,
            reg=cell.reg or 0.0,
            transport=x.transport,
            training=x.training,
            freeze_embeddings=x.student.freeze_embeddings,
            adapters=x.student.adapters,
            setup=self._setup,
            precision=self._training_precision,
            seed=cell.seed,
            deadline=self._deadline,
            processes=self._processes,
            progress=self._progress,
        )
        return {**health, "tokenizer": fit}

    def _teacher_fit(self, sentences: Sequence[str], side: Side, length: int) -> Health:
        from optical_cli.distill.tokenizer_fit import report_fit, tokenizer_fit

        teacher = self.experiment.teacher
        fit = tokenizer_fit(self._sources.model(teacher.model).folder, sentences, side, length)
        return report_fit(fit, "teacher", teacher.language, self._progress.say)

    def _student_fit(self, student: Student, start: Path) -> Health:
        """How the student's tokenizer suits its languages: the same for every cell, so measured and said once."""
        from optical_cli.distill.tokenizer_fit import report_fit, tokenizer_fit

        if student not in self._fits:
            side = student.sides[0]
            length = min(self._lengths[side], self.experiment.training.max_length)
            sentences = {code: [pair.foreign for pair in self._sources.split(code).train] for code in student.languages}
            fits = {code: tokenizer_fit(start, texts, side, length) for code, texts in sentences.items()}
            say = self._progress.say
            self._fits[student] = {code: report_fit(fit, "student", code, say) for code, fit in fits.items()}
        return self._fits[student]

    def _transport_material(self, cell: Cell) -> dict[str, Any] | None:
        """What of the transport settings decides a cell: nothing for a baseline."""
        if cell.reg is None:
            return None
        transport = self.experiment.transport
        if fault := transport.fault_of(cell.reg):
            raise ConfigError(f"transport.reg: {fault}")
        return transport.deciding_of(cell.reg)

    def _corpus(self, pair: str, run: Path | None = None) -> Corpus:
        """The documents of a pair, with the run of its candidates; it is said if judged ones are not among them."""
        corpus = self._sources.corpus(pair, run)
        if absent := corpus.health.get("judged_not_in_collection"):
            self._progress.say(f"{pair}: {absent} judged documents are not in {self._sources.documents(pair).name}")
        return corpus

    def _corpus_material(self, pair_name: str) -> dict[str, Any]:
        pair = self.experiment.pairs[pair_name]
        if pair.corpus == "full":
            return {"mode": "full"}
        if pair.corpus == "candidates":
            return {"mode": "candidates", **self._candidates(pair_name).material}
        qrels = self._sources.judgements(pair_name).fingerprint(self.cache.fingerprints)
        return {"mode": "pooled", "size": pair.pool_size, "seed": pair.pool_seed, "qrels": qrels}

    def _candidates(self, pair: str) -> "_Candidates":
        """The run whose documents a pair is searched in: a file, a search by BM25, or none."""
        source = self.experiment.pairs[pair].candidates
        if source is None:
            return NO_CANDIDATES
        if file := self._sources.candidate_run(pair):
            memo = self.cache.fingerprints
            material = {"run": file.fingerprint(memo), "topics": self._sources.topics(pair).fingerprint(memo)}
            return _Candidates(material, lambda _inputs: file.path, {})
        analyzer = self.experiment.bm25.analyzer_of(source) or self.experiment.bm25.analyzers[0]
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
        found = self._sources.candidates(pair, run)
        if without := len(self._sources.topics(pair).topics()) - len(found):
            self._progress.say(f"{pair}: {without} topics have no candidates, and so no results")
        return found

    def _encoder(self, language: str, cell: Cell) -> "_Encoder":
        """A side in the teacher's language is the teacher's, any other the student's. Nothing else decides it."""
        if language == self.experiment.teacher.language:
            teacher = self._sources.model(self.experiment.teacher.model)
            return _Encoder(teacher.fingerprint, teacher.label, lambda _inputs: teacher.folder, {})
        checkpoint = self.checkpoint(cell)
        needed = {"checkpoint": checkpoint}
        if self.experiment.student.adapters is not None and cell.objective != "none":
            needed["start"] = checkpoint.inputs["start"]  # adapters alone are no encoder
        return _Encoder(checkpoint.key.digest, checkpoint.label, lambda inputs: inputs["checkpoint"], needed)

    @property
    def _lengths(self) -> dict[Side, int]:
        encoding = self.experiment.encoding
        return {"query": encoding.query_length, "document": encoding.document_length}

    @cached_property
    def _setup(self) -> EncoderSetup:
        encoding = self.experiment.encoding
        return EncoderSetup(
            query_length=encoding.query_length,
            document_length=encoding.document_length,
            precision=self.encoding_precision,
            batch_size=encoding.batch_size,
            device=self._device,
        )

    @cached_property
    def _device(self) -> str:
        from optical_cli.encoder.device import resolve_device

        return resolve_device(self._wanted_device)

    @cached_property
    def encoding_precision(self) -> Resolved:
        """In which texts are encoded on this machine."""
        return self._resolve(self.experiment.encoding.precision)

    @cached_property
    def _training_precision(self) -> Resolved:
        return self._resolve(self.experiment.training.precision)

    def _resolve(self, wanted: str) -> Resolved:
        """One precision for all processes, though they may run on several machines."""
        return self._processes.decide(lambda: resolve_precision(wanted, self._machines, self._progress.say))

    @property
    def _machines(self) -> Path:
        """Where it is written down which precision is faster."""
        return self.cache.root / "machines"


@dataclass(frozen=True)
class _Candidates:
    """The run whose documents a pair is searched in: what keys have of it, where it is, the steps behind it."""

    material: Mapping[str, str]
    run: Callable[[Mapping[str, Path]], Path | None]
    inputs: Mapping[str, Step]


NO_CANDIDATES = _Candidates({}, lambda _inputs: None, {})


def _refuse_bm25(cell: Cell) -> None:
    if cell.analyzer is not None:
        raise ConfigError(
            f"{cell.objective}: BM25 has no encoder, so nothing to distill and no index; retrieve or evaluate it"
        )


@dataclass(frozen=True)
class _Encoder:
    """What encodes one side: how keys call it, where its folder is, and the steps behind it."""

    material: str
    label: str
    folder: Callable[[Mapping[str, Path]], Path]
    inputs: Mapping[str, Step]
