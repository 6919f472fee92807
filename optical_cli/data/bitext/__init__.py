"""Bitext: sentences of the teacher's language, each with its translation. `FORMATS` of config.bitext is the table."""

from optical_cli.data.bitext.bitext import Bitext, SentencePair, Split, open_bitext, record_dropped, split_bitext

__all__ = ["Bitext", "SentencePair", "Split", "open_bitext", "record_dropped", "split_bitext"]
