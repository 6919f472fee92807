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
def test_words_are_lower_case_and_folding_takes_their_accents(text, folding, lower):
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
        "カメラ ガラス ぱんだ",  # voiced kana come apart under NFKD
        "한국어 단어",  # so do the syllables of Hangul
    ],
)
def test_a_mark_that_spells_neither_breaks_a_word_nor_goes(text, analyzer):
    assert BY_NAME[analyzer](text) == text.split()


@pytest.mark.parametrize(
    ("text", "folded"),
    [("كِتَابٌ", "كتاب"), ("שָׁלוֹם", "שלום"), ("हिन्दी\u200dभाषा", "हिन्दीभाषा"), ("ﬁne", "fine")],
)
def test_points_joiners_and_ligatures_are_folded(text, folded):
    assert BY_NAME["folding"](text) == [folded]


def test_one_word_has_one_spelling_however_it_is_composed():
    composed, taken_apart = "yorùbá é", "yoru\u0300ba\u0301 e\u0301"
    for analyzer in ("folding", "lower"):
        assert BY_NAME[analyzer](composed) == BY_NAME[analyzer](taken_apart)


def test_whitespace_leaves_everything_else_as_it_is():
    assert BY_NAME["whitespace"]("  Ọ̀rọ̀,\tYorùbá! ") == ["Ọ̀rọ̀,", "Yorùbá!"]


@pytest.mark.parametrize(
    ("language", "text", "words"),
    [
        ("hi", "लड़कियों की किताबें", ["लड़क", "क", "किताब"]),
        ("en", "The farmer's boats were mended.", ["the", "farmer", "s", "boat", "were", "mend"]),
        ("es", "canciones y canción", ["cancion", "y", "cancion"]),  # the rules go by ó, which folding takes
        ("fi", "kirjoissa", ["kirj"]),
    ],
)
def test_endings_go_by_the_rules_of_the_language_and_then_accents(language, text, words):
    pytest.importorskip("Stemmer")
    assert analyzer_of("stemmed", language)(text) == words


def test_every_language_that_is_said_to_have_a_stemmer_has_it():
    stemmer = pytest.importorskip("Stemmer")
    assert set(STEMMERS.values()) <= set(stemmer.algorithms())
