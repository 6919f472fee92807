r"""Analyzers: from a text to the words that BM25 counts. A change here raises the version of the stage `bm25`.

A word is a longest run of letters, digits, underscores and combining marks, in any script. Marks belong to words: most
vowel signs of Hindi, Bengali or Telugu are marks, as are the points of Hebrew and the tones of Yoruba. The `\w` of
Python's `re` stops at marks. Joiners (U+200C, U+200D), which only shape the letters beside them, are removed.

Chinese, Japanese and Thai have no separators between words, so BM25 with these analyzers is of little use for them.
"""

import re
import unicodedata
from collections.abc import Callable, Mapping
from functools import cache, partial

from optical_cli.config.baselines import NEEDS_PYSTEMMER, STEMMED, Analyzer, stemmer_of
from optical_cli.errors import MissingDependency

JOINERS = {0x200C: None, 0x200D: None}
POINTS = range(10, 37)
"""Canonical combining classes of the points of Hebrew, Arabic and Syriac, which writers usually omit."""
FIRST_ACCENT_CLASS = 200
"""First combining class of marks above, below or across a letter. Marks of lower classes are part of the spelling:
vowel signs 0, nukta 7, the voicing of kana 8, virama 9, the vowels and tones of Telugu, Thai, Lao and Tibetan 84 to
132."""
LAST_MARKED = 0x1FFFF
"""Last code point to search for marks; those beyond are variation selectors."""


def folding(text: str) -> list[str]:
    """Split a text into words in lower case without accents and points, by NFKD and composed again (NFC)."""
    return _words(_without_accents(text))


def lower(text: str) -> list[str]:
    """Split a text into words in lower case, composed (NFC) so that each word has one spelling."""
    return _words(unicodedata.normalize("NFC", text.lower()))


def stemmed(text: str, stem: Callable[[list[str]], list[str]]) -> list[str]:
    """Split a text into words in lower case, stem them, and then remove accents, which the stemmer needs."""
    return [_without_accents(word) for word in stem(lower(text))]


BY_NAME: Mapping[Analyzer, Callable[[str], list[str]]] = {"folding": folding, "lower": lower, "whitespace": str.split}


def analyzer(name: Analyzer, language: str) -> Callable[[str], list[str]]:
    """Return the function that splits texts of a language into words.

    Raises:
        MissingDependency: the analyzer needs PyStemmer, which is not installed.
    """
    if name != STEMMED:
        return BY_NAME[name]
    try:
        import Stemmer
    except ImportError as error:
        raise MissingDependency(NEEDS_PYSTEMMER) from error
    return partial(stemmed, stem=Stemmer.Stemmer(stemmer_of(language)).stemWords)


def _without_accents(text: str) -> str:
    decomposed = unicodedata.normalize("NFKD", text).lower()
    return unicodedata.normalize("NFC", "".join(c for c in decomposed if not _is_accent(unicodedata.combining(c))))


def _is_accent(combining_class: int) -> bool:
    return combining_class >= FIRST_ACCENT_CLASS or combining_class in POINTS


def _words(text: str) -> list[str]:
    return _word().findall(text.translate(JOINERS))


@cache
def _word() -> re.Pattern[str]:
    marks = "".join(char for char in map(chr, range(LAST_MARKED + 1)) if unicodedata.category(char).startswith("M"))
    return re.compile(rf"[\w{marks}]+")
