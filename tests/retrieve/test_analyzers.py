import pytest

from optical_cli.config.baselines import STEMMERS
from optical_cli.retrieve.analyzers import BY_NAME
from optical_cli.retrieve.analyzers import analyzer as analyzer_of


@pytest.mark.parametrize(
    ("text", "folding", "lower"),
    [
        ("Ọ̀rọ̀ Yorùbá, àti Gẹ̀ẹ́sì!", ["oro", "yoruba", "ati", "geesi"], ["ọ̀rọ̀", "yorùbá", "àti", "gẹ̀ẹ́sì"]),
        ("Mt. Kenya's 5,199 m", ["mt", "kenya", "s", "5", "199", "m"], ["mt", "kenya", "s", "5", "199", "m"]),
        ("ÅNGSTRÖM straße", ["angstrom", "straße"], ["ångström", "straße"]),
    ],
)
def test_words_are_lower_case_and_folding_removes_accents(text, folding, lower):
    assert BY_NAME["folding"](text) == folding
    assert BY_NAME["lower"](text) == lower


@pytest.mark.parametrize("analyzer", ["folding", "lower"])
@pytest.mark.parametrize(
    "text",
    [
        "हिन्दी में किताबें",  # vowel signs, virama, anusvara
        "বাংলা ভাষার ইতিহাস",
        "తెలుగు భాష",
        "தமிழ் மொழி",
        "ภาษาไทย ที่ไหน",  # tone marks
        "カメラ ガラス ぱんだ",  # NFKD decomposes voiced kana
        "한국어 단어",  # NFKD decomposes the syllables of Hangul
    ],
)
def test_marks_of_the_spelling_stay_within_their_word(text, analyzer):
    assert BY_NAME[analyzer](text) == text.split()


@pytest.mark.parametrize(
    ("text", "folded"),
    [("كِتَابٌ", "كتاب"), ("שָׁלוֹם", "שלום"), ("हिन्दी\u200dभाषा", "हिन्दीभाषा"), ("ﬁne", "fine")],
)
def test_points_joiners_and_ligatures_are_folded(text, folded):
    assert BY_NAME["folding"](text) == [folded]


def test_composed_and_decomposed_words_are_equal():
    composed, decomposed = "yorùbá é", "yoru\u0300ba\u0301 e\u0301"
    for analyzer in ("folding", "lower"):
        assert BY_NAME[analyzer](composed) == BY_NAME[analyzer](decomposed)


def test_whitespace_only_splits():
    assert BY_NAME["whitespace"]("  Ọ̀rọ̀,\tYorùbá! ") == ["Ọ̀rọ̀,", "Yorùbá!"]


@pytest.mark.parametrize(
    ("language", "text", "words"),
    [
        ("hi", "लड़कियों की किताबें", ["लड़क", "क", "किताब"]),
        ("en", "The farmer's boats were mended.", ["the", "farmer", "s", "boat", "were", "mend"]),
        ("es", "canciones y canción", ["cancion", "y", "cancion"]),  # the rules need the ó, which folding removes
        ("fi", "kirjoissa", ["kirj"]),
    ],
)
def test_stemming_follows_the_language_and_accents_are_removed_after_it(language, text, words):
    pytest.importorskip("Stemmer")
    assert analyzer_of("stemmed", language)(text) == words


def test_every_stemmer_of_the_table_exists():
    stemmer = pytest.importorskip("Stemmer")
    assert set(STEMMERS.values()) <= set(stemmer.algorithms())
