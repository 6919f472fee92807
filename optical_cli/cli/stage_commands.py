"""The stages of the pipeline as commands, `optical distill`, `index`, `retrieve` and `evaluate`, and `optical fuse`."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from typer import Argument, Option

from optical_cli.cli.options import Experiment, Opening, Wanted, how_obtained, takes
from optical_cli.cli.records import artifact_record
from optical_cli.cli.report_command import topics_left_out
from optical_cli.cli.terminal import TerminalProgress
from optical_cli.errors import ConfigError, several

if TYPE_CHECKING:
    from optical_cli.pipeline import Pipeline
    from optical_cli.pipeline.step import Step


def _students(pipeline: "Pipeline", wanted: Wanted) -> "list[Step]":
    from optical_cli.pipeline.cells import student_of

    x = pipeline.experiment
    learning = [name for name in x.pairs if student_of(x, name)]
    pairs = [wanted.pair] if wanted.pair or not learning else learning
    steps = [pipeline.checkpoint(replace(wanted, pair=pair).cell(x)) for pair in pairs]
    return list({step.key.digest: step for step in steps}.values())


@dataclass(frozen=True)
class Stage:
    """A stage of the pipeline with a command, and the steps that the command makes."""

    name: str
    steps_of: "Callable[[Pipeline, Wanted], list[Step]]"  # several students for `distill` without a pair


DISTILL = Stage("distill", _students)
INDEX = Stage("index", lambda pipeline, wanted: [pipeline.index(wanted.cell(pipeline.experiment, sides=("document",)))])
RETRIEVE = Stage("retrieve", lambda pipeline, wanted: [pipeline.run(wanted.cell(pipeline.experiment))])
EVALUATE = Stage("evaluate", lambda pipeline, wanted: [pipeline.scores(wanted.cell(pipeline.experiment))])
STAGES = (DISTILL, INDEX, RETRIEVE, EVALUATE)

HERE = ("overrides", "cache_dir", "device")
ANYWHERE = (*HERE, "engine", "ray_address")
UPSTREAM = ("no_upstream", "time_limit", "offline", "locked", "as_json")


@takes(*HERE, *UPSTREAM)
def distill(experiment: Experiment, wanted: Wanted, opening: Opening) -> None:
    """Train the student of a pair at one reg.

    Without --pair, train every student of the experiment at that reg. Prints the folder of each student.
    """
    _make(DISTILL, experiment, wanted, opening)


@takes(*ANYWHERE, *UPSTREAM)
def index(experiment: Experiment, wanted: Wanted, opening: Opening) -> None:
    """Encode the documents of a pair.

    The teacher encodes documents in its own language, which need no --reg; a student encodes all others. Prints the
    folder of the index.
    """
    _make(INDEX, experiment, wanted, opening)


@takes(*ANYWHERE, *UPSTREAM)
def retrieve(experiment: Experiment, wanted: Wanted, opening: Opening) -> None:
    """Search the topics of a pair and write a TREC run file.

    Prints the folder of the run.
    """
    _make(RETRIEVE, experiment, wanted, opening)


@takes(*HERE, *UPSTREAM)
def evaluate(
    experiment: Experiment,
    wanted: Wanted,
    opening: Opening,
    run: Annotated[
        Path | None, Option(metavar="FILE", help="TREC run file of another system; reports then show it as a baseline.")
    ] = None,
) -> None:
    """Measure the run of a pair: nDCG@10 and other measures.

    Prints the means on stderr and the folder of the scores on stdout. With --run, the run is that of another system.
    """
    from optical_cli.sweep.imported_runs import import_step

    pipeline = opening.pipeline(experiment)
    if run is None:
        wanted.warn_outside_grid(pipeline.experiment)
        step = pipeline.scores(wanted.cell(pipeline.experiment))
    elif (wanted.reg, wanted.objective, wanted.seed) == (None, None, None):
        step = import_step(pipeline, wanted.named_pair(pipeline.experiment), run)
    else:
        raise ConfigError(
            "--run: the run of another system has no reg, objective or seed; leave out --reg, --objective and --seed"
        )
    _obtain(opening, pipeline, step)


def _make(stage: Stage, experiment: str, wanted: Wanted, opening: Opening) -> None:
    with opening.remote(TerminalProgress().say) as remote:
        pipeline = opening.pipeline(experiment, remote=remote)
        wanted.warn_outside_grid(pipeline.experiment)
        for step in stage.steps_of(pipeline, wanted):
            _obtain(opening, pipeline, step)


def _obtain(opening: Opening, pipeline: "Pipeline", step: "Step") -> None:
    """Obtain the artifact of a step, and print its folder or its record; the means of scores go to stderr."""
    from optical_cli.artifacts.scores import read_scores

    artifact, made = pipeline.obtain(step)
    scores = read_scores(artifact.folder / "scores.json") if step.kind == "scores" else None
    means = {name: scores.means[name] for name in pipeline.experiment.evaluation.measures} if scores else None
    if not opening.as_json:
        scored = "".join(f"  {name} {mean:.4f}" for name, mean in (means or {}).items())
        left_out = "".join(f"  ({topics})" for topics in topics_left_out(scores)) if scores else ""
        TerminalProgress().say(f"{artifact.kind}/{step.label}: {how_obtained(artifact, made=made)}{scored}{left_out}")
    opening.answer(artifact.folder, artifact_record(artifact, made=made, means=means))


@takes("as_json")
def fuse(
    runs: Annotated[list[Path], Argument(metavar="RUN", help="TREC run files, two or more.")],
    output: Annotated[Path, Option("--output", "-o", help="Run file to write.")],
    opening: Opening,
    method: Annotated[str, Option(help="rrf, or sum or mnz of min-max scores.")] = "rrf",
    k: Annotated[int, Option(min=0, help="Constant of rrf; with a larger one, ranks differ less.")] = 60,
    depth: Annotated[int | None, Option(min=1, help="Documents kept per topic. Default: all.")] = None,
    tag: Annotated[str | None, Option(help="Tag of the fused run. Default: the method.")] = None,
    force: Annotated[bool, Option("--force", help="Replace an existing file.")] = False,
) -> None:
    """Fuse several TREC runs into one."""
    from optical_cli.artifacts.run import check_tag, read_run, replace_run
    from optical_cli.data.paths import real_path
    from optical_cli.evaluate.fuse import METHODS, fuse_runs

    chosen = next((name for name in METHODS if name == method), None)
    if chosen is None:
        raise ConfigError(f"--method {method}: one of {', '.join(METHODS)} expected")
    if output.exists() and not force:
        raise ConfigError(f"--output {output}: already exists; name another file, or replace it with --force")
    if len(set(map(real_path, runs))) != len(runs):
        raise ConfigError("RUN: two runs are one file; name each run once")
    check_tag(tag or method)
    read = [read_run(path) for path in runs]
    fused = fuse_runs(read, chosen, k, depth)
    if partly := sum(any(query_id not in run for run in read) for query_id in fused):
        TerminalProgress().say(f"not in every run: {partly} of {several(len(fused), 'topic')}")
    replace_run(output, fused.items(), tag or method)
    opening.answer(output, {"path": output, "topics": len(fused), "topics_not_in_every_run": partly})
