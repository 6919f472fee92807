"""The input of an experiment: opened as the experiment names it, checked, and read as its stages need it."""

from optical_cli.sources.sources import Sources

__all__ = ["Sources"]
