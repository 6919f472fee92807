"""`optical report`: what the cache holds of an experiment, and what it says."""

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from optical_cli.cli import options, show
from optical_cli.cli.session import open_pipeline
from optical_cli.cli.study_tables import print_study, study_record
from optical_cli.cli.terminal import TerminalProgress

if TYPE_CHECKING:
    from optical_cli.align.aligned_pair import AlignedSentences
    from optical_cli.pipeline import Pipeline


def report(
    experiment: options.Experiment,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="Folder of the report; reports/NAME by default.")
    ] = None,
    html: Annotated[Path | None, typer.Option("--html", help="File of the page; report.html there by default.")] = None,
    alignments: Annotated[
        int | None,
        typer.Option(
            "--alignments",
            min=1,
            help="Draw so many held-out sentence pairs of each language, aligned by the students in the cache.",
        ),
    ] = None,
    overrides: options.Set = None,
    cache_dir: options.CacheDir = None,
    offline: options.Offline = False,
    as_json: options.Json = False,
    debug: options.Debug = False,  # noqa: ARG001
) -> None:
    """Show and write what the cache holds of an experiment: an HTML page, Markdown, LaTeX, curve, CSV."""
    from optical_cli.report.gather import cached_study
    from optical_cli.report.write_report import write_report

    pipeline = open_pipeline(experiment, overrides, cache_dir, offline=offline)
    study = cached_study(pipeline)
    show.refuse_nothing(study.results, experiment)
    if alignments is not None:
        study = replace(study, alignments=_aligned(pipeline, alignments))
    files = write_report(study, output or Path("reports") / study.name, html)
    if as_json:
        show.as_json({"experiment": study.name, "files": [str(file) for file in files], **study_record(study)})
        return
    print_study(study)
    for file in files:
        print(file)


def _aligned(pipeline: "Pipeline", count: int) -> "tuple[AlignedSentences, ...]":
    """Held-out sentences for the page; it is said if there is nothing to show."""
    from optical_cli.align.sentences import held_out_alignments

    found = tuple(held_out_alignments(pipeline, count))
    if not found:
        TerminalProgress().say(
            "--alignments: nothing to show; the cache holds no student of a reg, or no bitext holds sentences out"
        )
    return found
