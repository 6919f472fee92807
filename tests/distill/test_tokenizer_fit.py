import pytest

from optical_cli.distill.tokenizer_fit import TokenizerFit, report_fit, tokenizer_fit


@pytest.fixture
def fit_of(lab):
    """Measure the mini teacher, whose tokenizer has a token for each word of the mini world and [UNK] for others."""
    return lambda *sentences, max_length=16: tokenizer_fit(lab.teacher, sentences, "query", max_length)


def test_known_words_are_one_token_each(fit_of):
    assert fit_of("Amina anatengeneza mashua", "Juma ananunua wavu") == TokenizerFit(2, 1.0, 0.0, 0.0)


def test_unknown_tokens_and_pieces_of_words_are_counted_by_hand(fit_of):
    # "jambo" and the full stop's neighbour "rafiki" are two of six tokens; "mashua." is one word and two tokens
    fit = fit_of("jambo Amina", "Juma rafiki mashua.")
    assert (fit.sentences, fit.unknown_share, fit.tokens_per_word) == (2, round(2 / 6, 5), 1.2)


def test_special_tokens_count_towards_the_maximum_length(fit_of):
    sentences = ("Juma", "Juma ananunua", "Juma ananunua wavu", "Juma ananunua wavu mashua")
    assert [fit_of(*sentences, max_length=length).cut_share for length in (6, 5, 4, 3)] == [0, 0.25, 0.5, 0.75]


def test_a_script_without_spaces_has_no_tokens_per_word(fit_of):
    assert fit_of("船は夜明けに修理される", "ナイロビ mashua").tokens_per_word is None
    assert fit_of("Amina anatengeneza mashua ya ナイロビ").tokens_per_word is not None


@pytest.mark.parametrize(
    ("fit", "warnings"),
    [
        (TokenizerFit(10, 4.0, 0.01, 1.0), []),
        (TokenizerFit(10, None, 0.0, 0.0), []),
        (
            TokenizerFit(10, 1.5, 0.0312, 0.0),
            ["3.1% of the tokens of yo are unknown to the student's tokenizer (more than 1%); "],
        ),
        (
            TokenizerFit(10, 5.25, 0.0, 0.0),
            ["the student's tokenizer cuts a word of yo into 5.2 tokens on average (more than 4); "],
        ),
    ],
)
def test_a_poor_fit_is_warned_of_and_every_fit_goes_into_the_manifest(fit, warnings):
    printed: list[str] = []
    assert report_fit(fit, "student", "yo", printed.append) == {
        "sentences": 10,
        "tokens_per_word": fit.tokens_per_word,
        "unknown_share": fit.unknown_share,
        "cut_share": fit.cut_share,
    }
    assert printed == [f"{line}choose a student whose tokenizer was trained on yo" for line in warnings]
