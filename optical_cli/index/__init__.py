"""`optical index`: the token embeddings of a collection."""

from optical_cli.index.build import build_index

__all__ = ["build_index"]
