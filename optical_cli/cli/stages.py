"""The four stages as commands name them, and the steps that each means for what was asked for."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from optical_cli.cli.options import Wanted

if TYPE_CHECKING:
    from optical_cli.pipeline import Pipeline
    from optical_cli.pipeline.step import Step


@dataclass(frozen=True)
class Stage:
    """A stage that has commands.

    Attributes:
        name: of its command.
        summary: what the command does.
        steps_of: the steps it stands for; several students for `distill` without a pair.
    """

    name: str
    summary: str
    steps_of: "Callable[[Pipeline, Wanted], list[Step]]"


def _distill(pipeline: "Pipeline", wanted: Wanted) -> "list[Step]":
    from optical_cli.pipeline.cells import student_of

    x = pipeline.experiment
    learning = [name for name in x.pairs if student_of(x, name)]
    pairs = [wanted.pair] if wanted.pair or not learning else learning
    steps = [pipeline.checkpoint(replace(wanted, pair=pair).cell(x)) for pair in pairs]
    return list({step.key.digest: step for step in steps}.values())


def _index(pipeline: "Pipeline", wanted: Wanted) -> "list[Step]":
    return [pipeline.index(wanted.cell(pipeline.experiment, sides=("document",)))]


def _retrieve(pipeline: "Pipeline", wanted: Wanted) -> "list[Step]":
    return [pipeline.run(wanted.cell(pipeline.experiment))]


def _evaluate(pipeline: "Pipeline", wanted: Wanted) -> "list[Step]":
    return [pipeline.scores(wanted.cell(pipeline.experiment))]


DISTILL = Stage("distill", "Train the student of a reg: of one pair, or every student of the experiment.", _distill)
INDEX = Stage("index", "Encode the documents of a pair: by the teacher, or by the student of a reg.", _index)
RETRIEVE = Stage("retrieve", "Search the topics of a pair and write a TREC run file.", _retrieve)
EVALUATE = Stage("evaluate", "Measure the run of a pair.", _evaluate)
STAGES = (DISTILL, INDEX, RETRIEVE, EVALUATE)
