"""Where students come from: encodings of the teacher, the start, and the checkpoint of each cell."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from optical_cli.cache.artifact import Health
from optical_cli.cells import Cell, Student, student_of
from optical_cli.encoder.side import Side
from optical_cli.errors import CacheError, ConfigError
from optical_cli.pipeline.workplace import Workplace
from optical_cli.sources.texts import texts_material, texts_of
from optical_cli.step import VERSIONS, Step, make_step


class Students:
    """The steps that end in a student.

    Args:
        workplace: where they are made.
    """

    def __init__(self, workplace: Workplace) -> None:
        self._at = workplace
        self._sources = workplace.sources
        self._fits: dict[Student, Health] = {}

    def encodings(self, language: str, sides: tuple[Side, ...]) -> Step:
        """The teacher's token embeddings of a bitext."""
        x = self._at.experiment
        lengths = {
            side: min(length, x.training.max_length) for side, length in self._at.lengths.items() if side in sides
        }
        material = {
            "teacher": self._sources.model(x.teacher.model).fingerprint,
            "bitext": self._sources.bitext_material(language),
            "lengths": lengths,
            "precision": self._at.encoding_precision,
        }

        def build(folder: Path, _inputs: Mapping[str, Path]) -> Health:
            from optical_cli.data.bitext.dropped import record_dropped
            from optical_cli.distill.teacher_tokens import encode_bitext

            dropped = record_dropped(self._sources.bitext(language), folder, self._at.progress.say)
            sentences = [pair.teacher for pair in self._sources.split(language).pairs]
            fit = self._teacher_fit(sentences, sides[0], lengths[sides[0]])
            tokens = encode_bitext(
                sentences,
                self._sources.model(x.teacher.model).folder,
                sides,
                folder,
                known_from=self._same_encodings(material),
                setup=replace(
                    self._at.setup,
                    query_length=lengths.get("query", lengths[sides[0]]),
                    document_length=lengths.get("document", lengths[sides[0]]),
                ),
                progress=self._at.progress,
            )
            return {**tokens, "bitext": dropped, "tokenizer": fit}

        label = f"{self._sources.model(x.teacher.model).label}-{language}"
        return make_step("encodings", "encodings", label, material, build)

    def start(self, student: Student) -> Step:
        """The student as initialised."""
        x = self._at.experiment
        teacher = self._sources.model(x.teacher.model)
        lengths = list(self._at.lengths.values())
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
                "precision": self._at.encoding_precision,
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
                setup=self._at.setup,
                progress=self._at.progress,
                trim=self._trim(student),
            )

        return make_step("checkpoints", "start", f"{init.label}-{student.name}-start", material, build)

    def checkpoint(self, cell: Cell) -> Step:
        """The student of a cell: as it was trained, or averaged with its start if that is wanted.

        Raises:
            ConfigError: both sides of the pair are the teacher's, the solver does not take the cell's reg, or what is
                asked for has no student.
        """
        refuse_bm25(cell)
        if not cell.has_student:
            raise ConfigError(f"{cell.objective}: the teacher searches with translated topics, so nothing to distill")
        student = student_of(self._at.experiment, cell.pair)
        if student is None:
            raise ConfigError(f"{cell.pair}: both sides are in the teacher's language, so there is nothing to distill")
        if cell.objective == "none":
            return self.start(student)
        trained = self._trained(cell, student)
        share = self._at.experiment.training.start_share
        return self._averaged(trained, student, share) if share else trained

    def _trained(self, cell: Cell, student: Student) -> Step:
        """The student of a cell as its training ends."""
        x, start = self._at.experiment, self.start(student)
        bitexts = {language: self.encodings(language, student.sides) for language in student.languages}
        material = {
            "start": start.key.digest,
            "encodings": [step.key.digest for step in bitexts.values()],
            "sides": student.sides,
            "objective": cell.objective,
            "transport": self._transport_material(cell),
            "training": {**x.training.deciding(), "precision": self._at.training_precision},
            "freeze_embeddings": x.student.freeze_embeddings,
            "seed": cell.seed,
        }
        if x.student.adapters is not None:
            material["adapters"] = x.student.adapters.deciding()

        def build(folder: Path, inputs: Mapping[str, Path]) -> Health:
            return self._train(cell, student, folder, inputs, self._at.cache.unfinished(step.kind, step.key))

        label = f"{student.name}-{cell.name}"
        step = make_step("checkpoints", "distill", label, material, build, {"start": start, **bitexts}, together=True)
        return step

    def _averaged(self, trained: Step, student: Student, start_share: float) -> Step:
        """The mean of a trained student and its start; one training serves every share."""
        training = {**trained.key.material["training"], "start_share": start_share}
        material = {"trained": trained.key.digest, "training": training}

        def build(folder: Path, inputs: Mapping[str, Path]) -> Health:
            from optical_cli.distill.average import average_student
            from optical_cli.distill.held_out import HeldOut
            from optical_cli.distill.teacher_tokens import TeacherTokens

            encoder = average_student(inputs["trained"], inputs["start"], start_share, folder, self._at.setup)
            teacher = TeacherTokens([inputs[language] for language in student.languages], student.sides)
            splits = [self._sources.split(language) for language in student.languages]
            held_out = HeldOut.of(splits, teacher, student.sides[0], self._at.setup.batch_size)
            health = self._health_of(trained)
            seen = held_out.measure(encoder)
            return {**health, "held_out_end": seen} if seen else health

        inputs = {**trained.inputs, "trained": trained}
        return make_step("checkpoints", "average", f"{trained.label}-averaged", material, build, inputs)

    def _health_of(self, step: Step) -> Health:
        """What the manifest of an artifact that is in the cache says of its making."""
        artifact = self._at.cache.find(step.kind, step.key)
        if artifact is None:
            raise CacheError(f"{step.kind}/{step.label}: removed from the cache while it was read; run again")
        health: Health = artifact.manifest["health"]
        return health

    def _same_encodings(self, material: Mapping[str, Any]) -> list[Path]:
        """Encodings of other bitexts that were made as these are to be: their sentences need not be encoded again."""
        wanted = {**material, "stage": "encodings", "version": VERSIONS["encodings"], "bitext": None}
        lengths = material["lengths"].items()
        return [
            artifact.folder
            for artifact in self._at.cache.entries("encodings")
            if {**artifact.manifest["material"], "bitext": None, "lengths": None} == {**wanted, "lengths": None}
            and lengths <= artifact.manifest["material"]["lengths"].items()
            and not artifact.faults()
        ]

    def _copy_teacher(self, student: Student, folder: Path) -> Health:
        from optical_cli.distill.start import copy_teacher

        teacher = self._sources.model(self._at.experiment.teacher.model)
        return copy_teacher(teacher.folder, folder, self._at.setup, self._trim(student))

    def _trimmed_material(self, student: Student) -> dict[str, Any]:
        """What decides which tokens a student keeps: nothing, if it keeps all."""
        settings = self._at.experiment.student
        if settings.vocabulary == "full":
            return {}
        texts = texts_material(self._sources, student.languages)
        return {"vocabulary": {"keep": "trim", "floor": settings.vocabulary_floor, **texts}}

    def _trim(self, student: Student) -> Callable[[Any], dict[str, Any]] | None:
        """What cuts down the vocabulary of a student, if that is wanted."""
        if self._at.experiment.student.vocabulary == "full":
            return None
        from optical_cli.encoder.vocabulary import trim_vocabulary

        floor = self._at.experiment.student.vocabulary_floor
        texts = texts_of(self._sources, student.languages)
        return lambda encoder: trim_vocabulary(encoder, texts, floor, self._at.progress)

    def _train(
        self, cell: Cell, student: Student, folder: Path, inputs: Mapping[str, Path], unfinished: Path
    ) -> Health:
        from optical_cli.distill.teacher_tokens import TeacherTokens
        from optical_cli.distill.train import train_student

        x = self._at.experiment
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
            setup=self._at.setup,
            precision=self._at.training_precision,
            seed=cell.seed,
            deadline=self._at.deadline,
            processes=self._at.processes,
            progress=self._at.progress,
        )
        return {**health, "tokenizer": fit}

    def _teacher_fit(self, sentences: Sequence[str], side: Side, length: int) -> Health:
        from optical_cli.distill.tokenizer_fit import report_fit, tokenizer_fit

        teacher = self._at.experiment.teacher
        fit = tokenizer_fit(self._sources.model(teacher.model).folder, sentences, side, length)
        return report_fit(fit, "teacher", teacher.language, self._at.progress.say)

    def _student_fit(self, student: Student, start: Path) -> Health:
        """How the student's tokenizer suits its languages: the same for every cell, so measured and said once."""
        from optical_cli.distill.tokenizer_fit import report_fit, tokenizer_fit

        if student not in self._fits:
            side = student.sides[0]
            length = min(self._at.lengths[side], self._at.experiment.training.max_length)
            sentences = {code: [pair.foreign for pair in self._sources.split(code).train] for code in student.languages}
            fits = {code: tokenizer_fit(start, texts, side, length) for code, texts in sentences.items()}
            say = self._at.progress.say
            self._fits[student] = {code: report_fit(fit, "student", code, say) for code, fit in fits.items()}
        return self._fits[student]

    def _transport_material(self, cell: Cell) -> dict[str, Any] | None:
        """What of the transport settings decides a cell: nothing for a baseline."""
        if cell.reg is None:
            return None
        transport = self._at.experiment.transport
        if fault := transport.fault_of(cell.reg):
            raise ConfigError(f"transport.reg: {fault}")
        return transport.deciding_of(cell.reg)


def refuse_bm25(cell: Cell) -> None:
    """Raise ConfigError if a cell is one of BM25, which has no student."""
    if cell.analyzer is not None:
        raise ConfigError(
            f"{cell.objective}: BM25 has no encoder, so nothing to distill and no index; retrieve or evaluate it"
        )
