"""Tables, charts and reports of a sweep, from plain rows."""

from optical_cli.report.result import Result
from optical_cli.report.table import Table, tabulate
from optical_cli.report.text_curve import text_curve
from optical_cli.report.write_report import write_report

__all__ = ["Result", "Table", "tabulate", "text_curve", "write_report"]
