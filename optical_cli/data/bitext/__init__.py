"""Bitext: sentences in the teacher's language and their translations, in the formats of `config/bitext_formats.py`."""

from optical_cli.data.bitext.bitext import Bitext, SentencePair, Split, open_bitext, record_dropped, split_bitext

__all__ = ["Bitext", "SentencePair", "Split", "open_bitext", "record_dropped", "split_bitext"]
