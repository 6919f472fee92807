"""The sentences a student learns from."""

from optical_cli.config.settings import Count, CountFromZero, Settings, Sources


class Bitext(Settings):
    """Sentences in the teacher's language and their translations.

    Attributes:
        source: a TSV, two line-aligned files (plain or .gz), or `builtin:tiny`.
        max_pairs: train on at most so many, a seeded sample; null for all.
        held_out: so many pairs are kept from training and watched.
    """

    source: Sources
    max_pairs: Count | None = None
    held_out: CountFromZero = 500
