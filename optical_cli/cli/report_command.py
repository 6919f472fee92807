"""`optical report`: what the cache holds of an experiment, and what it says."""

from pathlib import Path
from typing import Annotated

import typer

from optical_cli.cli import options, show
from optical_cli.cli.session import open_pipeline
from optical_cli.cli.study_tables import print_study, study_record


def report(
    experiment: options.Experiment,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="Folder of the report; reports/NAME by default.")
    ] = None,
    html: Annotated[Path | None, typer.Option("--html", help="File of the page; report.html there by default.")] = None,
    overrides: options.Set = None,
    cache_dir: options.CacheDir = None,
    as_json: options.Json = False,
    debug: options.Debug = False,  # noqa: ARG001
) -> None:
    """Show and write what the cache holds of an experiment: an HTML page, Markdown, LaTeX, curve, CSV."""
    from optical_cli.report.write_report import write_report
    from optical_cli.study import cached_study

    pipeline = open_pipeline(experiment, overrides, cache_dir)
    study = cached_study(pipeline)
    show.refuse_nothing(study.results, experiment)
    files = write_report(study, output or Path("reports") / study.name, html)
    if as_json:
        show.as_json({"experiment": study.name, "files": [str(file) for file in files], **study_record(study)})
        return
    print_study(study)
    for file in files:
        print(file)
