"""`optical compare`: two settings of an experiment against each other, topic by topic."""

import shlex
import textwrap
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Annotated, Any

import typer

from optical_cli.cli import options, show
from optical_cli.cli.session import open_pipeline
from optical_cli.cli.study_tables import print_text
from optical_cli.errors import ConfigError, DataError

if TYPE_CHECKING:
    from optical_cli.config import Experiment as ExperimentSettings
    from optical_cli.report.findings import Duel
    from optical_cli.report.result import Setting

One = Annotated[str, typer.Argument(metavar="ONE", help="A reg, a baseline, or `run TAG`.")]
Other = Annotated[str, typer.Argument(metavar="OTHER", help="What it is compared with, named in the same way.")]
SetOne = Annotated[
    list[str] | None,
    typer.Option("--set-one", metavar="KEY=VALUE", help="As --set, for ONE alone: index.storage=int8. Repeatable."),
]
Count = Annotated[int, typer.Option("--count", min=1, help="How many topics of either end are shown.")]
BINS = 10
"""Of the differences, to either side of 0."""
BAR = 40
TOPIC_WIDTH = 70


def compare(
    experiment: options.Experiment,
    one: One,
    other: Other,
    pair: options.Pair = None,
    count: Count = 5,
    overrides: options.Set = None,
    of_one: SetOne = None,
    cache_dir: options.CacheDir = None,
    offline: options.Offline = False,
    as_json: options.Json = False,
    debug: options.Debug = False,  # noqa: ARG001 - read at the edge, before there are options
) -> None:
    """Compare two settings on the topics of every pair: test, wins and losses, the topics that moved most.

    Reads the cache alone, and tests what `optical report` tests; p is corrected for the pairs that are compared.
    """
    from optical_cli.study import cached_duels

    pipeline = open_pipeline(experiment, overrides, cache_dir, offline=offline)
    x = pipeline.experiment
    if pair is not None and pair not in x.pairs:
        raise ConfigError(f"--pair {pair}: not in the experiment; it has {', '.join(x.pairs)}")
    changed = open_pipeline(experiment, [*(overrides or ()), *of_one], cache_dir, offline=offline) if of_one else None
    setting, reference = _setting(one, changed.experiment if changed else x, of_one), _setting(other, x)
    if setting == reference:
        raise ConfigError(f"{one} and {other}: two settings expected, found {setting.label} twice")
    found, texts = cached_duels(pipeline, setting, reference, [pair] if pair else list(x.pairs), changed)
    if not found:
        too = f", and the same with {shlex.join(word for own in of_one for word in ('--set', own))}" if of_one else ""
        raise DataError(
            f"{experiment}: no pair has scores of both {setting.label} and {reference.label} on two topics or more in "
            f"the cache; run `optical sweep {experiment}` first{too}"
        )
    if as_json:
        show.as_json([_record(duel) for duel in found])
        return
    for duel in found:
        _print_duel(duel, texts[duel.comparison.pair], count, len(found))


def _setting(text: str, experiment: "ExperimentSettings", changes: Sequence[str] | None = None) -> "Setting":
    """A setting by the name it has in the experiment file, as a variant if the file was changed for it.

    Raises:
        ConfigError: the experiment has no such setting.
    """
    from optical_cli.config.bm25 import bm25_objective
    from optical_cli.report.result import TRANSPORT, Setting, format_reg

    variant = ", ".join(changes or ())
    if (analyzer := experiment.bm25.analyzer_of(text)) and "bm25" in experiment.baselines:
        return Setting(bm25_objective(analyzer), None, variant)
    if text in experiment.baselines or text.startswith("run "):
        return Setting(text, None, variant)
    try:
        reg = float(text)
    except ValueError:
        reg = None
    if reg is None or reg not in experiment.transport.reg:
        known = ", ".join([*experiment.baselines, *map(format_reg, experiment.transport.reg)])
        raise ConfigError(f"{text}: one of the experiment's baselines or values of reg expected: {known}")
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
    from optical_cli.report.figures import effect, p_value, several, signed
    from optical_cli.report.findings.comparison import ABOVE, BELOW
    from optical_cli.report.table import FULL

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
