"""What the scores of a sweep say, and how certain it is; the sentences about that are in `significance`."""

from optical_cli.report.findings.choice import BitextChoice, Choice, Movers
from optical_cli.report.findings.comparison import Comparison, Duel, Mover, duels
from optical_cli.report.findings.find import Findings, find
from optical_cli.report.findings.group import Interval
from optical_cli.report.findings.pairs import Gap, Gaps, Interaction

__all__ = [
    "BitextChoice", "Choice", "Comparison", "Duel", "Findings", "Gap", "Gaps", "Interaction", "Interval", "Mover",
    "Movers", "duels", "find",
]  # fmt: skip
