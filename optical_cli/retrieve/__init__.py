"""`optical retrieve`: topics against an index, by MaxSim."""

from optical_cli.retrieve.search import search

__all__ = ["search"]
