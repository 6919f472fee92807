"""The language that texts look like, guessed by py3langid where it is installed."""

from collections import Counter
from collections.abc import Sequence
from importlib.util import find_spec
from typing import NamedTuple

SAMPLE = 200
"""Texts that a guess looks at."""
CLEAR = 0.8
"""Share of the texts that have to look like another language before the expected one is doubted."""


class Guess(NamedTuple):
    """The language that most of some texts look like, and their share."""

    language: str
    share: float


def looks_like_another(texts: Sequence[str], language: str) -> Guess | None:
    """Guess the language of texts; None if it may be the expected one, or nothing can tell.

    Args:
        texts: sentences, of which the first `SAMPLE` are looked at.
        language: the expected code, such as `sw`; codes that py3langid does not know are never doubted.
    """
    if not texts or not can_guess(language):
        return None
    import py3langid

    sample = texts[:SAMPLE]
    found = Counter(py3langid.classify(text)[0] for text in sample)
    likeliest, count = found.most_common(1)[0]
    if likeliest == language or count < CLEAR * len(sample):
        return None
    return Guess(likeliest, count / len(sample))


def can_guess(language: str) -> bool:
    """Return whether py3langid is installed and knows a language."""
    if find_spec("py3langid") is None:
        return False
    import py3langid

    return language in {code for code, _ in py3langid.rank("")}
