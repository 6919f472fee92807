"""Steps of students: the teacher's encodings of a bitext, the training, and the averaging with the start."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from optical_cli.cache.artifact import Health
from optical_cli.config.objectives import TARGETS
from optical_cli.encoder.setup import SIDES, EncoderSetup, Side, layers_of
from optical_cli.errors import CacheError, ConfigError
from optical_cli.pipeline.cells import Cell, Student, student_of
from optical_cli.pipeline.context import Context
from optical_cli.pipeline.starts import sides_of, start_step
from optical_cli.pipeline.step import STAGES, Folders, Step, make_step
from optical_cli.transport.solvers import format_reg


def encodings_step(context: Context, language: str, sides: tuple[Side, ...]) -> Step:
    """Return the step of the teacher's token embeddings of a bitext."""
    x, sources = context.experiment, context.sources
    teacher = sources.teacher
    lengths = _training_lengths(context, sides)
    material = {
        "teacher": teacher.fingerprint,
        "bitext": sources.bitext_material(language),
        "lengths": lengths,
        "precision": context.encoding_precision,
    }

    def build(folder: Path, _inputs: Folders) -> Health:
        from optical_cli.data.bitext import record_dropped
        from optical_cli.distill.teacher_tokens import encode_bitext
        from optical_cli.distill.tokenizer_fit import report_fit, tokenizer_fit

        say, first = context.progress.say, sides[0]
        dropped = record_dropped(sources.bitext(language), sources.split(language), folder, say)
        sentences = [pair.teacher for pair in sources.split(language).pairs]
        fit = tokenizer_fit(teacher.folder, sentences, first, lengths[first])
        reported = report_fit(fit, "teacher", x.teacher.language, say)
        tokens = encode_bitext(
            sentences,
            teacher.folder,
            sides,
            folder,
            known_from=_reusable(context, "encodings", material),
            setup=_cut_to(context.setup, lengths),
            progress=context.progress,
        )
        return {**tokens, "bitext": dropped, "tokenizer": reported}

    return make_step("encodings", f"{teacher.label}-{language}", material, build)


def _reusable(context: Context, stage: str, material: Mapping[str, Any]) -> list[Path]:
    """Return cached artifacts of other bitexts with equal settings, whose sentences need not be computed again."""
    varying = {"bitext": None, "lengths": None}
    comparable = {**material, "stage": stage, "version": STAGES[stage].version, **varying}
    lengths = material["lengths"].items()
    return [
        artifact.folder
        for artifact in context.cache.entries(STAGES[stage].kind)
        if {**artifact.manifest["material"], **varying} == comparable
        and lengths <= artifact.manifest["material"]["lengths"].items()
        and not artifact.faults()
    ]


def states_step(context: Context, language: str, student: Student, layers: int) -> Step:
    """Return the step of the states of a bitext that enter the upper layers of a student.

    They depend on the model that the student starts from, and not on its projection, so that one artifact serves every
    teacher, warm start and vocabulary.
    """
    x, sources, start = context.experiment, context.sources, start_step(context, student)
    sides = sides_of(context, student)
    lengths = _training_lengths(context, sides)
    init = sources.model(sources.init)
    _refuse_too_many(layers, init.folder)
    material = {
        "init": init.fingerprint,
        "projected": x.student.init != "teacher" and x.student.warm_start is not None,  # which drops prompts
        "layers": layers,
        "bitext": sources.bitext_material(language),
        "lengths": lengths,
        "precision": context.training_precision,
    }

    def build(folder: Path, inputs: Folders) -> Health:
        from optical_cli.distill.stored_states import store_states

        return store_states(
            [pair.foreign for pair in sources.split(language).pairs],
            inputs["start"],
            layers,
            sides,
            folder,
            known_from=_reusable(context, "states", material),
            setup=_cut_to(context.setup, lengths),
            precision=context.training_precision,
            progress=context.progress,
        )

    return make_step("states", f"{init.label}-{language}-upper{layers}", material, build, {"start": start})


def _refuse_too_many(layers: int, model: Path) -> None:
    found = layers_of(model)
    if found is not None and layers > found:
        raise ConfigError(
            f"student.train_layers: at most {found} expected, as many as the student has layers, found {layers}; use "
            "`all` to train the word embeddings as well"
        )


def _cut_to(setup: EncoderSetup, lengths: Mapping[Side, int]) -> EncoderSetup:
    """Return the setup with these lengths; a side without one gets that of the other."""
    query_length, document_length = (lengths.get(side, next(iter(lengths.values()))) for side in SIDES)
    return replace(setup, query_length=query_length, document_length=document_length)


def _training_lengths(context: Context, sides: Sequence[Side]) -> dict[Side, int]:
    return {side: _training_length(context, side) for side in context.lengths if side in sides}


def _training_length(context: Context, side: Side) -> int:
    return min(context.lengths[side], context.experiment.training.max_length)


def student_step(context: Context, cell: Cell) -> Step:
    """Return the step of a cell's student, averaged with its start if `training.start_share` is above 0.

    Raises:
        ConfigError: the pair or the objective has no student, or the solver refuses the cell's reg.
    """
    refuse_bm25(cell)
    if not cell.has_student:
        raise ConfigError(
            f"{cell.objective}: the teacher searches with translated topics, so there is nothing to distill"
        )
    student = student_of(context.experiment, cell.pair)
    if student is None:
        raise ConfigError(f"{cell.pair}: both sides are in the teacher's language, so there is nothing to distill")
    if not cell.is_trained:
        return start_step(context, student)
    trained = _trained(context, cell, student)
    return _averaged(context, trained, student) if context.experiment.training.start_share else trained


def _trained(context: Context, cell: Cell, student: Student) -> Step:
    x, start, sides = context.experiment, start_step(context, student), sides_of(context, student)
    bitexts = {language: encodings_step(context, language, sides) for language in student.languages}
    layers = x.student.train_layers
    states = {
        f"states {language}": states_step(context, language, student, layers)
        for language in student.languages
        if layers != "all"
    }
    inputs: dict[str, Step] = {"start": start, **bitexts, **states}
    transport: dict[str, Any] | None = None
    if cell.objective == TARGETS:
        inputs["strength"] = strength_step(context, cell, student)
        transport = {"strength": inputs["strength"].key.digest}
    elif cell.reg is not None:
        if fault := x.transport.fault_of(cell.reg):
            raise ConfigError(f"transport.reg: {fault}")
        transport = x.transport.key_material_of(cell.reg)
    material = {
        "start": start.key.digest,
        "encodings": [step.key.digest for step in bitexts.values()],
        "sides": sides,
        "objective": cell.objective,
        "transport": transport,
        "training": {**x.training.key_material(), "precision": context.training_precision},
        "freeze_embeddings": x.student.freeze_embeddings or layers != "all",
        "seed": cell.seed,
    }
    if layers != "all":
        material["train_layers"] = layers
    if x.student.adapters is not None:
        material["adapters"] = x.student.adapters.key_material()

    def build(folder: Path, inputs: Folders) -> Health:
        from optical_cli.distill.bitext_store import BitextStore
        from optical_cli.distill.teacher_tokens import TeacherTokens
        from optical_cli.distill.train import train_student

        fit = _tokenizer_fit(context, student, inputs["start"])
        reg = reg_of(cell, inputs)
        health = train_student(
            inputs["start"],
            TeacherTokens([inputs[language] for language in student.languages], sides),
            [context.sources.split(language) for language in student.languages],
            sides,
            folder,
            unfinished=context.cache.unfinished(step.kind, step.key),
            objective=cell.objective,
            reg=reg or 0.0,
            seed=cell.seed,
            transport=x.transport,
            training=x.training,
            precision=context.training_precision,
            student=x.student,
            states=BitextStore([inputs[name] for name in states], sides) if states else None,
            setup=context.setup,
            deadline=context.deadline,
            processes=context.processes,
            progress=context.progress,
        )
        found = {"reg_found": reg} if cell.objective == TARGETS else {}
        return {**health, **found, "tokenizer": fit}

    step = make_step("distill", f"{student.name}-{cell.name}", material, build, inputs, together=True)
    return step


def strength_step(context: Context, cell: Cell, student: Student) -> Step:
    """Return the step that finds the reg of a cell's effective targets, for all seeds."""
    x, start, sides = context.experiment, start_step(context, student), sides_of(context, student)
    bitexts = {language: encodings_step(context, language, sides) for language in student.languages}
    lengths, targets = _training_lengths(context, sides), cell.reg or 0.0
    material = {
        "start": start.key.digest,
        "encodings": [step.key.digest for step in bitexts.values()],
        "side": sides[0],
        "lengths": lengths,
        "transport": x.transport.key_material_of_targets(targets),
        "precision": context.encoding_precision,
    }

    def build(folder: Path, inputs: Folders) -> Health:
        from optical_cli.distill.strength import write_strength
        from optical_cli.distill.teacher_tokens import TeacherTokens

        return write_strength(
            inputs["start"],
            TeacherTokens([inputs[language] for language in student.languages], sides),
            [context.sources.split(language) for language in student.languages],
            sides[0],
            folder,
            targets=targets,
            transport=x.transport,
            setup=_cut_to(context.setup, lengths),
        )

    label = f"{student.name}-targets{format_reg(targets)}"
    return make_step("strength", label, material, build, {"start": start, **bitexts})


def reg_of(cell: Cell, inputs: Folders) -> float | None:
    """Return the reg that a cell is trained at, given the inputs of its training; None if its objective has none."""
    if cell.objective != TARGETS:
        return cell.reg
    from optical_cli.distill.strength import read_reg

    return read_reg(inputs["strength"])


def _tokenizer_fit(context: Context, student: Student, start: Path) -> Health:
    """Measure and report how well the student's tokenizer suits its languages, once for all cells."""
    from optical_cli.distill.tokenizer_fit import report_fit, tokenizer_fit

    if student not in context.tokenizer_fits:
        side = sides_of(context, student)[0]
        fits = {}
        for language in student.languages:
            sentences = [pair.foreign for pair in context.sources.split(language).train]
            fit = tokenizer_fit(start, sentences, side, _training_length(context, side))
            fits[language] = report_fit(fit, "student", language, context.progress.say)
        context.tokenizer_fits[student] = fits
    return context.tokenizer_fits[student]


def _averaged(context: Context, trained: Step, student: Student) -> Step:
    """Return the step that averages a trained student with its start; one training serves every share."""
    start_share, sides = context.experiment.training.start_share, sides_of(context, student)
    training = {**trained.key.material["training"], "start_share": start_share}
    material = {"trained": trained.key.digest, "training": training}

    def build(folder: Path, inputs: Folders) -> Health:
        from optical_cli.distill.held_out import HeldOut
        from optical_cli.distill.start import average_student
        from optical_cli.distill.teacher_tokens import TeacherTokens

        encoder = average_student(inputs["trained"], inputs["start"], start_share, folder, context.setup)
        teacher = TeacherTokens([inputs[language] for language in student.languages], sides)
        splits = [context.sources.split(language) for language in student.languages]
        held_out = HeldOut.of(splits, teacher, sides[0], context.setup.batch_size)
        artifact = context.cache.find(*trained.address)
        if artifact is None:
            raise CacheError(
                f"{trained.kind}/{trained.label}: removed from the cache while it was in use; run the command again"
            )
        measured = held_out.measure(encoder)
        return {**artifact.manifest["health"], **({"held_out_end": measured} if measured else {})}

    inputs = {name: step for name, step in trained.inputs.items() if step.kind != "states"}
    return make_step("average", f"{trained.label}-averaged", material, build, {**inputs, "trained": trained})


def refuse_bm25(cell: Cell) -> None:
    """Raise ConfigError for a cell of BM25, which has no student and no index."""
    if cell.analyzer is not None:
        raise ConfigError(
            f"{cell.objective}: BM25 has no encoder, so there is nothing to distill or index; "
            "use `optical retrieve` or `optical evaluate`"
        )
