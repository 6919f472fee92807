"""Choose the sentences and students to align; alignments for a report are kept in the cache."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from optical_cli.align.aligned_pair import AlignedSentences, Sentence, read_aligned, write_aligned
from optical_cli.cache.artifact import Artifact, Health
from optical_cli.config.experiment import Experiment, languages_of
from optical_cli.data.bitext import SentencePair
from optical_cli.encoder.setup import SIDES, Side
from optical_cli.errors import ConfigError, several
from optical_cli.pipeline import Pipeline
from optical_cli.pipeline.cells import Cell, Student, student_of
from optical_cli.pipeline.sources import Sources
from optical_cli.pipeline.step import Step, make_step

SHOWN = 3  # held-out pairs by default
FILE = "alignments.jsonl"


@dataclass(frozen=True)
class View:
    """The student of a pair and the language that its tokens are aligned in."""

    pair: str
    student: Student
    language: str  # of the translations
    side: Side  # sentences and translations are encoded as queries or as documents


def view_of(experiment: Experiment, pair: str | None, language: str | None) -> View:
    """Choose the student of a pair and one of its languages; by default the only student and its first language.

    Raises:
        ConfigError: the experiment lacks the pair, the pair lacks the language, or several students need a pair.
    """
    pair, student = _student(experiment, pair)
    sides: dict[str, Side] = {}
    for code, side in zip(languages_of(pair), SIDES, strict=True):
        if code != experiment.teacher.language:
            sides.setdefault(code, side)  # a query, if the language is on both sides
    wanted = language or next(iter(sides))
    if wanted not in sides:
        raise ConfigError(f"--language {language}: {' or '.join(sides)} expected, as in {pair}")
    return View(pair, student, wanted, sides[wanted])


def _student(experiment: Experiment, pair: str | None) -> tuple[str, Student]:
    known = ", ".join(experiment.pairs)
    if pair is not None and pair not in experiment.pairs:
        raise ConfigError(f"--pair {pair}: not in the experiment; it has {known}")
    students = {name: student for name in experiment.pairs if (student := student_of(experiment, name))}
    if not students or (pair is not None and pair not in students):
        raise ConfigError(f"{pair or known}: has nothing to align, as both languages are the teacher's")
    if pair is None and len(set(students.values())) > 1:
        raise ConfigError(f"--pair: the experiment has several students; give one of {', '.join(students)}")
    name = pair or next(iter(students))
    return name, students[name]


def held_out_sentences(
    sources: Sources, language: str, *, rows: Sequence[int] | None = None, count: int | None = None
) -> list[Sentence]:
    """Return held-out pairs of the bitext of a language: those at `rows`, from 1, or the first `count`, by default 3.

    Raises:
        ConfigError: not as many pairs are held out.
        DataError: the bitext cannot be read.
    """
    held_out = sources.split(language).held_out
    if not held_out:
        raise ConfigError(
            f"bitext.{language}.held_out: no pair is held out; set it to the number of pairs to hold out, or give "
            "--text and --translation"
        )
    wanted = list(rows) if rows else list(range(1, (count or min(SHOWN, len(held_out))) + 1))
    if max(wanted) > len(held_out):
        asked = f"--rows {max(wanted)}" if rows else f"--count {count}"
        raise ConfigError(f"{asked}: the bitext of {language} has only {several(len(held_out), 'held-out pair')}")
    return [Sentence(f"held-out {row}", held_out[row - 1].teacher, held_out[row - 1].foreign) for row in wanted]


def trained_pairs(sources: Sources, student: Student) -> list[SentencePair]:
    """Return the pairs that a student is trained on, one language after the other."""
    return [pair for language in student.languages for pair in sources.split(language).train]


def held_out_alignments(pipeline: Pipeline, count: int) -> Iterator[AlignedSentences]:
    """Yield alignments of the first `count` held-out pairs of each language, by the cached student of each reg.

    Trains no student: a reg without a cached student is left out, and so is a language without any. Cached alignments
    are read without loading an encoder.
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
    """Return a view of each student and each of its languages."""
    views: dict[tuple[object, str], View] = {}
    for pair in experiment.pairs:
        for language in languages_of(pair):
            if language in experiment.bitext and language != experiment.teacher.language:
                view = view_of(experiment, pair, language)
                views.setdefault((view.student, language), view)
    return list(views.values())


def _students(pipeline: Pipeline, view: View) -> Iterator[tuple[float, Artifact]]:
    """Yield each reg whose student of the first seed is in the cache, and that student."""
    objective, strengths = pipeline.experiment.transport.grid
    for strength in strengths:
        step = pipeline.checkpoint(Cell(view.pair, objective, strength, pipeline.experiment.seeds[0]))
        if artifact := pipeline.cache.find(*step.address):
            yield artifact.manifest["health"].get("reg_found", strength), artifact


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
