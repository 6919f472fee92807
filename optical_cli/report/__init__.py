"""Tables, charts and reports of a sweep, from plain rows.

`optical sweep` shows what is exported here, so nothing here imports numpy. Findings and written reports need numpy and
more: import them from their modules.
"""

from optical_cli.artifacts.result import Result
from optical_cli.report.table import Table, tabulate
from optical_cli.report.text_curve import text_curve

__all__ = ["Result", "Table", "tabulate", "text_curve"]
