"""Which sentences of an experiment are aligned, and by whose students; those for a report are kept in the cache."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from optical_cli.align.aligned_pair import AlignedSentences, Sentence, read_aligned, write_aligned
from optical_cli.cache.artifact import Artifact, Health
from optical_cli.config.experiment import Experiment, languages_of
from optical_cli.data.bitext import SentencePair
from optical_cli.encoder.setup import SIDES, Side
from optical_cli.errors import ConfigError
from optical_cli.pipeline import Pipeline
from optical_cli.pipeline.cells import Cell, Student, student_of
from optical_cli.pipeline.sources import Sources
from optical_cli.pipeline.step import Step, make_step

SHOWN = 3  # held-out pairs, unless the user says how many
FILE = "alignments.jsonl"


@dataclass(frozen=True)
class View:
    """Whose tokens are aligned: those of a pair's student."""

    pair: str
    student: Student
    language: str  # of the translations
    side: Side  # as which sentences and translations are encoded


def view_of(experiment: Experiment, pair: str | None, language: str | None) -> View:
    """Choose a student of an experiment and one of the languages that it learns: those named, or else the first.

    Raises:
        ConfigError: the experiment lacks the pair, the pair lacks the language, or it has several students.
    """
    pair, student = _student(experiment, pair)
    sides: dict[str, Side] = {}
    for code, side in zip(languages_of(pair), SIDES, strict=True):
        if code != experiment.teacher.language:
            sides.setdefault(code, side)  # a query, if the language is on both sides
    wanted = language or next(iter(sides))
    if wanted not in sides:
        raise ConfigError(f"--language {language}: {' or '.join(sides)} expected, which {pair} teaches its student")
    return View(pair, student, wanted, sides[wanted])


def _student(experiment: Experiment, pair: str | None) -> tuple[str, Student]:
    known = ", ".join(experiment.pairs)
    if pair is not None and pair not in experiment.pairs:
        raise ConfigError(f"--pair {pair}: not in the experiment; it has {known}")
    students = {name: student for name in experiment.pairs if (student := student_of(experiment, name))}
    if not students or (pair is not None and pair not in students):
        raise ConfigError(f"{pair or known}: both sides are in the teacher's language, so there is nothing to align")
    if pair is None and len(set(students.values())) > 1:
        raise ConfigError(f"--pair: the experiment has several students, say which: {', '.join(students)}")
    name = pair or next(iter(students))
    return name, students[name]


def held_out_sentences(
    sources: Sources, language: str, *, rows: Sequence[int] | None = None, count: int | None = None
) -> list[Sentence]:
    """Pairs of the held-out part of a language's bitext: those at `rows`, from 1, or else the first `count`.

    Without either these are the first 3, or all if there are fewer.

    Raises:
        ConfigError: fewer are held out.
        DataError: the bitext cannot be read.
    """
    held_out = sources.split(language).held_out
    if not held_out:
        raise ConfigError(
            f"bitext.{language}.held_out: no pair is held out that could be aligned; "
            "hold some out, or give --text and --translation"
        )
    wanted = list(rows) if rows else list(range(1, (count or min(SHOWN, len(held_out))) + 1))
    if max(wanted) > len(held_out):
        asked = f"--rows {max(wanted)}" if rows else f"--count {count}"
        raise ConfigError(f"{asked}: the held-out bitext of {language} ends with pair {len(held_out)}")
    return [Sentence(f"held-out {row}", held_out[row - 1].teacher, held_out[row - 1].foreign) for row in wanted]


def trained_pairs(sources: Sources, student: Student) -> list[SentencePair]:
    """The pairs that a student is trained on, language after language."""
    return [pair for language in student.languages for pair in sources.split(language).train]


def held_out_alignments(pipeline: Pipeline, count: int) -> Iterator[AlignedSentences]:
    """Align the first `count` held-out pairs of each language by the student of each reg, or read that from the cache.

    No student is trained: a reg without one in the cache is left out, and so is a language without any. No encoder is
    loaded for alignments that are in the cache.
    """
    x, sources = pipeline.experiment, pipeline.sources
    for view in _views(x):
        held_out = len(sources.split(view.language).held_out)
        students = dict(_students(pipeline, view))
        if held_out and students:
            sentences = held_out_sentences(sources, view.language, count=min(count, held_out))
            step = _step(pipeline, view, sentences, students)
            artifact, _ = pipeline.cache.make(step.kind, step.label, step.key, lambda folder: step.build(folder, {}))  # noqa: B023 - called at once
            yield AlignedSentences(view.student.name, view.language, tuple(read_aligned(artifact.folder / FILE)))


def _views(experiment: Experiment) -> list[View]:
    """The first pair of each student and each language that it learns."""
    views: dict[tuple[object, str], View] = {}
    for pair in experiment.pairs:
        for language in languages_of(pair):
            if language in experiment.bitext and language != experiment.teacher.language:
                view = view_of(experiment, pair, language)
                views.setdefault((view.student, language), view)
    return list(views.values())


def _students(pipeline: Pipeline, view: View) -> Iterator[tuple[float, Artifact]]:
    """By reg, the student of the experiment's first seed, if the cache holds it."""
    for reg in sorted(pipeline.experiment.transport.reg):
        step = pipeline.checkpoint(Cell(view.pair, "transport", reg, pipeline.experiment.seeds[0]))
        if artifact := pipeline.cache.find(*step.address):
            yield reg, artifact


def _step(pipeline: Pipeline, view: View, sentences: list[Sentence], students: Mapping[float, Artifact]) -> Step:
    x, sources = pipeline.experiment, pipeline.sources
    by_rarity = x.transport.marginals == "idf"
    material = {
        "teacher": sources.model(x.teacher.model).fingerprint,
        "students": [[reg, student.manifest["key"]] for reg, student in students.items()],
        "sentences": [[sentence.name, sentence.text, sentence.translation] for sentence in sentences],
        "trained_on": [sources.bitext_material(code) for code in view.student.languages] if by_rarity else None,
        "side": view.side,
        "lengths": [x.encoding.query_length, x.encoding.document_length, x.training.max_length],
        "precision": pipeline.encoding_precision,
        "transport": [[reg, x.transport.solve_arguments(reg)] for reg in students],
        "threshold": x.transport.threshold,
    }

    def build(folder: Path, _inputs: Mapping[str, Path]) -> Health:
        from optical_cli.align.align_sentences import align_sentences

        obtain = {reg: (lambda student=student: student.folder) for reg, student in students.items()}
        trained_on = trained_pairs(sources, view.student)
        pairs = align_sentences(x, sentences, trained_on, view.side, obtain, pipeline.encoding_precision, "auto")
        write_aligned(folder / FILE, pairs)
        return {"sentences": len(pairs), "unconverged": sum(not a.converged for p in pairs for a in p.alignments)}

    return make_step("align", f"{view.student.name}-{view.language}-held-out", material, build)
