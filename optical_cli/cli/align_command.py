"""`optical align`: what reg does to the alignment of sentences, to be looked at."""

import os
import re
from collections.abc import Sequence
from functools import cache, partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from optical_cli.align.aligned_pair import as_record
from optical_cli.cli import options, show
from optical_cli.cli.alignment_tables import print_alignments
from optical_cli.cli.options import Wanted
from optical_cli.cli.session import open_pipeline
from optical_cli.cli.terminal import TerminalProgress, duration
from optical_cli.errors import CacheError, ConfigError

if TYPE_CHECKING:
    from optical_cli.align.aligned_pair import AlignedPair
    from optical_cli.align.sentences import Sentence
    from optical_cli.config import Experiment as ExperimentSettings
    from optical_cli.pipeline import Pipeline
    from optical_cli.pipeline.cells import Cell
    from optical_cli.pipeline.step import Step

MOST_ROWS = 10_000
TYPED = "your sentence"

Regs = Annotated[
    list[float] | None,
    typer.Option("--reg", help="Strength of the regularization, 0 to inf; repeatable. All of the experiment's."),
]
Rows = Annotated[str | None, typer.Option("--rows", help="Which held-out pairs, counted from 1, such as 4 or 1,7-9.")]
Count = Annotated[int | None, typer.Option("--count", min=1, help="How many of the first held-out pairs; 3.")]
Text = Annotated[str | None, typer.Option("--text", help="A sentence of yours, in the teacher's language.")]
Translation = Annotated[str | None, typer.Option("--translation", help="Its translation.")]
Language = Annotated[str | None, typer.Option("--language", help="Of the translations, if the pair learns two.")]
Untrained = Annotated[
    bool, typer.Option("--untrained", help="The student as initialised for every reg, so that the plan alone varies.")
]
Output = Annotated[
    Path | None, typer.Option("--output", "-o", help="Folder of the pictures; reports/NAME/alignments by default.")
]


def align(
    experiment: options.Experiment,
    regs: Regs = None,
    pair: options.Pair = None,
    language: Language = None,
    seed: options.Seed = None,
    rows: Rows = None,
    count: Count = None,
    text: Text = None,
    translation: Translation = None,
    untrained: Untrained = False,
    output: Output = None,
    overrides: options.Set = None,
    cache_dir: options.CacheDir = None,
    device: options.Device = "auto",
    no_upstream: options.NoUpstream = False,
    offline: options.Offline = False,
    as_json: options.Json = False,
    debug: options.Debug = False,  # noqa: ARG001 - read at the edge, before there are options
) -> None:
    """Show how the tokens of sentences and of their translations are aligned: tables, and heat maps as SVG and PNG.

    The sentences are held-out pairs of the bitext, or one of yours. Each reg is shown with its own student.
    """
    chosen = _chosen_rows(rows, count, text, translation)
    pipeline = open_pipeline(experiment, overrides, cache_dir, device, upstream=not no_upstream, offline=offline)
    from optical_cli.align.sentences import held_out_sentences, trained_pairs, view_of
    from optical_cli.pipeline.sources import Sources

    x = pipeline.experiment
    view = view_of(x, pair, language)
    cells = _cells(x, view.pair, regs, seed)
    folder = output or Path("reports") / x.name / "alignments"
    _check_folder(folder)
    sources = Sources(x, pipeline.cache.fingerprints)
    if text is not None and translation is not None:
        sentences = [_typed(text, translation)]
    else:
        sentences = held_out_sentences(sources, view.language, rows=chosen, count=count)
    trained_on = trained_pairs(sources, view.student)
    steps = {
        reg: pipeline.start(view.student) if untrained else pipeline.checkpoint(cell) for reg, cell in cells.items()
    }
    obtain = {  # once, where every reg has the same student
        step.key.digest: cache(partial(_obtain, pipeline, step, upstream=not no_upstream)) for step in steps.values()
    }
    students = {reg: obtain[step.key.digest] for reg, step in steps.items()}
    from optical_cli.align.align_sentences import align_sentences

    pairs = align_sentences(x, sentences, trained_on, view.side, students, pipeline.encoding_precision, device)
    marks = ["untrained"] if untrained else [f"seed{seed}"] if seed not in (None, x.seeds[0]) else []
    files = _draw(pairs, folder, x.name, view.language, marks)
    if as_json:
        said = {"experiment": x.name, "pair": view.pair, "language": view.language, "side": view.side}
        drawn = {"untrained": untrained, "files": [str(file) for file in files]}
        show.as_json({**said, **drawn, "sentences": [as_record(aligned) for aligned in pairs]})
        return
    for aligned in pairs:
        print_alignments(aligned, x.teacher.language, view.language)
    for file in files:
        print(file)


def _cells(
    experiment: "ExperimentSettings", pair: str, regs: Sequence[float] | None, seed: int | None
) -> "dict[float, Cell]":
    """The cell of each reg that was asked for, or else of all that the experiment has.

    Raises:
        ConfigError: one of them is no reg, or none that the experiment's solver takes.
    """
    cells = {}
    for reg in regs or sorted(experiment.transport.reg):
        cell = Wanted(reg, None, pair, seed).cell(experiment)
        if fault := experiment.transport.fault_of(abs(reg)):
            raise ConfigError(f"--reg {reg:g}: {fault}")
        cells[abs(reg)] = cell  # -0.0 is 0
    return cells


def _check_folder(folder: Path) -> None:
    """Refuse a folder that cannot be written, before anything expensive starts.

    Raises:
        ConfigError: it is such a one.
    """
    there = next(path for path in (folder.absolute(), *folder.absolute().parents) if path.exists())
    if not there.is_dir() or not os.access(there, os.W_OK):
        raise ConfigError(f"--output {folder}: a folder that can be written expected, and {there} is none")


def _chosen_rows(rows: str | None, count: int | None, text: str | None, translation: str | None) -> list[int] | None:
    """The rows that were asked for, after a look at whether the options that choose sentences agree.

    Raises:
        ConfigError: they do not.
    """
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
    """`1,7-9` as numbers, each once.

    Raises:
        ConfigError: they are no such list.
    """
    chosen: list[int] = []
    for part in rows.split(","):
        spelled = re.fullmatch(r"\s*([1-9][0-9]{0,8})(?:-([1-9][0-9]{0,8}))?\s*", part)
        first, last = (int(spelled[1]), int(spelled[2] or spelled[1])) if spelled else (1, 0)
        if first > last or last - first >= MOST_ROWS:
            raise ConfigError(f"--rows {rows}: numbers from 1 and ranges expected, such as 4 or 1,7-9")
        chosen += range(first, last + 1)
    return list(dict.fromkeys(chosen))


def _typed(text: str, translation: str) -> "Sentence":
    from optical_cli.align.sentences import Sentence

    return Sentence(TYPED, text.strip(), translation.strip())


def _stem(pair: "AlignedPair") -> str:
    """What a file of the pair is called: a sentence of the user's by its own words."""
    words = re.findall(r"\w+", pair.text.lower() if pair.name == TYPED else pair.name)
    return "-".join(words)[:40].strip("-") or "typed"


def _obtain(pipeline: "Pipeline", step: "Step", *, upstream: bool) -> Path:
    """The folder of a student, which is upstream of what is shown.

    Raises:
        CacheError: it would have to be made, and must not be.
    """
    if not upstream and pipeline.cache.find(step.kind, step.key) is None:
        raise CacheError(f"{step.kind}/{step.label} is not in the cache; make it first, or leave out --no-upstream")
    artifact, made = pipeline.obtain(step)
    how = f"made in {duration(float(artifact.manifest['seconds']))}" if made else "in the cache"
    TerminalProgress().say(f"{artifact.kind}/{step.label}: {how}")
    return artifact.folder


def _draw(
    pairs: "Sequence[AlignedPair]", folder: Path, experiment: str, language: str, marks: Sequence[str]
) -> list[Path]:
    """A picture of each pair, as SVG and PNG."""
    from optical_cli.report.heat_map import draw_heat_maps

    files, unnamed = [], False
    folder.mkdir(parents=True, exist_ok=True)
    for pair in pairs:
        stem = "-".join((language, _stem(pair), *marks))
        svg, png = folder / f"{stem}.svg", folder / f"{stem}.png"
        unnamed |= not draw_heat_maps(pair, ", ".join((f"{experiment} {language}", pair.name, *marks)), svg, png)
        files += [svg, png]
    if unnamed:
        TerminalProgress().say(
            "pictures name some tokens by their place (#1 is the first): no font that is installed has their "
            "characters; one of the script, such as of the Noto Sans family, would mend that"
        )
    return files
