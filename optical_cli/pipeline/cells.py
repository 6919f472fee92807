"""The cells of a sweep, and the student that each of them needs, according to the experiment alone."""

from collections.abc import Iterator
from dataclasses import dataclass

from optical_cli.config.baselines import ANALYZERS, Analyzer, bm25_objective
from optical_cli.config.experiment import Experiment, languages_of
from optical_cli.config.objectives import BM25, OBJECTIVES, UNTRAINED, objective_of
from optical_cli.encoder.setup import SIDES, Side
from optical_cli.transport.solvers import format_reg


@dataclass(frozen=True)
class Cell:
    """One point of a sweep: a pair, an objective, a reg and a seed.

    `reg` is None for an objective without one, and the effective targets asked for where they are compared in place of
    reg (the objective `targets`). BM25 has an objective for each analyzer, such as `bm25-folding`.
    """

    pair: str
    objective: str
    reg: float | None
    seed: int

    @property
    def name(self) -> str:
        """Name in labels and messages: `reg0.05-seed13`, `targets4-seed13`, `greedy-seed13`, `none`, `bm25-folding`."""
        if not self.is_trained:  # the seed belongs to the training
            return self.objective
        strength = "" if self.reg is None else f"{objective_of(self.objective).strength}{format_reg(self.reg)}"
        return f"{strength or self.objective}-seed{self.seed}"

    @property
    def analyzer(self) -> Analyzer | None:
        """The analyzer of a BM25 cell; None for any other cell."""
        return next((name for name in ANALYZERS if self.objective == bm25_objective(name)), None)

    @property
    def has_student(self) -> bool:
        """Whether the objective has a student."""
        return objective_of(self.objective).has_student

    @property
    def is_trained(self) -> bool:
        """Whether the objective trains a student."""
        return objective_of(self.objective).is_trained


@dataclass(frozen=True)
class Student:
    """A student of an experiment: the languages it learns and the sides it encodes.

    A pair such as `sw-yo` makes one student learn both languages.
    """

    languages: tuple[str, ...]  # sorted
    sides: tuple[Side, ...]

    @property
    def name(self) -> str:
        """Name in labels: `yo`, `sw+yo`."""
        return "+".join(self.languages)


def cells_of(experiment: Experiment) -> Iterator[Cell]:
    """Iterate over the cells of an experiment: every pair, objective, reg and seed that suit each other.

    A pair in the teacher's language, which needs no student, has one cell besides its baselines: `none`.
    """
    baselines = [OBJECTIVES[name] for name in experiment.baselines]
    points: list[tuple[str, float | None]] = [
        (name, None)
        for row in OBJECTIVES.values()
        if row in baselines and not row.has_student
        for name in (map(bm25_objective, experiment.bm25.analyzers) if row.name == BM25 else [row.name])
    ]
    points += [(row.name, None) for row in baselines if row.has_student]
    objective, strengths = experiment.transport.grid
    points += [(objective, strength) for strength in strengths]
    for seed in experiment.seeds:
        for name, reg in points:
            yield from (Cell(pair, name, reg, seed) for pair in experiment.pairs if _suit(experiment, name, pair))
    for pair in experiment.pairs:
        if not _suit(experiment, UNTRAINED, pair):
            yield Cell(pair, UNTRAINED, None, experiment.seeds[0])


def _suit(experiment: Experiment, objective: str, pair: str) -> bool:
    return objective_of(objective).suits(*languages_of(pair), experiment.teacher.language)


def student_of(experiment: Experiment, pair: str) -> Student | None:
    """Return the student of a pair; None if both of its sides are in the teacher's language."""
    languages = _joined_languages(experiment, pair)
    used = [languages_of(other) for other in experiment.pairs]
    sides = tuple(side for number, side in enumerate(SIDES) if any(both[number] in languages for both in used))
    return Student(tuple(sorted(languages)), sides) if languages else None


def _joined_languages(experiment: Experiment, pair: str) -> set[str]:
    """Return the foreign languages of a pair, and those that pairs such as `sw-yo` connect to them."""
    teacher = {experiment.teacher.language}
    groups = [set(languages_of(other)) - teacher for other in experiment.pairs]
    joined = set(languages_of(pair)) - teacher
    while grown := [group for group in groups if group & joined and not group <= joined]:
        joined.update(*grown)
    return joined
