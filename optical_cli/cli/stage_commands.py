"""The stages of the pipeline as commands: `optical distill`, `index`, `retrieve` and `evaluate`; and `optical fuse`."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from typer import Argument, Option

from optical_cli.cli.options import Experiment, Opening, Wanted, how_obtained, takes
from optical_cli.cli.records import artifact_record
from optical_cli.cli.report_command import topics_left_out
from optical_cli.cli.terminal import TerminalProgress
from optical_cli.errors import ConfigError

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
    """A stage that has a command."""

    name: str
    summary: str  # the help of its command
    steps_of: "Callable[[Pipeline, Wanted], list[Step]]"  # several students for `distill` without a pair
    remote: bool = False  # whether a cluster can do its work


DISTILL = Stage("distill", "Train the student of a reg: of one pair, or every student of the experiment.", _students)
INDEX = Stage(
    "index", "Encode the documents of a pair: by the teacher, or by the student of a reg.", remote=True,
    steps_of=lambda pipeline, wanted: [pipeline.index(wanted.cell(pipeline.experiment, sides=("document",)))],
)  # fmt: skip
RETRIEVE = Stage(
    "retrieve", "Search the topics of a pair and write a TREC run file.", remote=True,
    steps_of=lambda pipeline, wanted: [pipeline.run(wanted.cell(pipeline.experiment))],
)  # fmt: skip
EVALUATE = Stage(
    "evaluate", "Measure the run of a pair; means go to stderr, the path of the scores to stdout.",
    steps_of=lambda pipeline, wanted: [pipeline.scores(wanted.cell(pipeline.experiment))],
)  # fmt: skip
STAGES = (DISTILL, INDEX, RETRIEVE, EVALUATE)

UPSTREAM = ("no_upstream", "time_limit", "offline", "locked", "as_json")


def command_of(stage: Stage) -> Callable[..., None]:
    """Make the command of a stage, which obtains its steps and prints their folders."""

    @takes("overrides", "cache_dir", "device", *(("engine", "ray_address") if stage.remote else ()), *UPSTREAM)
    def command(experiment: Experiment, wanted: Wanted, opening: Opening) -> None:
        with opening.remote(TerminalProgress().say) as remote:
            pipeline = opening.pipeline(experiment, remote=remote)
            for step in stage.steps_of(pipeline, wanted):
                _obtain(opening, pipeline, step)

    return command


@takes("overrides", "cache_dir", "device", *UPSTREAM)
def evaluate(
    experiment: Experiment,
    wanted: Wanted,
    opening: Opening,
    run: Annotated[Path | None, Option(help="A TREC run of another system; it gets a row in reports.")] = None,
) -> None:
    """Measure the run of a pair, ours or that of another system."""
    from optical_cli.sweep.imported_runs import import_step

    pipeline = opening.pipeline(experiment)
    if run is None:
        step = pipeline.scores(wanted.cell(pipeline.experiment))
    elif (wanted.reg, wanted.objective, wanted.seed) == (None, None, None):
        step = import_step(pipeline, wanted.named_pair(pipeline.experiment), run)
    else:
        raise ConfigError("--run: a run of another system has no reg, objective or seed; leave these options out")
    _obtain(opening, pipeline, step)


def _obtain(opening: Opening, pipeline: "Pipeline", step: "Step") -> None:
    """Obtain a step, and print its folder or its record; the means of scores go to stderr."""
    from optical_cli.artifacts.scores import read_scores

    artifact, made = pipeline.obtain(step)
    scores = read_scores(artifact.folder / "scores.json") if step.kind == "scores" else None
    means = {name: scores.means[name] for name in pipeline.experiment.evaluation.measures} if scores else None
    if not opening.as_json:
        scored = "".join(f"  {name} {mean:.4f}" for name, mean in (means or {}).items())
        left_out = "".join(f"  ({said})" for said in topics_left_out(scores)) if scores else ""
        TerminalProgress().say(f"{artifact.kind}/{step.label}: {how_obtained(artifact, made=made)}{scored}{left_out}")
    opening.answer(artifact.folder, artifact_record(artifact, made=made, means=means))


@takes("as_json")
def fuse(
    runs: Annotated[list[Path], Argument(metavar="RUN RUN...", help="TREC run files of the same topics.")],
    output: Annotated[Path, Option("--output", "-o", help="The new run file.")],
    opening: Opening,
    method: Annotated[str, Option(help="rrf, sum or mnz; the last two of min-max scores.")] = "rrf",
    k: Annotated[int, Option(min=0, help="Of rrf: how little a first place is ahead of a second.")] = 60,
    depth: Annotated[int | None, Option(min=1, help="Documents kept for a topic; all by default.")] = None,
    tag: Annotated[str | None, Option(help="Tag of the new run; by default the method.")] = None,
    force: Annotated[bool, Option("--force", help="Replace an existing file.")] = False,
) -> None:
    """Fuse TREC runs, of BM25 and of a student or anybody's, into one."""
    from optical_cli.artifacts.run import check_tag, read_run, replace_run
    from optical_cli.evaluate.fuse import METHODS, fuse_runs

    chosen = next((name for name in METHODS if name == method), None)
    if chosen is None:
        raise ConfigError(f"--method {method}: {', '.join(METHODS)} expected")
    if output.exists() and not force:
        raise ConfigError(f"--output {output}: is there already; name another file, or add --force to replace it")
    if len({path.resolve() for path in runs}) != len(runs):
        raise ConfigError("fuse: a run stands there twice; name each once")
    check_tag(tag or method)
    read = [read_run(path) for path in runs]
    fused = fuse_runs(read, chosen, k, depth)
    if partly := sum(any(query_id not in run for run in read) for query_id in fused):
        TerminalProgress().say(f"{partly} of {len(fused)} topics are not in every run")
    replace_run(output, fused.items(), tag or method)
    opening.answer(output, {"path": output, "topics": len(fused), "topics_not_in_every_run": partly})
