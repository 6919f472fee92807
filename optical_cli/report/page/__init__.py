"""The report as one self-contained HTML page."""

from optical_cli.report.page.render import page

__all__ = ["page"]
