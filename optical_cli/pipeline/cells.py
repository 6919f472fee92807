"""The points of a sweep, and which student each of them needs: a matter of the experiment alone."""

from collections.abc import Iterator
from dataclasses import dataclass

from optical_cli.config.bm25 import ANALYZERS, Analyzer, bm25_objective
from optical_cli.config.experiment import Experiment, can_be_translated, in_one_language, languages_of
from optical_cli.config.translate import TRANSLATE
from optical_cli.encoder.setup import SIDES, Side


@dataclass(frozen=True)
class Cell:
    """One point of a sweep.

    Attributes:
        pair: a language pair of the experiment.
        objective: `transport` or a baseline; BM25 is one by each of its analyzers, such as `bm25-folding`.
        reg: of the transport; None for a baseline.
        seed: of the training.
    """

    pair: str
    objective: str
    reg: float | None
    seed: int

    @property
    def name(self) -> str:
        """How labels and messages call it: `reg0.05-seed13`, `greedy-seed13`, `none`, `bm25-folding`."""
        if self.objective == "none" or not self.has_student:  # no training, no seed
            return self.objective
        return f"{self.objective if self.reg is None else f'reg{self.reg:g}'}-seed{self.seed}"

    @property
    def analyzer(self) -> Analyzer | None:
        """The analyzer of a BM25 cell, which has no encoder; None for any other cell."""
        return next((name for name in ANALYZERS if self.objective == bm25_objective(name)), None)

    @property
    def has_student(self) -> bool:
        """Whether a student may have a part in it: not in BM25, and not where translated topics meet the teacher."""
        return self.analyzer is None and self.objective != TRANSLATE


@dataclass(frozen=True)
class Student:
    """Which student a pair needs.

    Attributes:
        languages: those it learns, sorted: all that the experiment's pairs join to one another.
        sides: as which it encodes texts, in any pair of the experiment.
    """

    languages: tuple[str, ...]
    sides: tuple[Side, ...]

    @property
    def name(self) -> str:
        """How labels call it: `yo`, `sw+yo`."""
        return "+".join(self.languages)


def cells_of(experiment: Experiment) -> Iterator[Cell]:
    """Every seed, baseline, reg and pair; a pair that needs no student stands once, under `none`.

    BM25 has a cell only where topics and documents are in one language: it matches words. Translation has one where
    the documents are in the teacher's language and the topics are not.
    """
    points: list[tuple[str, float | None]] = [
        (baseline, None) for baseline in experiment.baselines if baseline not in ("bm25", TRANSLATE)
    ]
    points += [("transport", reg) for reg in sorted(experiment.transport.reg)]
    learning = [pair for pair in experiment.pairs if student_of(experiment, pair)]
    analyzers = experiment.bm25.analyzers if "bm25" in experiment.baselines else ()
    translated = [pair for pair in experiment.pairs if can_be_translated(pair, experiment.teacher.language)]
    for seed in experiment.seeds:
        for analyzer in analyzers:
            yield from (
                Cell(pair, bm25_objective(analyzer), None, seed) for pair in experiment.pairs if in_one_language(pair)
            )
        if TRANSLATE in experiment.baselines:
            yield from (Cell(pair, TRANSLATE, None, seed) for pair in translated)
        for objective, reg in points:
            yield from (Cell(pair, objective, reg, seed) for pair in learning)
    yield from (Cell(pair, "none", None, experiment.seeds[0]) for pair in experiment.pairs if pair not in learning)


def student_of(experiment: Experiment, pair: str) -> Student | None:
    """The student of a pair; None if both its sides are in the teacher's language."""
    languages = _joined_languages(experiment, pair)
    if not languages:
        return None
    used = [languages_of(other) for other in experiment.pairs]
    sides = tuple(side for number, side in enumerate(SIDES) if any(both[number] in languages for both in used))
    return Student(tuple(sorted(languages)), sides)


def _joined_languages(experiment: Experiment, pair: str) -> set[str]:
    """The foreign languages of a pair and all that other pairs join to them: `sw-yo` joins two."""
    teacher = {experiment.teacher.language}
    groups = [set(languages_of(other)) - teacher for other in experiment.pairs]
    joined = set(languages_of(pair)) - teacher
    while grown := [group for group in groups if group & joined and not group <= joined]:
        joined.update(*grown)
    return joined
