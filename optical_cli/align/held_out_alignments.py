"""Alignments of held-out sentences for a report: made once with the students that the cache holds, then kept there."""

from collections.abc import Iterator, Mapping
from pathlib import Path

from optical_cli.align.aligned_file import read_aligned, write_aligned
from optical_cli.align.aligned_pair import AlignedSentences
from optical_cli.align.sentences import Sentence, View, held_out_sentences, trained_pairs, view_of
from optical_cli.cache.artifact import Artifact, Health
from optical_cli.config.experiment import Experiment, languages_of
from optical_cli.pipeline import Pipeline
from optical_cli.pipeline.cells import Cell
from optical_cli.pipeline.sources import Sources
from optical_cli.pipeline.step import Step, make_step

FILE = "alignments.jsonl"


def held_out_alignments(pipeline: Pipeline, count: int) -> Iterator[AlignedSentences]:
    """The first held-out pairs of each language a student learns, aligned under each reg by the student of that reg.

    No student is trained: a reg without one in the cache is left out, and so is a language without any. Where the
    alignments are in the cache too, no encoder is loaded.

    Args:
        pipeline: of the experiment.
        count: how many pairs of each language, or what its bitext holds out.
    """
    x, sources = pipeline.experiment, pipeline.sources
    for view in _views(x):
        held_out = len(sources.split(view.language).held_out)
        students = dict(_students(pipeline, view))
        if held_out and students:
            sentences = held_out_sentences(sources, view.language, count=min(count, held_out))
            step = _step(pipeline, sources, view, sentences, students)
            artifact, _ = pipeline.cache.make(step.kind, step.label, step.key, lambda folder: step.build(folder, {}))  # noqa: B023 - called at once
            yield AlignedSentences(view.student.name, view.language, tuple(read_aligned(artifact.folder / FILE)))


def _views(experiment: Experiment) -> list[View]:
    """Of each student and each language that it learns, the first pair that has it."""
    views: dict[tuple[object, str], View] = {}
    for pair in experiment.pairs:
        for language in languages_of(pair):
            if language in experiment.bitext and language != experiment.teacher.language:
                view = view_of(experiment, pair, language)
                views.setdefault((view.student, language), view)
    return list(views.values())


def _students(pipeline: Pipeline, view: View) -> Iterator[tuple[float, Artifact]]:
    """By reg, the student of the experiment's first seed, as far as the cache holds it."""
    for reg in sorted(pipeline.experiment.transport.reg):
        step = pipeline.checkpoint(Cell(view.pair, "transport", reg, pipeline.experiment.seeds[0]))
        if artifact := pipeline.cache.find(*step.address):
            yield reg, artifact


def _step(
    pipeline: Pipeline, sources: Sources, view: View, sentences: list[Sentence], students: Mapping[float, Artifact]
) -> Step:
    x = pipeline.experiment
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
        from optical_cli.align.alignments import align_sentences

        obtain = {reg: (lambda student=student: student.folder) for reg, student in students.items()}
        trained_on = trained_pairs(sources, view.student)
        pairs = align_sentences(x, sentences, trained_on, view.side, obtain, pipeline.encoding_precision, "auto")
        write_aligned(folder / FILE, pairs)
        return {"sentences": len(pairs), "unconverged": sum(not a.converged for p in pairs for a in p.alignments)}

    return make_step("align", f"{view.student.name}-{view.language}-held-out", material, build)
