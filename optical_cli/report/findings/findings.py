"""All that was found, for every part of a report to look up."""

from collections.abc import Mapping
from dataclasses import dataclass
from string import ascii_lowercase

from optical_cli.artifacts.result import Setting
from optical_cli.report.findings.choice import Choice
from optical_cli.report.findings.comparison import ABOVE, BELOW, Comparison
from optical_cli.report.findings.gaps import Gaps
from optical_cli.report.findings.interactions import Interaction
from optical_cli.report.findings.interval import Interval
from optical_cli.report.findings.movers import Movers


@dataclass(frozen=True)
class Findings:
    """What the scores of a sweep say.

    Attributes:
        measure: the one that is tested; others have intervals only.
        references: what every reg was compared with.
        intervals: by pair, corpus, setting and measure.
        comparisons: one family of tests.
        interactions: of reg and pair.
        choices: of a reg, for each pair that has several.
        moved: topics, for each pair with a choice and a reference.
        seed: of all resampling.
        gaps: between low-resource pairs and others, for each corpus mode that has both.
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
        """What stands for a reference in marks: a, b, c; nothing for other settings."""
        return ascii_lowercase[self.references.index(setting)] if setting in self.references else ""

    def marks(self, pair: str, corpus: str, setting: Setting) -> str:
        """`▲ab▼c`: above the references a and b, below c; nothing where no test says so."""
        own = [c for c in self.comparisons if (c.pair, c.corpus, c.setting) == (pair, corpus, setting)]
        return "".join(
            mark + "".join(letters)
            for mark in (ABOVE, BELOW)
            if (letters := [self.letter(comparison.reference) for comparison in own if comparison.mark == mark])
        )
