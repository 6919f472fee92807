"""`optical align`: show how the tokens of sentences are aligned, for each reg."""

import os
import re
from collections.abc import Sequence
from functools import cache, partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from typer import Option

from optical_cli.cli.options import Experiment, Opening, Pair, Seed, Wanted, takes
from optical_cli.cli.records import print_json
from optical_cli.cli.terminal import TerminalProgress, plain, print_table, print_text, stdout_console
from optical_cli.config.objectives import TARGETS, TRANSPORT
from optical_cli.errors import ConfigError, DataError, several
from optical_cli.transport.solvers import format_reg

if TYPE_CHECKING:
    from optical_cli.align.aligned_pair import AlignedPair, Alignment
    from optical_cli.align.gold import GoldPair
    from optical_cli.align.sentences import View
    from optical_cli.config.experiment import Experiment as ExperimentSettings
    from optical_cli.pipeline import Pipeline
    from optical_cli.pipeline.cells import Cell

MOST_ROWS = 10_000
TYPED = "your sentence"
ALIKE_MASS = 1.001
NO_FONT = "no font has the script of some tokens, so pictures number them (#1, #2); install a font such as Noto Sans"
REG_WIDTH = 24
"""Characters of the column of a reg; regs that do not fit the terminal go into another table."""


@takes("overrides", "cache_dir", "device", "no_upstream", "offline", "as_json")
def align(
    experiment: Experiment,
    opening: Opening,
    regs: Annotated[
        list[float] | None, Option("--reg", help="Reg to show, from 0 to inf. Repeatable. Default: all.")
    ] = None,
    pair: Pair = None,
    language: Annotated[str | None, Option(help="Language of the translations, if the pair has two.")] = None,
    seed: Seed = None,
    rows: Annotated[str | None, Option(help="Held-out pairs to show, from 1, such as 4 or 1,7-9.")] = None,
    count: Annotated[int | None, Option(min=1, help="Show this many held-out pairs. Default: 3.")] = None,
    text: Annotated[str | None, Option(help="Your own sentence, in the teacher's language.")] = None,
    translation: Annotated[str | None, Option(help="The translation of --text.")] = None,
    gold: Annotated[
        Path | None, Option(help="Folder with word alignments that people made: score every reg against them.")
    ] = None,
    links: Annotated[
        str, Option(help="With --gold, how the mass between words becomes links: mutual or threshold.")
    ] = "mutual",
    untrained: Annotated[bool, Option("--untrained", help="Use the untrained student for every reg.")] = False,
    output: Annotated[
        Path | None, Option("--output", "-o", help="Folder to write. Default: reports/NAME/alignments.")
    ] = None,
) -> None:
    """Show which tokens the transport aligns, for each reg.

    Prints tables and draws heat maps (SVG and PNG) of held-out sentence pairs, or of your own pair with --text and
    --translation. Each reg is shown with the student that was trained at it. With --gold it prints the alignment error
    rate of each reg instead.
    """
    chosen = _chosen_rows(rows, count, text, translation)
    if gold is not None and (rows, count, text) != (None, None, None):
        raise ConfigError("--gold: brings its own sentences; leave out --rows, --count, --text and --translation")
    pipeline = opening.pipeline(experiment)
    from optical_cli.align.aligned_pair import Sentence, as_record
    from optical_cli.align.sentences import held_out_sentences, trained_pairs, view_of

    x, sources = pipeline.experiment, pipeline.sources
    view = view_of(x, pair, language)
    by_people = None if gold is None else _read_gold(gold, links, x.teacher.language, view.language)
    objective, strengths = (TRANSPORT, [abs(reg) for reg in regs]) if regs else x.transport.grid  # -0.0 is 0
    wanted = [
        Wanted(None, None, view.pair, seed, strength)
        if objective == TARGETS
        else Wanted(strength, None, view.pair, seed)
        for strength in strengths
    ]
    cells = {_reg_of(cell, opening, pipeline): cell for cell in (one.cell(x) for one in wanted)}
    for reg in cells:
        if fault := x.transport.fault_of(reg):
            raise ConfigError(f"--reg {format_reg(reg)}: {fault}")
    folder = output or Path("reports") / x.name / "alignments"
    _check_folder(folder)
    if by_people is not None:
        sentences = [one.sentence for one in by_people]
    elif text is not None and translation is not None:
        sentences = [Sentence(TYPED, text.strip(), translation.strip())]
    else:
        sentences = held_out_sentences(sources, view.language, rows=chosen, count=count)

    @cache  # several regs may have the same student
    def student(digest: str) -> Path:
        return opening.obtain_upstream(pipeline, steps[digest]).folder

    start = pipeline.start(view.student) if untrained else None
    by_reg = {reg: start or pipeline.checkpoint(cell) for reg, cell in cells.items()}
    steps = {step.key.digest: step for step in by_reg.values()}
    students = {reg: partial(student, step.key.digest) for reg, step in by_reg.items()}
    from optical_cli.align.align_sentences import align_sentences

    trained_on, precision = trained_pairs(sources, view.student), pipeline.encoding_precision
    pairs = align_sentences(x, sentences, trained_on, view.side, students, precision, opening.device)
    if by_people is not None:
        _print_agreement(opening, view, by_people, pairs, links, x)
        return
    marks = ["untrained"] if untrained else [f"seed{seed}"] if seed not in (None, x.seeds[0]) else []
    files = _draw(pairs, folder, x.name, view.language, marks)
    if opening.as_json:
        shown = {"experiment": x.name, "pair": view.pair, "language": view.language, "side": view.side}
        print_json({**shown, "untrained": untrained, "files": files, "sentences": [*map(as_record, pairs)]})
        return
    for aligned in pairs:
        _print_alignments(aligned, x.teacher.language, view.language)
    print(*files, sep="\n")


def _reg_of(cell: "Cell", opening: Opening, pipeline: "Pipeline") -> float:
    """Return the reg of a cell; that of effective targets is found now, unless the cache has it."""
    if cell.reg is not None and cell.objective != TARGETS:
        return cell.reg
    found = pipeline.checkpoint(cell).upstream("strength")
    if found is None:
        raise ConfigError(f"--pair {cell.pair}: there is no student to align with")
    return float(opening.obtain_upstream(pipeline, found).manifest["health"]["reg"])


def _read_gold(folder: Path, links: str, teacher_language: str, language: str) -> "list[GoldPair]":
    from optical_cli.align.gold import WAYS, read_gold

    if links not in WAYS:
        raise ConfigError(f"--links {links}: {' or '.join(WAYS)} expected")
    return read_gold(folder, teacher_language, language)


def _print_agreement(
    opening: Opening,
    view: "View",
    gold: "Sequence[GoldPair]",
    pairs: "Sequence[AlignedPair]",
    links: str,
    x: "ExperimentSettings",
) -> None:
    """Print how the plans of every reg agree with the links of people."""
    from statistics import fmean

    from optical_cli.align.gold import WAYS, agreement, word_plan

    records = []
    for number, alignment in enumerate(pairs[0].alignments):
        of_reg = [pair.alignments[number] for pair in pairs]
        found = [WAYS[links](word_plan(pair, own.plan)) for pair, own in zip(pairs, of_reg, strict=True)]
        agrees = agreement(gold, found, x.evaluation.seed)
        records.append({
            "reg": alignment.reg, **vars(agrees),
            "effective_targets": fmean(one.effective_targets for one in of_reg),
            "unconverged": sum(not one.converged for one in of_reg),
        })  # fmt: skip
    if opening.as_json:
        shown = {"experiment": x.name, "pair": view.pair, "language": view.language, "links": links}
        print_json({**shown, "sentences": len(pairs), "agreement": records})
        return
    rows = [
        [
            format_reg(one["reg"]),
            f"{one['aer']:.3f} [{one['interval'][0]:.3f}, {one['interval'][1]:.3f}]",
            *(f"{one[name]:.3f}" for name in ("precision", "recall", "f1")),
            f"{one['links']}",
            f"{one['effective_targets']:.2f}",
            *([f"{one['unconverged']}"] if any(other["unconverged"] for other in records) else []),
        ]
        for one in records
    ]
    heads = ["reg", "AER", "precision", "recall", "F1", "links", "effective targets", "not converged"]
    print_table(heads[: len(rows[0])], rows)
    count = f"{several(len(pairs), 'sentence')}, {several(sum(len(one.possible) for one in gold), 'link')} of people"
    print_text(f"{count}; links of plans: {links}. [low, high]: 95 % bootstrap interval over sentences.")


def _check_folder(folder: Path) -> None:
    there = next(path for path in (folder.absolute(), *folder.absolute().parents) if path.exists())
    if not there.is_dir() or not os.access(there, os.W_OK):
        fault = "cannot be written" if there.is_dir() else "is a file"
        raise ConfigError(f"--output {folder}: a writable folder expected, but {there} {fault}")


def _chosen_rows(rows: str | None, count: int | None, text: str | None, translation: str | None) -> list[int] | None:
    """Parse `--rows`, None if it is not given; refuse options that disagree."""
    if rows is not None and count is not None:
        raise ConfigError("--rows and --count: give one of them, as both choose the held-out pairs")
    if (text is None) != (translation is None):
        given, lacking = ("--text", "--translation") if translation is None else ("--translation", "--text")
        raise ConfigError(f"{given}: needs {lacking}, as a sentence is aligned with its translation; give both")
    if text is not None and (rows is not None or count is not None):
        raise ConfigError(
            "--text: cannot be combined with --rows or --count, which choose held-out pairs; leave them out"
        )
    for option, sentence in (("--text", text), ("--translation", translation)):
        if any("\ud800" <= character <= "\udfff" for character in sentence or ""):
            raise ConfigError(f"{option}: text in UTF-8 expected, found other bytes; check the terminal's encoding")
        if sentence is not None and not sentence.strip():
            raise ConfigError(f"{option}: a sentence expected, found none")
    return None if rows is None else list(dict.fromkeys(row for part in rows.split(",") for row in _range(part, rows)))


def _range(part: str, rows: str) -> range:
    spelled = re.fullmatch(r"\s*([1-9][0-9]{0,8})(?:-([1-9][0-9]{0,8}))?\s*", part)
    first, last = (int(spelled[1]), int(spelled[2] or spelled[1])) if spelled else (1, 0)
    if first > last or last - first >= MOST_ROWS:
        raise ConfigError(f"--rows {rows}: numbers from 1 and ranges expected, such as 4 or 1,7-9")
    return range(first, last + 1)


def _draw(
    pairs: "Sequence[AlignedPair]", folder: Path, experiment: str, language: str, marks: Sequence[str]
) -> list[Path]:
    from optical_cli.report.heat_map import draw_heat_maps

    files, named = [], True
    for pair in pairs:
        words = re.findall(r"\w+", pair.text.lower() if pair.name == TYPED else pair.name)
        stem = "-".join((language, "-".join(words)[:40].strip("-") or "typed", *marks))
        svg, png = folder / f"{stem}.svg", folder / f"{stem}.png"
        try:
            folder.mkdir(parents=True, exist_ok=True)
            named &= draw_heat_maps(pair, ", ".join((f"{experiment} {language}", pair.name, *marks)), svg, png)
        except OSError as error:
            raise DataError(f"{svg}: the drawing cannot be written: {error.strerror or error}") from error
        files += [svg, png]
    if not named:
        TerminalProgress().say(NO_FONT)
    return files


def _print_alignments(pair: "AlignedPair", teacher_language: str, language: str) -> None:
    from rich.table import Column, Table
    from rich.text import Text

    tokens = [_on_a_line(token) for token in pair.student_tokens]
    print(f"\n{pair.name}")
    grid: Table = Table.grid(Column(no_wrap=True), Column(overflow="fold"), padding=(0, 2))
    for head, text in ((teacher_language, pair.text), (language, pair.translation), ("tokens", " ".join(tokens))):
        grid.add_row(Text(head), Text(_on_a_line(text)))
    stdout_console().print(grid)
    label = max(len("effective targets"), *(len(_on_a_line(token)) for token in pair.teacher_tokens))
    most = max(1, (stdout_console().width - min(label, 20) - 2) // (REG_WIDTH + 2))
    for start in range(0, len(pair.alignments), most):
        _print_receivers(pair, tokens, pair.alignments[start : start + most], teacher_language)


def _print_receivers(
    pair: "AlignedPair", tokens: Sequence[str], alignments: Sequence["Alignment"], teacher_language: str
) -> None:
    from optical_cli.align.aligned_pair import receivers

    # shares alone do not show that teacher tokens have different masses
    weighed = max(pair.teacher_mass) > ALIKE_MASS * min(pair.teacher_mass)
    shares = [one.shares for one in alignments]
    rows = []
    for number, (token, mass) in enumerate(zip(pair.teacher_tokens, pair.teacher_mass, strict=True)):
        received = [receivers(tokens, of_reg[number].tolist()) for of_reg in shares]
        rows.append([_on_a_line(token), *[f"{100 * mass:.1f}"] * weighed, *received])
    foot = {"cost": "{0.cost:.4f}", "effective targets": "{0.effective_targets:.2f}", "mass": "{0.mass:.3f}"}
    if not any(one.unbalanced for one in alignments):
        del foot["mass"]
    figures = {name: [text.format(one) for one in alignments] for name, text in foot.items()}
    figures["plan"] = [*map(_health, alignments)]
    heads = [teacher_language, *["mass %"] * weighed, *(f"reg {format_reg(one.reg)}" for one in alignments)]
    print_table(heads, rows, foot=[[name, *[""] * weighed, *cells] for name, cells in figures.items()])


def _on_a_line(text: str) -> str:
    return plain(text).replace("\n", "\\n")


def _health(alignment: "Alignment") -> str:
    if not alignment.converged:
        return f"NOT converged, marginal error {alignment.marginal_error:.1e}"
    if not alignment.iterations:
        return "converged"
    return f"converged, {alignment.iterations} iteration{'s' * (alignment.iterations > 1)}"
