"""From results to findings, for every part of a report to look up."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from string import ascii_lowercase

import numpy as np

from optical_cli.artifacts.result import Result, Setting, in_order
from optical_cli.report.findings.choice import Choice, Movers, choose, movers
from optical_cli.report.findings.comparison import ABOVE, BELOW, Comparison, compare
from optical_cli.report.findings.group import Group, Interval, RngOf, groups_of, rng_of
from optical_cli.report.findings.pairs import Gaps, Interaction, gaps, interactions
from optical_cli.report.statistics import bootstrap_intervals


@dataclass(frozen=True)
class Findings:
    """What the scores of a sweep say."""

    measure: str  # the one that is tested; others have intervals only
    references: tuple[Setting, ...]  # what every reg was compared with
    intervals: Mapping[tuple[str, str, Setting, str], Interval]  # by pair, corpus, setting and measure
    comparisons: tuple[Comparison, ...]  # one family of tests
    interactions: tuple[Interaction, ...]
    choices: tuple[Choice, ...]  # for each pair that has several values of reg
    moved: tuple[Movers, ...]  # for each pair with a choice and a reference
    seed: int  # of all resampling
    gaps: tuple[Gaps, ...] = ()  # for each corpus mode with low-resource pairs and others

    def letter(self, setting: Setting) -> str:
        """What stands for a reference in marks: a, b, c; nothing for other settings."""
        return ascii_lowercase[self.references.index(setting)] if setting in self.references else ""

    def marks(self, pair: str, corpus: str, setting: Setting) -> str:
        """`▲ab▼c`: above the references a and b, below c; nothing where no difference was shown."""
        letters = {ABOVE: "", BELOW: ""}
        for one in self.comparisons:
            if one.mark and (one.pair, one.corpus, one.setting) == (pair, corpus, setting):
                letters[one.mark] += self.letter(one.reference)
        return "".join(mark + own for mark, own in letters.items() if own)


def find(
    results: Sequence[Result],
    measures: Sequence[str],
    tested: str,
    *,
    reference: Sequence[str | float] | None = None,
    seed: int = 13,
    low_resource: Collection[str] = (),
) -> Findings:
    """Everything a report says of the per-topic scores; results without scores are left out.

    All `measures` get intervals, and the one that is `tested` is tested against the baselines and values of reg in
    `reference`, by default each baseline and reg inf. `low_resource` are names of pairs.
    """
    draw = partial(rng_of, seed)
    groups = groups_of(results)
    references = _references(groups, reference)
    regs = dict.fromkeys(setting for group in groups for setting in group.regs)
    wanted = [(setting, other) for other in references for setting in regs if setting != other]
    choices = [(group, choice) for group in groups if (choice := choose(group, tested, draw))]
    return Findings(
        measure=tested, references=references, seed=seed,
        intervals=dict(_intervals(groups, measures, draw)),
        comparisons=compare(groups, wanted, tested, draw),
        interactions=interactions(groups, tested, draw),
        choices=tuple(choice for _, choice in choices),
        moved=tuple(moved for group, choice in choices if (moved := movers(group, choice, references, tested))),
        gaps=gaps(groups, low_resource, references, tested, draw),
    )  # fmt: skip


def _references(groups: Sequence[Group], wanted: Sequence[str | float] | None) -> tuple[Setting, ...]:
    """The references that any pair has, in the order asked for, or else of tables; at most as many as letters."""
    there = in_order(setting for group in groups for setting in group.results)
    if wanted is None:
        found = [setting for setting in there if setting.reg is None or setting.reg == np.inf]
    else:
        found = [setting for one in wanted for setting in there if one in (setting.reg, setting.baseline)]
    return tuple(found[: len(ascii_lowercase)])


def _intervals(
    groups: Sequence[Group], measures: Sequence[str], draw: RngOf
) -> Iterator[tuple[tuple[str, str, Setting, str], Interval]]:
    for group in groups:
        if len(group.topics) > 1:
            named = [(setting, measure) for setting in group.results for measure in measures]
            ends = bootstrap_intervals([group.scores(*one) for one in named], draw("mean", group))
            for one, (low, high) in zip(named, ends.tolist(), strict=True):
                yield (group.pair, group.corpus, *one), Interval(low, high)
