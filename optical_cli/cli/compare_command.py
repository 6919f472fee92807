"""`optical compare`: two settings of one experiment or of two, topic by topic."""

import textwrap
from collections import Counter
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from typer import Argument, Option

from optical_cli.cli.options import Experiment, Opening, Pair, command_line, set_options, takes
from optical_cli.cli.records import duel_record, print_json
from optical_cli.cli.terminal import print_table, print_text
from optical_cli.errors import ConfigError, DataError, several

if TYPE_CHECKING:
    from optical_cli.artifacts.result import Setting
    from optical_cli.config.experiment import Experiment as ExperimentSettings
    from optical_cli.report.findings import Duel

TENTHS = 10
BAR = 40
TOPIC_WIDTH = 70


@takes("overrides", "of_one", "cache_dir", "offline", "as_json")
def compare(
    experiment: Experiment,
    one: Annotated[str, Argument(metavar="ONE", help="A reg, a baseline, or `run TAG`.")],
    opening: Opening,
    other: Annotated[str | None, Argument(metavar="[OTHER]", help="Like ONE; with --with, ONE by default.")] = None,
    pair: Pair = None,
    count: Annotated[int, Option(min=1, help="Number of topics to show at either end.")] = 5,
    with_: Annotated[str | None, Option("--with", metavar="EXPERIMENT", help="OTHER is of this experiment.")] = None,
    scatter: Annotated[
        Path | None, Option(metavar="FILE", help="Draw a point for each topic: .svg, .png or .pdf.")
    ] = None,
    of_one: Annotated[
        list[str] | None, Option("--set-one", metavar="KEY=VALUE", help="--set for ONE. Repeatable.")
    ] = None,
) -> None:
    """Compare two settings topic by topic, on every pair.

    With --with, OTHER is of another experiment, on the pairs that both have. Scores come from the cache alone. The
    test is that of `optical report`; p is corrected for the number of pairs.
    """
    from optical_cli.report.gather import Side, cached_duels, measure_of_both
    from optical_cli.report.scatter import check_picture, draw_scatter

    if other is None and with_ is None:
        raise ConfigError("OTHER: a second setting expected, or --with EXPERIMENT for ONE of another experiment")
    if scatter is not None:
        check_picture(scatter, "--scatter")
    of_one, second, other = of_one or [], with_ or experiment, other or one
    own = theirs = opening.pipeline(second)
    if with_ is not None or of_one:
        own = replace(opening, overrides=[*(opening.overrides or ()), *of_one]).pipeline(experiment)
    pairs = _pairs(pair, own.experiment, theirs.experiment)
    of_own, of_theirs = _whose((experiment, own.experiment.name), (second, theirs.experiment.name))
    changed = [f"with {', '.join(of_one)}"] if of_one else []
    setting = setting_named(one, own.experiment, " ".join(changed + of_own))
    reference = setting_named(other, theirs.experiment, " ".join(of_theirs))
    if setting == reference:
        raise ConfigError(f"{one} and {other}: two different settings expected, found {setting.label} twice")
    sides = Side(own, setting), Side(theirs, reference)
    duels, texts = cached_duels(*sides, pairs)
    if not duels:
        sweeps = command_line("sweep", experiment, *set_options(of_one)), command_line("sweep", second)
        remedy = f"run {' and '.join(f'`{sweep}`' for sweep in dict.fromkeys(sweeps))} first"
        raise DataError(f"no pair has scores of {setting.label} and {reference.label} on two topics or more; {remedy}")
    if scatter is not None:
        draw_scatter(duels, measure_of_both(*sides), scatter)
    if opening.as_json:
        print_json([duel_record(duel) for duel in duels])
        return
    for duel in duels:
        _print_duel(duel, texts[duel.comparison.pair], count, len(duels))
    if scatter is not None:
        print(scatter)


def _pairs(wanted: str | None, own: "ExperimentSettings", theirs: "ExperimentSettings") -> list[str]:
    for x in (own, theirs):
        if wanted is not None and wanted not in x.pairs:
            raise ConfigError(f"--pair {wanted}: not in {x.name}; it has {', '.join(x.pairs)}")
    if shared := [name for name in own.pairs if name in theirs.pairs]:
        return [wanted] if wanted else shared
    found = f"one has {', '.join(own.pairs)}, the other {', '.join(theirs.pairs)}"
    raise ConfigError(f"--with: the two experiments need a pair in common; {found}")


def _whose(one: tuple[str, str], other: tuple[str, str]) -> tuple[list[str], list[str]]:
    """Tell two experiments apart, each given by file and name: `of NAME`, or `of FILE` if their names are equal."""
    if one[0] == other[0]:
        return [], []
    told = 0 if one[1] == other[1] else 1
    return [f"of {one[told]}"], [f"of {other[told]}"]


def setting_named(text: str, experiment: "ExperimentSettings", variant: str = "") -> "Setting":
    """Return the row of a report that a text names: a baseline, a reg or `run TAG`; ConfigError for any other."""
    from optical_cli.artifacts.result import Setting
    from optical_cli.config.baselines import bm25_objective
    from optical_cli.config.numbers import is_decimal
    from optical_cli.config.objectives import BM25, OBJECTIVES
    from optical_cli.transport.solvers import format_reg

    if (analyzer := experiment.bm25.analyzer_of(text)) and BM25 in experiment.baselines:
        return Setting(bm25_objective(analyzer), None, variant)
    if text in experiment.baselines or text.startswith("run "):
        return Setting(text, None, variant)
    objective, strengths = experiment.transport.grid
    if is_decimal(text) and float(text) in strengths:
        return Setting(objective, float(text), variant)
    known = ", ".join([*experiment.baselines, *map(format_reg, strengths)])
    kind = {"reg": "a reg", "targets": "effective targets"}[OBJECTIVES[objective].strength]
    raise ConfigError(f"{text}: a baseline or {kind} of {experiment.name} expected, one of {known}")


def _print_duel(duel: "Duel", texts: Mapping[str, str], count: int, pairs: int) -> None:
    for line in _sentences(duel, pairs):
        print_text(line)
    print("", *_histogram(duel), sep="\n")
    label, other = duel.comparison.setting.label, duel.comparison.reference.label
    rows = []
    for topic in dict.fromkeys([*duel.topics[:count], *duel.topics[-count:]]):
        figures = [f"{topic.reference_score:.3f}", f"{topic.score:.3f}", f"{topic.difference:+.3f}"]
        text = textwrap.shorten(texts.get(topic.topic, ""), TOPIC_WIDTH, placeholder=" …")
        rows.append([topic.topic, *figures, text])
    print_table(["topic", other, label, "change", "text"], rows)


def _sentences(duel: "Duel", pairs: int) -> list[str]:
    from optical_cli.report.findings.comparison import ABOVE, BELOW
    from optical_cli.report.table import FULL
    from optical_cli.report.text import effect, p_value, signed

    one = duel.comparison
    where = "" if one.corpus == FULL else f" ({one.corpus})"
    alike = f"is equivalent within {one.margin:g} to" if one.equivalent else "is not shown to differ from"
    outcome = {ABOVE: "is above", BELOW: "is below"}.get(one.mark, alike)
    corrected = f", {p_value(one.corrected)} after Holm's correction for {pairs} pairs" if pairs > 1 else ""
    equal = len(duel.topics) - one.wins - one.losses
    seeds = "" if one.seeds == 1 else f" {one.agreeing} of {one.seeds} seeds agree."
    tested = ""
    if one.corrected_equivalent is not None:
        shown = "shown" if one.equivalent else "not shown"
        tested = f" Equivalence within {one.margin:g} is {shown}, p {p_value(one.corrected_equivalent)}."
    return [
        f"{one.pair}{where}: {one.setting.label} ({duel.mean:.3f}) {outcome} {one.reference.label} "
        f"({duel.reference_mean:.3f}) on {several(len(duel.topics), 'topic')} and {several(one.seeds, 'seed')}.",
        f"Difference {signed(one.difference)}, 95 % interval {signed(one.low)} to {signed(one.high)}, d_z "
        f"{effect(one.effect)}, p {p_value(one.p)}{corrected}. Detectable difference: {one.smallest:.3f}.{tested}",
        f"{several(one.wins, 'topic')} won, {one.losses} lost, {equal} equal.{seeds}",
    ]


def _histogram(duel: "Duel") -> list[str]:
    counts = Counter(round(TENTHS * topic.difference) for topic in duel.topics)
    most = max(counts.values())
    return [
        f"  {tenth / TENTHS:+.1f}  {counts[tenth]:>4}  {'█' * round(BAR * counts[tenth] / most)}".rstrip()
        for tenth in range(max(counts), min(counts) - 1, -1)
    ]
