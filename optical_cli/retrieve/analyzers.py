r"""From a text to the words that BM25 counts. A change here bumps the version of the stage `bm25`.

Words are the longest runs of letters, digits, underscores and combining marks, in any script. Marks are part of a word
because most vowel signs of Hindi, Bengali or Telugu are marks, as are the points of Hebrew and the tones of Yoruba; the
`\w` of Python's `re` stops at every one of them. Joiners (U+200C, U+200D), which shape the letters beside them, go.
Nothing separates the words of Chinese, Japanese or Thai, where BM25 by these analyzers means little.
"""

import re
import unicodedata
from collections.abc import Callable, Mapping
from functools import cache, partial

from optical_cli.config.baselines import NEEDS_PYSTEMMER, STEMMED, Analyzer, stemmer_of
from optical_cli.errors import MissingDependency

JOINERS = {0x200C: None, 0x200D: None}
POINTS = range(10, 37)
"""Canonical combining classes of the points of Hebrew, Arabic and Syriac, which are mostly left out in writing."""
FIRST_ACCENT_CLASS = 200
"""Marks above, below or across a letter of any script. Lower classes spell: nukta 7, the voicing of kana 8, virama 9,
the vowels and tones of Telugu, Thai, Lao and Tibetan 84 to 132; vowel signs have 0."""
LAST_MARKED = 0x1FFFF
"""The marks beyond are variation selectors."""


def folding(text: str) -> list[str]:
    """Words in lower case without accents: NFKD, accents and points dropped, what is left composed again."""
    return _words(_without_accents(text))


def lower(text: str) -> list[str]:
    """Words in lower case; composed (NFC), so that one word has one spelling."""
    return _words(unicodedata.normalize("NFC", text.lower()))


def stemmed(text: str, stem: Callable[[list[str]], list[str]]) -> list[str]:
    """Words in lower case, stemmed and then without accents, which the stemmer's rules need."""
    return [_without_accents(word) for word in stem(lower(text))]


BY_NAME: Mapping[Analyzer, Callable[[str], list[str]]] = {"folding": folding, "lower": lower, "whitespace": str.split}


def analyzer(name: Analyzer, language: str) -> Callable[[str], list[str]]:
    """The function from a text to words; MissingDependency if PyStemmer is needed and not installed."""
    if name != STEMMED:
        return BY_NAME[name]
    try:
        import Stemmer
    except ImportError as error:
        raise MissingDependency(NEEDS_PYSTEMMER) from error
    return partial(stemmed, stem=Stemmer.Stemmer(stemmer_of(language)).stemWords)


def _without_accents(text: str) -> str:
    taken_apart = unicodedata.normalize("NFKD", text).lower()
    return unicodedata.normalize("NFC", "".join(c for c in taken_apart if not _is_accent(unicodedata.combining(c))))


def _is_accent(combining_class: int) -> bool:
    return combining_class >= FIRST_ACCENT_CLASS or combining_class in POINTS


def _words(text: str) -> list[str]:
    return _word().findall(text.translate(JOINERS))


@cache
def _word() -> re.Pattern[str]:
    marks = "".join(char for char in map(chr, range(LAST_MARKED + 1)) if unicodedata.category(char).startswith("M"))
    return re.compile(rf"[\w{marks}]+")
