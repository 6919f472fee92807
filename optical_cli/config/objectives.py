"""The objectives and baselines of an experiment: one row each, with all that the package asks of them.

A new objective is a row here and a loss in `distill/objectives.py`. A baseline without a student also needs the search
that makes its run. This module imports nothing heavy: the help of the command line reads it.
"""

from collections.abc import Callable
from dataclasses import dataclass

TRANSPORT = "transport"
BM25 = "bm25"
TRANSLATE = "translate"
UNTRAINED = "none"


def _needs_student(query: str, document: str, teacher: str) -> bool:
    return {query, document} != {teacher}


@dataclass(frozen=True)
class Objective:
    """What a student is trained on, or what stands beside students as a baseline."""

    name: str
    label: str  # in tables and charts; transport's rows are labelled with their reg
    sentence: str = ""  # what a model card says of the student; empty without one
    is_trained: bool = True
    has_student: bool = True  # a student takes part in the search, trained or not
    has_reg: bool = False  # each reg is a cell of its own
    suits: Callable[[str, str, str], bool] = _needs_student  # whether it can be evaluated on these languages

    @property
    def is_baseline(self) -> bool:
        """Whether it may stand in `baselines`; an objective with a reg stands in the grid of regs instead."""
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
        "It was not trained on any translation: it is a student as initialised, a baseline.",
        is_trained=False,
    ),
    Objective("pooled_mse", "pooled MSE", "It was trained by distillation of the mean of its tokens, a baseline."),
    Objective(
        "greedy",
        "greedy alignment",
        "It was trained by distillation over a greedy alignment of tokens with the teacher's, a baseline.",
    ),
    Objective(
        TRANSPORT,
        "transport",
        "It was trained by optimal transport distillation: the loss is the cost of moving its tokens onto the "
        "teacher's.",
        has_reg=True,
    ),
)
OBJECTIVES = {row.name: row for row in _ROWS}  # in the order of the rows of a table


def row_name(name: str) -> str:
    """The name of the row that a cell's objective belongs to: `bm25` for `bm25-folding`, any other name itself."""
    return BM25 if name.startswith(f"{BM25}-") else name


def objective_of(name: str) -> Objective:
    """The objective of a cell, by the name that the cell has for it."""
    return OBJECTIVES[row_name(name)]


def baseline_names() -> list[str]:
    """The names that `baselines` of an experiment file may list."""
    return [row.name for row in OBJECTIVES.values() if row.is_baseline]
