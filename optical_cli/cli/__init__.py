"""The command line: a client of the library, and the only part that writes to a terminal."""

from optical_cli.cli.edge import main

__all__ = ["main"]
