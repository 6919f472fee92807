"""The students of cells: trained from a start on the teacher's encodings, and averaged with the start if wanted."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from optical_cli.cache.artifact import Health
from optical_cli.errors import CacheError, ConfigError
from optical_cli.pipeline.cells import Cell, Student, student_of
from optical_cli.pipeline.context import Context
from optical_cli.pipeline.encodings import Encodings
from optical_cli.pipeline.starts import Starts
from optical_cli.pipeline.step import Step, make_step


class Students:
    """The steps that end in a student."""

    def __init__(self, context: Context, encodings: Encodings, starts: Starts) -> None:
        self._at = context
        self._sources = context.sources
        self._encodings = encodings
        self._starts = starts
        self._fits: dict[Student, Health] = {}

    def checkpoint(self, cell: Cell) -> Step:
        """The student of a cell, averaged with its start if `training.start_share` asks for it.

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
        if not cell.is_trained:
            return self._starts.of(student)
        trained = self._trained(cell, student)
        share = self._at.experiment.training.start_share
        return self._averaged(trained, student, share) if share else trained

    def _trained(self, cell: Cell, student: Student) -> Step:
        x, start = self._at.experiment, self._starts.of(student)
        bitexts = {language: self._encodings.of(language, student.sides) for language in student.languages}
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
        step = make_step("distill", label, material, build, {"start": start, **bitexts}, together=True)
        return step

    def _transport_material(self, cell: Cell) -> dict[str, Any] | None:
        if cell.reg is None:
            return None
        transport = self._at.experiment.transport
        if fault := transport.fault_of(cell.reg):
            raise ConfigError(f"transport.reg: {fault}")
        return transport.deciding_of(cell.reg)

    def _train(
        self, cell: Cell, student: Student, folder: Path, inputs: Mapping[str, Path], unfinished: Path
    ) -> Health:
        from optical_cli.distill.teacher_tokens import TeacherTokens
        from optical_cli.distill.train import train_student

        x = self._at.experiment
        teacher = TeacherTokens([inputs[language] for language in student.languages], student.sides)
        fit = self._tokenizer_fit(student, inputs["start"])
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

    def _tokenizer_fit(self, student: Student, start: Path) -> Health:
        """How the student's tokenizer suits its languages: the same for every cell, so measured and reported once."""
        from optical_cli.distill.tokenizer_fit import report_fit, tokenizer_fit

        if student not in self._fits:
            side = student.sides[0]
            length = min(self._at.lengths[side], self._at.experiment.training.max_length)
            sentences = {code: [pair.foreign for pair in self._sources.split(code).train] for code in student.languages}
            fits = {code: tokenizer_fit(start, texts, side, length) for code, texts in sentences.items()}
            say = self._at.progress.say
            self._fits[student] = {code: report_fit(fit, "student", code, say) for code, fit in fits.items()}
        return self._fits[student]

    def _averaged(self, trained: Step, student: Student, start_share: float) -> Step:
        """The mean of a trained student and its start; one training serves every share."""
        training = {**trained.key.material["training"], "start_share": start_share}
        material = {"trained": trained.key.digest, "training": training}

        def build(folder: Path, inputs: Mapping[str, Path]) -> Health:
            from optical_cli.distill.held_out import HeldOut
            from optical_cli.distill.start import average_student
            from optical_cli.distill.teacher_tokens import TeacherTokens

            encoder = average_student(inputs["trained"], inputs["start"], start_share, folder, self._at.setup)
            teacher = TeacherTokens([inputs[language] for language in student.languages], student.sides)
            splits = [self._sources.split(language) for language in student.languages]
            held_out = HeldOut.of(splits, teacher, student.sides[0], self._at.setup.batch_size)
            health = self._health_of(trained)
            seen = held_out.measure(encoder)
            return {**health, "held_out_end": seen} if seen else health

        inputs = {**trained.inputs, "trained": trained}
        return make_step("average", f"{trained.label}-averaged", material, build, inputs)

    def _health_of(self, step: Step) -> Health:
        artifact = self._at.cache.find(*step.address)
        if artifact is None:
            raise CacheError(f"{step.kind}/{step.label}: removed from the cache while it was read; run again")
        health: Health = artifact.manifest["health"]
        return health


def refuse_bm25(cell: Cell) -> None:
    """Raise ConfigError if a cell is one of BM25, which has no student."""
    if cell.analyzer is not None:
        raise ConfigError(
            f"{cell.objective}: BM25 has no encoder, so nothing to distill and no index; retrieve or evaluate it"
        )
