"""What a sweep's scores say, and how sure they are of it."""

from optical_cli.report.findings.choice import BitextChoice, Choice
from optical_cli.report.findings.comparison import Comparison
from optical_cli.report.findings.duels import Duel, duels
from optical_cli.report.findings.find import find
from optical_cli.report.findings.findings import Findings
from optical_cli.report.findings.gaps import Gap, Gaps
from optical_cli.report.findings.interactions import Interaction
from optical_cli.report.findings.interval import Interval
from optical_cli.report.findings.movers import Mover, Movers

__all__ = [
    "BitextChoice", "Choice", "Comparison", "Duel", "Findings", "Gap", "Gaps", "Interaction", "Interval", "Mover",
    "Movers", "duels", "find",
]  # fmt: skip
