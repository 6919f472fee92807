"""Tables, charts and reports of a sweep, from plain rows.

Here is what a sweep shows; what takes numpy or more, as findings and written reports do, is imported from its module.
"""

from optical_cli.artifacts.result import Result
from optical_cli.report.table import Table, tabulate, text_curve

__all__ = ["Result", "Table", "tabulate", "text_curve"]
