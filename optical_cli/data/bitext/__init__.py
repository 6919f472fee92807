"""Bitext: sentences of the teacher's language and their translations. `config/bitext_formats.py` has the formats."""

from optical_cli.data.bitext.bitext import Bitext, SentencePair, Split, open_bitext, record_dropped, split_bitext

__all__ = ["Bitext", "SentencePair", "Split", "open_bitext", "record_dropped", "split_bitext"]
