"""The points of a sweep, and which student each of them needs: a matter of the experiment alone."""

from collections.abc import Iterator
from dataclasses import dataclass

from optical_cli.config.baselines import ANALYZERS, Analyzer, bm25_objective
from optical_cli.config.experiment import Experiment, languages_of
from optical_cli.config.objectives import BM25, OBJECTIVES, TRANSPORT, UNTRAINED, objective_of
from optical_cli.encoder.setup import SIDES, Side
from optical_cli.transport.solvers import format_reg


@dataclass(frozen=True)
class Cell:
    """One point of a sweep. BM25 is an objective by each analyzer (`bm25-folding`); only transport has a reg."""

    pair: str
    objective: str
    reg: float | None
    seed: int

    @property
    def name(self) -> str:
        """`reg0.05-seed13`, `greedy-seed13`, `none`, `bm25-folding`: for labels and messages."""
        if not self.is_trained:  # no training, no seed
            return self.objective
        return f"{self.objective if self.reg is None else f'reg{format_reg(self.reg)}'}-seed{self.seed}"

    @property
    def analyzer(self) -> Analyzer | None:
        """The analyzer of a BM25 cell, which has no encoder; None for any other cell."""
        return next((name for name in ANALYZERS if self.objective == bm25_objective(name)), None)

    @property
    def has_student(self) -> bool:
        """Whether a student may encode a side."""
        return objective_of(self.objective).has_student

    @property
    def is_trained(self) -> bool:
        """Whether a student is trained for it."""
        return objective_of(self.objective).is_trained


@dataclass(frozen=True)
class Student:
    """A student: the languages it learns, sorted, which pairs of the experiment join, and the sides it encodes."""

    languages: tuple[str, ...]
    sides: tuple[Side, ...]

    @property
    def name(self) -> str:
        """`yo`, `sw+yo`: for labels."""
        return "+".join(self.languages)


def cells_of(experiment: Experiment) -> Iterator[Cell]:
    """Every seed, baseline, reg and pair that suit each other; a pair that needs no student stands once, untrained."""
    baselines = [OBJECTIVES[name] for name in experiment.baselines]
    points: list[tuple[str, float | None]] = [
        (name, None)
        for row in OBJECTIVES.values()
        if row in baselines and not row.has_student
        for name in ([bm25_objective(one) for one in experiment.bm25.analyzers] if row.name == BM25 else [row.name])
    ]
    points += [(row.name, None) for row in baselines if row.has_student]
    points += [(TRANSPORT, reg) for reg in sorted(experiment.transport.reg)]
    for seed in experiment.seeds:
        for name, reg in points:
            yield from (Cell(pair, name, reg, seed) for pair in experiment.pairs if _suit(experiment, name, pair))
    for pair in experiment.pairs:
        if not _suit(experiment, UNTRAINED, pair):
            yield Cell(pair, UNTRAINED, None, experiment.seeds[0])


def _suit(experiment: Experiment, objective: str, pair: str) -> bool:
    return objective_of(objective).suits(*languages_of(pair), experiment.teacher.language)


def student_of(experiment: Experiment, pair: str) -> Student | None:
    """The student of a pair; None if both its sides are in the teacher's language."""
    languages = _joined_languages(experiment, pair)
    used = [languages_of(other) for other in experiment.pairs]
    sides = tuple(side for number, side in enumerate(SIDES) if any(both[number] in languages for both in used))
    return Student(tuple(sorted(languages)), sides) if languages else None


def _joined_languages(experiment: Experiment, pair: str) -> set[str]:
    """The foreign languages of a pair and all that other pairs join to them: `sw-yo` joins two."""
    teacher = {experiment.teacher.language}
    groups = [set(languages_of(other)) - teacher for other in experiment.pairs]
    joined = set(languages_of(pair)) - teacher
    while grown := [group for group in groups if group & joined and not group <= joined]:
        joined.update(*grown)
    return joined
