"""Bitext: sentences of the teacher's language, each with its translation; a file a format."""

from optical_cli.data.bitext.bitext import Bitext, open_bitext
from optical_cli.data.bitext.select import SentencePair

__all__ = ["Bitext", "SentencePair", "open_bitext"]
