"""Alignments of the tokens of a sentence and its translation, for people to look at."""
