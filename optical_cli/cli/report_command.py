"""`optical report`, and results on a terminal: a line for each cell, tables, a chart, the answer."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from typer import Option

from optical_cli.cli.compare_command import setting_named
from optical_cli.cli.options import Experiment, Opening, command_line, set_options, takes
from optical_cli.cli.records import print_json, study_record
from optical_cli.cli.terminal import (
    TEXT_WIDTH,
    TerminalProgress,
    plain,
    print_in_blocks,
    print_text,
    text_width,
)
from optical_cli.errors import ConfigError, DataError

if TYPE_CHECKING:
    from optical_cli.artifacts.result import Result
    from optical_cli.artifacts.scores import Scores
    from optical_cli.config.experiment import Experiment as ExperimentSettings
    from optical_cli.report.findings import Findings
    from optical_cli.report.sections import Section
    from optical_cli.report.study import Study

MAIN_MEASURES = ("ndcg@10", "recall@100")


@takes("overrides", "cache_dir", "offline", "as_json")
def report(
    experiment: Experiment,
    opening: Opening,
    output: Annotated[Path | None, Option("--output", "-o", help="Folder; reports/NAME by default.")] = None,
    html: Annotated[Path | None, Option(help="File of the page; report.html there by default.")] = None,
    measures: Annotated[
        str | None, Option(metavar="M,M", help="Measures of report.tex and of the terminal, such as ndcg@10,map.")
    ] = None,
    rows: Annotated[
        str | None, Option(metavar="ROW,ROW", help="Rows of report.tex, figure and terminal, such as none,0,inf.")
    ] = None,
    details: Annotated[bool, Option("--details", help="Also print tests, other measures and trainings.")] = False,
    alignments: Annotated[int | None, Option(min=1, help="Draw this many held-out pairs of a language.")] = None,
) -> None:
    """Write the report of an experiment from its cached results.

    Prints the answer, and writes an HTML page, Markdown, LaTeX, the figure and CSV files.
    """
    from optical_cli.report.gather import cached_study
    from optical_cli.report.write_report import write_report

    pipeline = opening.pipeline(experiment)
    study = cached_study(pipeline)
    if all(result.scores is None for result in study.results):
        raise DataError(f"{experiment}: the cache holds no scores of it yet; run `optical sweep {experiment}` first")
    if alignments is not None:
        from optical_cli.align.sentences import held_out_alignments

        study = replace(study, alignments=tuple(held_out_alignments(pipeline, alignments)))
        if not study.alignments:
            reason = "the cache holds no student of a reg, or no bitext holds sentences out"
            TerminalProgress().say(f"--alignments: nothing to show; {reason}")
    in_paper = _chosen(study, pipeline.experiment, measures, rows)
    files = write_report(study, output or Path("reports") / study.name, html, in_paper=in_paper)
    if opening.as_json:
        print_json({"experiment": study.name, "files": files, **study_record(study)})
        return
    shown = in_paper if measures else replace(in_paper, measures=[study.findings.measure])
    _print_study(study, shown, with_details=details)
    if not details:
        again = command_line("report", experiment, *set_options(opening.overrides), "--details")
        print_text(f"Details (tests, pair by pair, choosing reg): {again}")
    print(*files, sep="\n")


def _chosen(study: "Study", experiment: "ExperimentSettings", measures: str | None, rows: str | None) -> "Study":
    """Return the study with the measures and rows that options name; all of them without the options."""
    names = [name.strip() for name in measures.split(",")] if measures else list(study.measures)
    if unknown := [name for name in names if name not in study.measures]:
        raise ConfigError(f"--measures {unknown[0]}: not in the experiment; it has {', '.join(study.measures)}")
    wanted = [setting_named(name.strip(), experiment) for name in rows.split(",")] if rows else None
    results = [result for result in study.results if wanted is None or result.setting in wanted]
    if not any(result.scores for result in results):
        raise DataError(f"--rows {rows}: the cache holds no scores of these rows")
    return replace(study, measures=names, results=results)


def _print_study(study: "Study", shown: "Study", *, with_details: bool) -> None:
    """Print the answer, then the chart and the tables with the measures and rows of `shown`, then what was run."""
    from optical_cli.report.answer import answer
    from optical_cli.report.sections import details, failures, measure_section, what_was_run_section

    for bullet in answer(study):
        print_text(bullet, "- ")
    _print_curve(shown.results, study.findings.measure, study.findings)
    for measure in shown.measures:
        section = measure_section(shown, measure)
        print(f"\n{section.title}")
        _print_section(section)
    ran = what_was_run_section(study)
    print(f"\n{ran.title}")
    rows = [[str(cell) for cell in row] for row in ran.rows]
    for name, what in rows:
        print_text(what, f"  {plain(name):<{max(len(other) for other, _ in rows)}}  ")
    for line in failures(study.results):
        print_text(line, "failed: ")
    print()
    for section in details(study) if with_details else ():
        print(section.title)
        _print_section(section)
        print()


def _print_section(section: "Section") -> None:
    for note in section.before:
        print_text(note)
    if section.rows:
        print_in_blocks(section.heads, [[str(cell) for cell in row] for row in section.rows])
    for note in section.after:
        print_text(note)


def print_results(results: "Sequence[Result]", measures: Sequence[str]) -> None:
    """Print the main measures as a table, and the first of them as a chart against reg."""
    from optical_cli.report import tabulate

    table = tabulate(results, main_measures(measures))
    rows = [[row.label, *(cell.text for cell in row.cells)] for row in table.rows]
    print_in_blocks(["", *(column.head for column in table.columns)], rows, numbers=True)
    for note in table.notes:
        print(plain(note))
    _print_curve(results, main_measures(measures)[0])


def _print_curve(results: "Sequence[Result]", measure: str, findings: "Findings | None" = None) -> None:
    from optical_cli.report import text_curve

    width = min(text_width(), TEXT_WIDTH)
    print("", *map(plain, text_curve(results, measure, findings, width)), sep="\n")


def result_line(result: "Result", measures: Sequence[str]) -> str:
    """Describe a cell in a line: its main measures with warnings, or why it failed."""
    what = f"{result.pair}  {result.setting.label}  seed {result.seed}"
    if result.scores is None:
        return f"{what}  failed: {result.failure}"
    means = "  ".join(f"{name} {result.scores.means[name]:.4f}" for name in main_measures(measures))
    warnings = topics_left_out(result.scores)
    converged = (result.health or {}).get("converged", 1.0)
    if converged < 1.0:
        warnings.append(f"{1 - converged:.2%} of the plans unconverged")
    return f"{what}  {means}" + (f"  ({'; '.join(warnings)})" if warnings else "")


def topics_left_out(scores: "Scores") -> list[str]:
    """Describe the topics that a mean leaves out or counts as 0."""
    from optical_cli.errors import several

    counts = {"judgements left out": scores.unjudged_topics, "results scored 0": scores.empty_topics}
    return [f"{several(count, 'topic')} without {said}" for said, count in counts.items() if count]


def main_measures(measures: Sequence[str]) -> list[str]:
    """Return the measures of a sweep's table: nDCG@10 and Recall@100, or else the first two."""
    return [measure for measure in MAIN_MEASURES if measure in measures] or list(measures[:2])
