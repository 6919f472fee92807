"""Obtaining a step for a command, and telling what there is to say of it."""

from typing import TYPE_CHECKING

from optical_cli.cli import show
from optical_cli.cli.terminal import TerminalProgress, duration

if TYPE_CHECKING:
    from optical_cli.pipeline import Pipeline
    from optical_cli.pipeline.step import Step


def obtain(pipeline: "Pipeline", step: "Step", *, as_json: bool) -> None:
    """Obtain a step and print its path, or what there is to say of it as JSON."""
    from optical_cli.artifacts.scores import read_scores

    artifact, made = pipeline.obtain(step)
    scores = read_scores(artifact.folder / "scores.json") if step.kind == "scores" else None
    measures = pipeline.experiment.evaluation.measures
    means = None if scores is None else {name: scores.means[name] for name in measures}
    if as_json:
        show.as_json(show.artifact_record(artifact, made=made, means=means))
        return
    how = f"made in {duration(float(artifact.manifest['seconds']))}" if made else "in the cache"
    scored = "".join(f"  {name} {mean:.4f}" for name, mean in (means or {}).items())
    left_out = "".join(f"  ({said})" for said in show.topics_left_out(scores)) if scores else ""
    TerminalProgress().say(f"{artifact.kind}/{step.label}: {how}{scored}{left_out}")
    print(artifact.folder)
