"""`optical compare`: two settings against each other, topic by topic, of one experiment or of two."""

import shlex
import textwrap
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from optical_cli.cli import options, show
from optical_cli.cli.session import open_pipeline
from optical_cli.cli.study_tables import print_text
from optical_cli.errors import ConfigError, DataError

if TYPE_CHECKING:
    from optical_cli.artifacts.result import Setting
    from optical_cli.config.experiment import Experiment as ExperimentSettings
    from optical_cli.report.findings import Duel

One = Annotated[str, typer.Argument(metavar="ONE", help="A reg, a baseline, or `run TAG`.")]
Other = Annotated[
    str | None,
    typer.Argument(metavar="[OTHER]", help="What it is compared with, named in the same way; with --with, ONE."),
]
With = Annotated[str | None, typer.Option("--with", metavar="EXPERIMENT", help="OTHER is of this experiment.")]
SetOne = Annotated[
    list[str] | None,
    typer.Option("--set-one", metavar="KEY=VALUE", help="As --set, for ONE alone: index.storage=int8. Repeatable."),
]
Count = Annotated[int, typer.Option("--count", min=1, help="How many topics of either end are shown.")]
Scatter = Annotated[
    Path | None,
    typer.Option("--scatter", metavar="FILE", help="Draw both scores of every topic as a point: an .svg or .png file."),
]
BINS = 10
"""Of the differences, to either side of 0."""
BAR = 40
TOPIC_WIDTH = 70


def compare(
    experiment: options.Experiment,
    one: One,
    other: Other = None,
    pair: options.Pair = None,
    count: Count = 5,
    with_: With = None,
    scatter: Scatter = None,
    overrides: options.Set = None,
    of_one: SetOne = None,
    cache_dir: options.CacheDir = None,
    offline: options.Offline = False,
    as_json: options.Json = False,
    debug: options.Debug = False,  # noqa: ARG001 - read at the edge, before there are options
) -> None:
    """Compare two settings on the topics of every pair: test, wins and losses, the topics that moved most.

    With --with the second is of another experiment, on the pairs that both have. Reads the cache alone, and tests what
    `optical report` tests; p is corrected for the pairs that are compared.
    """
    from optical_cli.report.gather import Side, cached_duels, measure_of_both
    from optical_cli.report.scatter import check_picture, draw_scatter

    if other is None and with_ is None:
        raise ConfigError("OTHER: a second setting expected, or --with EXPERIMENT for ONE of another experiment")
    if scatter is not None:
        check_picture(scatter, "--scatter")
    theirs = open_pipeline(with_ or experiment, overrides, cache_dir, offline=offline)
    own = theirs
    if with_ is not None or of_one:
        own = open_pipeline(experiment, [*(overrides or ()), *(of_one or ())], cache_dir, offline=offline)
    pairs = _pairs(pair, own.experiment, theirs.experiment)
    whose = _whose((experiment, own.experiment.name), (with_ or experiment, theirs.experiment.name))
    setting = _setting(one, own.experiment, _in_words(of_one, whose[0]))
    reference = _setting(other or one, theirs.experiment, _in_words(None, whose[1]))
    if setting == reference:
        raise ConfigError(f"{one} and {other or one}: two settings expected, found {setting.label} twice")
    sides = Side(own, setting), Side(theirs, reference)
    found, texts = cached_duels(*sides, pairs)
    if not found:
        sweeps = _sweeps([(experiment, of_one), (with_ or experiment, None)])
        raise DataError(
            f"no pair has scores of both {setting.label} and {reference.label} on two topics or more in the cache; "
            f"run {sweeps} first"
        )
    if scatter is not None:
        draw_scatter(found, measure_of_both(*sides), scatter)
    if as_json:
        show.as_json([_record(duel) for duel in found])
        return
    for duel in found:
        _print_duel(duel, texts[duel.comparison.pair], count, len(found))
    if scatter is not None:
        print(scatter)


def _pairs(wanted: str | None, *experiments: "ExperimentSettings") -> list[str]:
    """The pairs that are compared: those that both experiments have.

    Raises:
        ConfigError: one was asked for that is not among them, or there are none.
    """
    for x in experiments:
        if wanted is not None and wanted not in x.pairs:
            raise ConfigError(f"--pair {wanted}: not in {x.name}; it has {', '.join(x.pairs)}")
    own, theirs = (x.pairs for x in experiments)
    shared = [name for name in own if name in theirs]
    if not shared:
        raise ConfigError(
            f"--with: an experiment with a pair in common expected; one has {', '.join(own)}, the other "
            f"{', '.join(theirs)}"
        )
    return [wanted] if wanted else shared


def _whose(*named: tuple[str, str]) -> list[str]:
    """What tells two experiments apart: names, or else how they were called; nothing if they are one.

    Args:
        named: how each was called on the command line, and the name that it has.
    """
    called, names = zip(*named, strict=True)
    if len(set(called)) == 1:
        return ["", ""]
    return [f"of {name}" for name in (names if len(set(names)) == len(names) else called)]


def _in_words(changes: Sequence[str] | None, whose: str) -> str:
    """How a setting is a variant: `with index.storage=int8 of tiny`."""
    changed = f"with {', '.join(changes)}" if changes else ""
    return " ".join(filter(None, [changed, whose]))


def _sweeps(experiments: Sequence[tuple[str, Sequence[str] | None]]) -> str:
    """The commands that make what was not found."""
    commands = [
        shlex.join(["optical", "sweep", experiment, *(word for one in changes or () for word in ("--set", one))])
        for experiment, changes in experiments
    ]
    return " and ".join(f"`{command}`" for command in dict.fromkeys(commands))


def _setting(text: str, experiment: "ExperimentSettings", variant: str) -> "Setting":
    """A setting by the name it has in the experiment file.

    Raises:
        ConfigError: the experiment has no such setting.
    """
    from optical_cli.artifacts.result import Setting, format_reg
    from optical_cli.config.baselines import bm25_objective
    from optical_cli.config.objectives import BM25, TRANSPORT

    if (analyzer := experiment.bm25.analyzer_of(text)) and BM25 in experiment.baselines:
        return Setting(bm25_objective(analyzer), None, variant)
    if text in experiment.baselines or text.startswith("run "):
        return Setting(text, None, variant)
    try:
        reg = float(text)
    except ValueError:
        reg = None
    if reg is None or reg not in experiment.transport.reg:
        known = ", ".join([*experiment.baselines, *map(format_reg, experiment.transport.reg)])
        raise ConfigError(f"{text}: one of {experiment.name}'s baselines or values of reg expected: {known}")
    return Setting(TRANSPORT, reg, variant)


def _print_duel(duel: "Duel", texts: Mapping[str, str], count: int, pairs: int) -> None:
    for line in _sentences(duel, pairs):
        print_text(line)
    print()
    for line in _histogram([topic.difference for topic in duel.topics]):
        print(line)
    ends = dict.fromkeys([*duel.topics[:count], *duel.topics[-count:]])
    label, other = duel.comparison.setting.label, duel.comparison.reference.label
    show.print_table(
        ["topic", other, label, "change", "text"],
        [
            [topic.topic, f"{topic.reference_score:.3f}", f"{topic.score:.3f}", f"{topic.difference:+.3f}",
             textwrap.shorten(texts.get(topic.topic, ""), TOPIC_WIDTH, placeholder=" …")]
            for topic in ends
        ],
    )  # fmt: skip


def _sentences(duel: "Duel", pairs: int) -> list[str]:
    from optical_cli.report.findings.comparison import ABOVE, BELOW
    from optical_cli.report.table import FULL
    from optical_cli.report.text import effect, p_value, several, signed

    one = duel.comparison
    where = "" if one.corpus == FULL else f" ({one.corpus})"
    shown = {ABOVE: "higher", BELOW: "lower"}.get(one.mark, "no difference shown")
    family = f", {p_value(one.corrected)} after Holm's correction for {pairs} pairs" if pairs > 1 else ""
    return [
        f"{one.pair}{where}: {one.setting.label} {duel.mean:.3f}, {one.reference.label} {duel.reference_mean:.3f} on "
        f"{several(len(duel.topics), 'topic')} and {several(one.seeds, 'seed')}; {shown}: "
        f"{signed(one.difference)} [{signed(one.low)}, {signed(one.high)}], d_z {effect(one.effect)}, p "
        f"{p_value(one.p)}{family}.",
        f"{one.wins} topics won, {one.losses} lost, {len(duel.topics) - one.wins - one.losses} alike; "
        f"{one.agreeing} of {several(one.seeds, 'seed')} agree. Smallest to be seen: {one.smallest:.3f}.",
    ]


def _histogram(differences: list[float]) -> list[str]:
    """How many topics moved how far: lines for tenths of the measure, those between the outermost that have any."""
    counts = dict.fromkeys(range(-BINS, BINS + 1), 0)
    for difference in differences:
        counts[round(BINS * difference)] += 1
    taken = [number for number, topics in counts.items() if topics]
    most = max(counts.values())
    return [
        f"  {number / BINS:+.1f}  {counts[number]:>4}  {'█' * round(BAR * counts[number] / most)}".rstrip()
        for number in range(max(taken), min(taken) - 1, -1)
    ]


def _record(duel: "Duel") -> dict[str, Any]:
    one = duel.comparison
    return {
        **vars(one),
        "setting": one.setting.label,
        "reference": one.reference.label,
        "mark": one.mark,
        "mean": duel.mean,
        "reference_mean": duel.reference_mean,
        "topics": [
            {"topic": topic.topic, "score": topic.score, "reference_score": topic.reference_score}
            for topic in duel.topics
        ],
    }
