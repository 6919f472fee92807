"""`optical report`, and how results stand on a terminal: a line a cell, tables, a curve, the answer."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from typer import Option

from optical_cli.cli.options import Experiment, Opening, takes
from optical_cli.cli.records import print_json, study_record
from optical_cli.cli.terminal import TerminalProgress, plain, print_in_blocks, print_text
from optical_cli.errors import DataError, several

if TYPE_CHECKING:
    from optical_cli.artifacts.result import Result
    from optical_cli.artifacts.scores import Scores
    from optical_cli.report.study import Study

MAIN_MEASURES = ("ndcg@10", "recall@100")


@takes("overrides", "cache_dir", "offline", "as_json")
def report(
    experiment: Experiment,
    opening: Opening,
    output: Annotated[Path | None, Option("--output", "-o", help="Folder; reports/NAME by default.")] = None,
    html: Annotated[Path | None, Option(help="File of the page; report.html there by default.")] = None,
    alignments: Annotated[int | None, Option(min=1, help="Draw this many held-out pairs of a language.")] = None,
) -> None:
    """Write the report of an experiment from its cached results.

    Writes an HTML page, Markdown, LaTeX, the curve and CSV.
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
    files = write_report(study, output or Path("reports") / study.name, html)
    if opening.as_json:
        print_json({"experiment": study.name, "files": files, **study_record(study)})
        return
    _print_study(study)
    print(*files, sep="\n")


def _print_study(study: "Study") -> None:
    from optical_cli.report.answer import answer
    from optical_cli.report.sections import measure_section

    for measure in main_measures(study.measures):
        section = measure_section(study, measure)
        heads = [f"{head} {section.title}" if head else "" for head in section.heads]
        print_in_blocks(heads, [[str(cell) for cell in row] for row in section.rows])
        for note in section.after:
            print_text(note)
    _print_curve(study.results, study.measures)
    print()
    for paragraph in answer(study):
        print_text(f"{paragraph}\n")


def print_results(results: "Sequence[Result]", measures: Sequence[str]) -> None:
    """Print the main measures by reg and pair, and the first of them against reg."""
    from optical_cli.report import tabulate

    table = tabulate(results, main_measures(measures))
    rows = [[row.label, *(cell.text for cell in row.cells)] for row in table.rows]
    print_in_blocks(["", *(column.head for column in table.columns)], rows, numbers=True)
    for note in table.notes:
        print(plain(note))
    _print_curve(results, measures)


def _print_curve(results: "Sequence[Result]", measures: Sequence[str]) -> None:
    from optical_cli.report import text_curve

    print("", *map(plain, text_curve(results, main_measures(measures)[0])), sep="\n")


def result_line(result: "Result", measures: Sequence[str]) -> str:
    """Describe a cell: its main measures with warnings, or why it failed."""
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
    """Say which topics a mean leaves out or counts as 0."""
    counts = {"judgements left out": scores.unjudged_topics, "results scored 0": scores.empty_topics}
    return [f"{several(count, 'topic')} without {said}" for said, count in counts.items() if count]


def main_measures(measures: Sequence[str]) -> list[str]:
    """The measures that a terminal has room for: nDCG@10 and Recall@100, or else the first two."""
    return [measure for measure in MAIN_MEASURES if measure in measures] or list(measures[:2])
