"""`optical align`: what reg does to the alignment of sentences, to be looked at."""

import os
import re
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from typer import Option

from optical_cli.cli.opening import Opening, obtain_upstream
from optical_cli.cli.options import Experiment, Pair, Seed, Wanted, takes
from optical_cli.cli.records import print_json
from optical_cli.cli.terminal import TerminalProgress, plain, print_table, stdout_console
from optical_cli.errors import ConfigError

if TYPE_CHECKING:
    from optical_cli.align.aligned_pair import AlignedPair, Alignment
    from optical_cli.config.experiment import Experiment as ExperimentSettings
    from optical_cli.pipeline.cells import Cell
    from optical_cli.pipeline.step import Step

MOST_ROWS = 10_000
TYPED = "your sentence"
ALIKE_MASS = 1.001
REG_WIDTH = 24
"""Characters that the column of a reg needs; regs for which a terminal has no room go into a further table."""


@takes("overrides", "cache_dir", "device", "no_upstream", "offline", "as_json")
def align(
    experiment: Experiment,
    opening: Opening,
    regs: Annotated[
        list[float] | None, Option("--reg", help="0 to inf; repeatable. Default: all of the experiment.")
    ] = None,
    pair: Pair = None,
    language: Annotated[str | None, Option(help="Of the translations, if the pair learns two languages.")] = None,
    seed: Seed = None,
    rows: Annotated[str | None, Option(help="Which held-out pairs, counted from 1, such as 4 or 1,7-9.")] = None,
    count: Annotated[int | None, Option(min=1, help="Number of first held-out pairs; 3 by default.")] = None,
    text: Annotated[str | None, Option(help="A sentence of yours, in the teacher's language.")] = None,
    translation: Annotated[str | None, Option(help="Its translation.")] = None,
    untrained: Annotated[bool, Option("--untrained", help="Show the untrained student: only the plan varies.")] = False,
    output: Annotated[Path | None, Option("--output", "-o", help="Folder; reports/NAME/alignments by default.")] = None,
) -> None:
    """Show how the tokens of sentences and of their translations are aligned: tables, and heat maps as SVG and PNG.

    The sentences are held-out pairs of the bitext, or one of yours. Each reg is shown with its own student.
    """
    chosen = _chosen_rows(rows, count, text, translation)
    pipeline = opening.pipeline(experiment)
    from optical_cli.align.aligned_file import as_record
    from optical_cli.align.sentences import Sentence, held_out_sentences, trained_pairs, view_of

    x, sources = pipeline.experiment, pipeline.sources
    view = view_of(x, pair, language)
    cells = _cells(x, view.pair, regs, seed)
    folder = output or Path("reports") / x.name / "alignments"
    _check_folder(folder)
    if text is not None and translation is not None:
        sentences = [Sentence(TYPED, text.strip(), translation.strip())]
    else:
        sentences = held_out_sentences(sources, view.language, rows=chosen, count=count)
    trained_on = trained_pairs(sources, view.student)
    steps = {
        reg: pipeline.start(view.student) if untrained else pipeline.checkpoint(cell) for reg, cell in cells.items()
    }
    found: dict[str, Path] = {}

    def student(step: "Step") -> Path:
        if step.key.digest not in found:  # several regs may have the same
            found[step.key.digest] = obtain_upstream(pipeline, step, upstream=not opening.no_upstream).folder
        return found[step.key.digest]

    students = {reg: partial(student, step) for reg, step in steps.items()}
    from optical_cli.align.alignments import align_sentences

    pairs = align_sentences(x, sentences, trained_on, view.side, students, pipeline.encoding_precision, opening.device)
    marks = ["untrained"] if untrained else [f"seed{seed}"] if seed not in (None, x.seeds[0]) else []
    files = _draw(pairs, folder, x.name, view.language, marks)
    if opening.as_json:
        shown = {"experiment": x.name, "pair": view.pair, "language": view.language, "side": view.side}
        sentences_of = {"sentences": [as_record(aligned) for aligned in pairs]}
        print_json({**shown, "untrained": untrained, "files": files, **sentences_of})
        return
    for aligned in pairs:
        _print_alignments(aligned, x.teacher.language, view.language)
    for file in files:
        print(file)


def _cells(
    experiment: "ExperimentSettings", pair: str, regs: Sequence[float] | None, seed: int | None
) -> "dict[float, Cell]":
    """Return the cell of each wanted reg, by default of all that the experiment has."""
    cells = {}
    for reg in regs or sorted(experiment.transport.reg):
        cell = Wanted(reg, None, pair, seed).cell(experiment)
        if fault := experiment.transport.fault_of(abs(reg)):
            raise ConfigError(f"--reg {reg:g}: {fault}")
        cells[abs(reg)] = cell  # -0.0 is 0
    return cells


def _check_folder(folder: Path) -> None:
    """Refuse a folder that cannot be written, before anything expensive starts."""
    there = next(path for path in (folder.absolute(), *folder.absolute().parents) if path.exists())
    if not there.is_dir() or not os.access(there, os.W_OK):
        raise ConfigError(f"--output {folder}: a folder that can be written expected, and {there} is none")


def _chosen_rows(rows: str | None, count: int | None, text: str | None, translation: str | None) -> list[int] | None:
    """Return the wanted rows of the held-out bitext, None if `--rows` is not given; refuse options that disagree."""
    if rows is not None and count is not None:
        raise ConfigError("--rows and --count: one of them expected, as either says which held-out pairs")
    if (text is None) != (translation is None):
        given, lacking = ("--text", "--translation") if translation is None else ("--translation", "--text")
        raise ConfigError(f"{given} without {lacking}: a sentence is aligned with its translation, give both")
    if text is not None and (rows is not None or count is not None):
        raise ConfigError("--text: --rows and --count choose held-out pairs, and you have given a pair of your own")
    for option, said in (("--text", text), ("--translation", translation)):
        if said is not None and not said.strip():
            raise ConfigError(f"{option}: a sentence expected, found nothing")
    return None if rows is None else _parse_rows(rows)


def _parse_rows(rows: str) -> list[int]:
    """Return the numbers of `1,7-9`, each once."""
    chosen: list[int] = []
    for part in rows.split(","):
        spelled = re.fullmatch(r"\s*([1-9][0-9]{0,8})(?:-([1-9][0-9]{0,8}))?\s*", part)
        first, last = (int(spelled[1]), int(spelled[2] or spelled[1])) if spelled else (1, 0)
        if first > last or last - first >= MOST_ROWS:
            raise ConfigError(f"--rows {rows}: numbers from 1 and ranges expected, such as 4 or 1,7-9")
        chosen += range(first, last + 1)
    return list(dict.fromkeys(chosen))


def _draw(
    pairs: "Sequence[AlignedPair]", folder: Path, experiment: str, language: str, marks: Sequence[str]
) -> list[Path]:
    """Draw each pair as SVG and PNG; a typed sentence is named by its own words."""
    from optical_cli.report.heat_map import draw_heat_maps

    files, unnamed = [], False
    folder.mkdir(parents=True, exist_ok=True)
    for pair in pairs:
        words = re.findall(r"\w+", pair.text.lower() if pair.name == TYPED else pair.name)
        stem = "-".join((language, "-".join(words)[:40].strip("-") or "typed", *marks))
        svg, png = folder / f"{stem}.svg", folder / f"{stem}.png"
        unnamed |= not draw_heat_maps(pair, ", ".join((f"{experiment} {language}", pair.name, *marks)), svg, png)
        files += [svg, png]
    if unnamed:
        TerminalProgress().say(
            "pictures name some tokens by their place (#1 is the first): no font that is installed has their "
            "characters; one of the script, such as of the Noto Sans family, would mend that"
        )
    return files


def _print_alignments(pair: "AlignedPair", teacher_language: str, language: str) -> None:
    """Print the sentences, and the receivers of each teacher token's mass by reg."""
    tokens = [_on_a_line(token) for token in pair.student_tokens]
    print(f"\n{pair.name}")
    _print_indented({teacher_language: pair.text, language: pair.translation, "tokens": " ".join(tokens)})
    label = max(len("effective targets"), *(len(_on_a_line(token)) for token in pair.teacher_tokens))
    most = max(1, (stdout_console().width - min(label, 20) - 2) // (REG_WIDTH + 2))
    for start in range(0, len(pair.alignments), most):
        _print_receivers(pair, tokens, pair.alignments[start : start + most], teacher_language)


def _print_indented(texts: dict[str, str]) -> None:
    from rich.table import Table
    from rich.text import Text

    grid: Table = Table.grid(padding=(0, 2))
    grid.add_column(no_wrap=True)
    grid.add_column(overflow="fold")
    for head, text in texts.items():
        grid.add_row(Text(head), Text(_on_a_line(text)))
    stdout_console().print(grid)


def _print_receivers(
    pair: "AlignedPair", tokens: Sequence[str], alignments: Sequence["Alignment"], teacher_language: str
) -> None:
    from optical_cli.align.receivers import receivers

    # a share alone would not show that teacher tokens have masses of their own
    weighed = max(pair.teacher_mass) > ALIKE_MASS * min(pair.teacher_mass)
    shares = [alignment.shares for alignment in alignments]
    rows = []
    for number, (token, mass) in enumerate(zip(pair.teacher_tokens, pair.teacher_mass, strict=True)):
        received = [receivers(tokens, of_reg[number].tolist()) for of_reg in shares]
        rows.append([_on_a_line(token), *[f"{100 * mass:.1f}"] * weighed, *received])
    foot = {
        "cost": [f"{one.cost:.4f}" for one in alignments],
        "effective targets": [f"{one.effective_targets:.2f}" for one in alignments],
        "mass": [f"{one.mass:.3f}" for one in alignments],
        "plan": [*map(_health, alignments)],
    }
    if not any(one.unbalanced for one in alignments):
        del foot["mass"]
    heads = [teacher_language, *["mass %"] * weighed, *(f"reg {one.reg:g}" for one in alignments)]
    print_table(heads, rows, foot=[[name, *[""] * weighed, *cells] for name, cells in foot.items()])


def _on_a_line(text: str) -> str:
    return plain(text).replace("\n", "\\n")


def _health(alignment: "Alignment") -> str:
    if not alignment.converged:
        return f"NOT converged, marginal error {alignment.marginal_error:.1e}"
    if not alignment.iterations:
        return "converged"
    return f"converged, {alignment.iterations} iteration{'s' * (alignment.iterations > 1)}"
