"""`optical index`: encode a collection into an index of token embeddings."""

from optical_cli.index.build import build_index

__all__ = ["build_index"]
