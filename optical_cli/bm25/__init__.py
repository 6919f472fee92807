"""The baseline that matches words: BM25, without an encoder."""

from optical_cli.bm25.search import search

__all__ = ["search"]
