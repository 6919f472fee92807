"""Steps of untrained students: a copy of the teacher, or another encoder projected into the teacher's space."""

from collections.abc import Collection, Iterator
from functools import partial
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Any

from optical_cli.cache.artifact import Health
from optical_cli.config.experiment import languages_of
from optical_cli.data.documents import fill
from optical_cli.encoder.setup import SIDES, Side, may_tell_sides_apart
from optical_cli.pipeline.cells import Student
from optical_cli.pipeline.context import Context
from optical_cli.pipeline.sources import Sources
from optical_cli.pipeline.step import Folders, Step, make_step

if TYPE_CHECKING:  # these load torch
    from sentence_transformers import MultiVectorEncoder

    from optical_cli.distill.start import Trim


def sides_of(context: Context, student: Student) -> tuple[Side, ...]:
    """Return the sides to train: those that the pairs use, or one if both would be trained on the same tokens.

    So another pair, which uses the other side, changes no key where it changes no result.
    """
    lengths = {min(length, context.experiment.training.max_length) for length in context.lengths.values()}
    models = (context.sources.teacher, context.sources.model(context.sources.init))
    alike = len(lengths) == 1 and not any(may_tell_sides_apart(model.folder) for model in models)
    return SIDES[:1] if alike else student.sides


def start_step(context: Context, student: Student) -> Step:
    """Return the step of a student as initialised: a copy of the teacher, or another encoder, projected."""
    settings, sources = context.experiment.student, context.sources
    copied, teacher, warm_start = settings.init == "teacher", sources.teacher, settings.warm_start
    init, trimmed = teacher if copied else sources.model(settings.init), _vocabulary_material(context, student)
    material = {"init": init.fingerprint, "lengths": list(context.lengths.values()), **trimmed}
    if not copied:
        material["teacher"] = teacher.fingerprint
        material["warm_start"] = warm_start and {
            **warm_start.key_material(),
            "precision": context.encoding_precision,
            "side": sides_of(context, student)[0],
            "bitexts": [sources.bitext_material(language) for language in student.languages],
        }

    def build(folder: Path, _inputs: Folders) -> Health:
        from optical_cli.distill.start import copy_teacher, start_student

        trim = _trim(context, student)
        if copied:
            return copy_teacher(teacher.folder, folder, context.setup, trim)
        splits = [sources.split(language) for language in student.languages]
        return start_student(
            init.folder,
            teacher.folder,
            warm_start,
            splits,
            sides_of(context, student)[0],
            folder,
            setup=context.setup,
            progress=context.progress,
            trim=trim,
        )

    label = f"{init.label}-start" if copied and not trimmed else f"{init.label}-{student.name}-start"
    return make_step("start", label, material, build)


def _vocabulary_material(context: Context, student: Student) -> dict[str, Any]:
    """Return the key material of the tokens that a student keeps; empty if it keeps all."""
    settings, sources = context.experiment.student, context.sources
    if settings.vocabulary == "full":
        return {}
    bitexts = [sources.bitext_material(language) for language in student.languages]
    return {"vocabulary": {"keep": "trim", "floor": settings.vocabulary_floor, "bitexts": bitexts}}


def _trim(context: Context, student: Student) -> "Trim | None":
    """Return a function that trims a start to the tokens of its bitexts, which are all that its training reads."""
    if context.experiment.student.vocabulary == "full":
        return None
    return partial(_trimmed, context, _sentences_of(context.sources, student))


def trim_to_experiment(context: Context, student: Student, encoder: "MultiVectorEncoder") -> dict[str, Any]:
    """Trim an encoder to all texts of the experiment that a student may encode, in place; return facts about it."""
    sources = context.sources
    return _trimmed(context, chain(_sentences_of(sources, student), _texts_of(sources, student.languages)), encoder)


def _trimmed(
    context: Context, texts: Iterator[tuple[Side | None, str]], encoder: "MultiVectorEncoder"
) -> dict[str, Any]:
    from optical_cli.encoder.vocabulary import trim_vocabulary

    return trim_vocabulary(encoder, texts, context.experiment.student.vocabulary_floor, context.progress)


def _sentences_of(sources: Sources, student: Student) -> Iterator[tuple[Side | None, str]]:
    """Stream the sentences of a student's bitexts, as either side: the warm start encodes the teacher's too."""
    for language in student.languages:
        for pair in sources.split(language).pairs:
            yield None, pair.teacher
            yield None, pair.foreign


def _texts_of(sources: Sources, languages: Collection[str]) -> Iterator[tuple[Side, str]]:
    """Stream the whole collections and the topics in these languages, each text with its side."""
    collections = {
        (sources.fingerprint(sources.documents(name)), pair.text): name
        for name, pair in sources.experiment.pairs.items()
        if languages_of(name)[1] in languages
    }
    for (_, template), name in sorted(collections.items()):
        for document in sources.documents(name).documents():
            yield "document", fill(template, document)
    names = (name for name in sources.experiment.pairs if languages_of(name)[0] in languages)
    for name in {sources.fingerprint(sources.topics(name)): name for name in names}.values():
        for text in sources.topics(name).topics().values():
            yield "query", text
