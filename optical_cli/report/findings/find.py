"""From results to findings."""

from collections.abc import Collection, Sequence
from functools import partial

import numpy as np

from optical_cli.artifacts.result import Result, Setting
from optical_cli.report.findings.choice import choose
from optical_cli.report.findings.comparison import compare
from optical_cli.report.findings.findings import Findings
from optical_cli.report.findings.gaps import gaps
from optical_cli.report.findings.group import Group, groups_of, rng_of
from optical_cli.report.findings.interactions import interactions
from optical_cli.report.findings.interval import Interval
from optical_cli.report.findings.movers import movers
from optical_cli.report.statistics.bootstrap import bootstrap_intervals

MOST_REFERENCES = 26  # a letter each


def find(
    results: Sequence[Result],
    measures: Sequence[str],
    tested: str,
    *,
    reference: Sequence[str | float] | None = None,
    seed: int = 13,
    low_resource: Collection[str] = (),
) -> Findings:
    """Everything a report says of the per-topic scores.

    Args:
        results: of the cells of a sweep; those without scores are left out.
        measures: those that get intervals.
        tested: the one of them that is tested.
        reference: baselines and values of reg to test against; None for each baseline and reg inf.
        seed: of all resampling.
        low_resource: names of the pairs that are.
    """
    draw = partial(rng_of, seed)
    groups = groups_of(results)
    references = _references(groups, reference)
    regs = dict.fromkeys(setting for group in groups for setting in group.regs)
    wanted = [(setting, other) for other in references for setting in regs if setting != other]
    choices = [(group, choice) for group in groups if (choice := choose(group, tested, draw))]
    return Findings(
        measure=tested,
        references=references,
        intervals={
            named: interval
            for group in groups
            if len(group.topics) > 1
            for named, interval in _intervals(group, measures, draw("mean", group)).items()
        },
        comparisons=compare(groups, wanted, tested, draw),
        interactions=interactions(groups, tested, draw),
        choices=tuple(choice for _, choice in choices),
        moved=tuple(moved for group, choice in choices if (moved := movers(group, choice, references, tested))),
        seed=seed,
        gaps=gaps(groups, low_resource, references, tested, seed),
    )


def _references(groups: Sequence[Group], wanted: Sequence[str | float] | None) -> tuple[Setting, ...]:
    """Those that any pair has, in the order asked for, or else of tables."""
    there = sorted({setting for group in groups for setting in group.results}, key=lambda setting: setting.rank)
    if wanted is None:
        found = [setting for setting in there if setting.reg is None or setting.reg == np.inf]
    else:
        found = [setting for one in wanted for setting in there if one in (setting.reg, setting.baseline)]
    return tuple(found[:MOST_REFERENCES])


def _intervals(
    group: Group, measures: Sequence[str], rng: np.random.Generator
) -> dict[tuple[str, str, Setting, str], Interval]:
    named = [(setting, measure) for setting in group.results for measure in measures]
    ends = bootstrap_intervals([group.scores(setting, measure) for setting, measure in named], rng)
    return {
        (group.pair, group.corpus, setting, measure): Interval(float(low), float(high))
        for (setting, measure), (low, high) in zip(named, ends, strict=True)
    }
