"""The table of objectives and baselines: names, labels, descriptions, and the pairs that each can be used on.

To add an objective, add a row here and a loss to `distill/losses.py`. A baseline without a student also needs a
search that makes its run. This module imports nothing heavy, because `optical --help` reads it.
"""

from collections.abc import Callable
from dataclasses import dataclass

TRANSPORT = "transport"
TARGETS = "targets"
BM25 = "bm25"
TRANSLATE = "translate"
UNTRAINED = "none"


def _needs_student(query: str, document: str, teacher: str) -> bool:
    return {query, document} != {teacher}


@dataclass(frozen=True)
class Objective:
    """An objective that students are trained on, or a baseline that they are compared with."""

    name: str
    label: str  # in tables and charts; a row of transport is labelled with its reg
    sentence: str = ""  # describes the student in its model card; "" if there is no student
    is_trained: bool = True
    has_student: bool = True  # a student, trained or not, encodes at least one side
    strength: str = ""  # what its cells differ in, besides pair and seed; "" if in nothing
    axis: str = ""  # the strength, as a chart explains it
    suits: Callable[[str, str, str], bool] = _needs_student  # called with query, document and teacher language

    @property
    def has_reg(self) -> bool:
        """Whether its loss is regularized, so that each strength is a cell of its own."""
        return bool(self.strength)

    @property
    def is_baseline(self) -> bool:
        """Whether `baselines` may list it. An objective with a strength is compared over a grid of it instead."""
        return not self.has_reg


def _one_language(query: str, document: str, _teacher: str) -> bool:
    return query == document


def _into_teachers_language(query: str, document: str, teacher: str) -> bool:
    return document == teacher != query


_ROWS = (
    Objective(BM25, "BM25", is_trained=False, has_student=False, suits=_one_language),
    Objective(TRANSLATE, "translated topics", is_trained=False, has_student=False, suits=_into_teachers_language),
    Objective(
        UNTRAINED,
        "untrained start",
        "It was not trained on any translation: it is a baseline, the student as it was initialised.",
        is_trained=False,
    ),
    Objective(
        "pooled_mse",
        "pooled MSE",
        "It is a baseline: the training loss is the squared distance between its mean token and the teacher's.",
    ),
    Objective(
        "greedy",
        "greedy alignment",
        "It is a baseline: the training loss is the mean distance of its tokens from the nearest of the teacher's.",
    ),
    Objective(
        TRANSPORT,
        "transport",
        "It was trained by optimal transport distillation: the loss is the cost of transporting the teacher's tokens "
        "to its own.",
        strength="reg",
        axis="reg (regularization of the transport, in units of cosine distance)",
    ),
    Objective(
        TARGETS,
        "transport",
        "It was trained by optimal transport distillation: the loss is the cost of transporting the teacher's tokens "
        "to its own, regularized so that each was spread over a given number of them at the start.",
        strength="targets",
        axis="effective targets (student tokens that a teacher token is spread over at the start of the training)",
    ),
)
OBJECTIVES = {row.name: row for row in _ROWS}  # in the order of the rows of result tables


def row_name(name: str) -> str:
    """Return the name in `OBJECTIVES` of a cell's objective: `bm25` for `bm25-folding`, any other name unchanged."""
    return BM25 if name.startswith(f"{BM25}-") else name


def objective_of(name: str) -> Objective:
    """Return the objective of a cell, by the cell's name for it, such as `bm25-folding`."""
    return OBJECTIVES[row_name(name)]


def baseline_names() -> list[str]:
    """Return the names that `baselines` of an experiment file may list."""
    return [row.name for row in OBJECTIVES.values() if row.is_baseline]
