"""The command line: one client of the library, and the only part of it that knows of a terminal."""

from optical_cli.cli.edge import main

__all__ = ["main"]
