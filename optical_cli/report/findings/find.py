"""What the scores of a sweep say, for every part of a report to look up."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property, partial
from string import ascii_lowercase

import numpy as np

from optical_cli.artifacts.result import Result, Setting, in_order
from optical_cli.report.findings.choice import Choice, Movers, choose, movers
from optical_cli.report.findings.comparison import ABOVE, BELOW, EQUIVALENT, Comparison, compare
from optical_cli.report.findings.group import Group, Interval, RngOf, groups_of, rng_of
from optical_cli.report.findings.pairs import Gaps, Interaction, gaps, interactions
from optical_cli.report.statistics import bootstrap_intervals


@dataclass(frozen=True)
class Findings:
    """What the scores of a sweep say.

    Attributes:
        measure: The tested measure; other measures have intervals only.
        references: The settings that every reg is compared with.
        intervals: 95 % intervals of means, by pair, corpus, setting and measure.
        comparisons: All tests of the report, which p is corrected for together.
        choices: One for each pair with several values of reg.
        moved: One for each pair with a choice and a reference.
        seed: Seed of all resampling.
        gaps: One for each corpus mode that has low-resource pairs and others.
    """

    measure: str
    references: tuple[Setting, ...]
    intervals: Mapping[tuple[str, str, Setting, str], Interval]
    comparisons: tuple[Comparison, ...]
    interactions: tuple[Interaction, ...]
    choices: tuple[Choice, ...]
    moved: tuple[Movers, ...]
    seed: int
    gaps: tuple[Gaps, ...] = ()

    def letter(self, setting: Setting) -> str:
        """Return the letter of a reference in marks: a, b, c; nothing for other settings."""
        return ascii_lowercase[self.references.index(setting)] if setting in self.references else ""

    def marks(self, pair: str, corpus: str, setting: Setting) -> str:
        """`▲ab▼c≡d`: above the references a and b, below c, equivalent to d; nothing if nothing is shown."""
        return self._marks.get((pair, corpus, setting), "")

    @cached_property
    def _marks(self) -> dict[tuple[str, str, Setting], str]:
        letters: dict[tuple[str, str, Setting], dict[str, str]] = {}
        for one in self.comparisons:
            if mark := one.mark or (EQUIVALENT if one.equivalent else ""):
                own = letters.setdefault((one.pair, one.corpus, one.setting), {ABOVE: "", BELOW: "", EQUIVALENT: ""})
                own[mark] += self.letter(one.reference)
        return {
            place: "".join(mark + references for mark, references in own.items() if references)
            for place, own in letters.items()
        }


def find(
    results: Sequence[Result],
    measures: Sequence[str],
    tested: str,
    *,
    reference: Sequence[str | float] | None = None,
    seed: int = 13,
    low_resource: Collection[str] = (),
    margin: float | None = None,
) -> Findings:
    """Compute everything that a report says about the per-topic scores; results without scores are left out.

    Args:
        measures: Measures to compute intervals of.
        tested: The measure to test.
        reference: Baselines and values of reg to test every reg against; by default each baseline and reg inf.
        seed: Seed of all resampling.
        low_resource: Names of the low-resource pairs.
        margin: Largest difference that is too small to matter; None for no tests of equivalence.
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
        comparisons=compare(groups, wanted, tested, draw, margin),
        interactions=interactions(groups, tested, draw),
        choices=tuple(choice for _, choice in choices),
        moved=tuple(moved for group, choice in choices if (moved := movers(group, choice, references, tested))),
        gaps=gaps(groups, low_resource, references, tested, draw),
    )  # fmt: skip


def _references(groups: Sequence[Group], wanted: Sequence[str | float] | None) -> tuple[Setting, ...]:
    """Return the references that any pair has, in the given order or that of tables; no more than there are letters."""
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
