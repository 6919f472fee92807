import pytest

from optical_cli.encoder.pieces import pieces_of

UNIGRAM = {
    "type": "Unigram",
    "unk_id": 0,
    "vocab": [["<unk>", 0.0], ["▁", -2.0], ["a", -3.0], ["b", -9.0], ["ab", -4.0], ["▁ab", -1.0], ["xy", -5.0]],
}
WORDPIECE = {
    "type": "WordPiece",
    "unk_token": "[UNK]",
    "continuing_subword_prefix": "##",
    "vocab": {"[UNK]": 0, "[unused0]": 1, "a": 2, "##a": 3, "##b": 4, "ab": 5, "##aab": 6, "cab": 7},
}
BPE = {
    "type": "BPE",
    "unk_token": None,
    "vocab": {"a": 0, "b": 1, "c": 2, "ab": 3, "abc": 4, "bc": 5},
    "merges": [["a", "b"], ["ab", "c"], ["b", "c"]],
}


def names(pieces, ids):
    return {pieces.names[number] for number in ids}


def test_pieces_with_characters_that_have_no_piece_are_indispensable():
    unigram, wordpiece = pieces_of(UNIGRAM), pieces_of(WORDPIECE)
    assert names(unigram, unigram.indispensable) == {"<unk>", "▁", "a", "b", "xy"}  # b has the lowest score
    assert names(wordpiece, wordpiece.indispensable) == {"[UNK]", "a", "##a", "##b", "cab"}  # no c


def test_the_most_frequent_pieces_come_by_score_or_by_position():
    unigram, wordpiece = pieces_of(UNIGRAM), pieces_of(WORDPIECE)
    assert names(unigram, unigram.most_frequent(1)) == {"▁ab"}
    assert names(wordpiece, wordpiece.most_frequent(1)) == {"ab"}  # not a reserved piece


def test_the_score_of_unknown_tokens_does_not_change():
    model = {
        **UNIGRAM,
        "vocab": [*UNIGRAM["vocab"], ["ba", -12.0]],
    }  # decides the score of unknown tokens
    assert "ba" in names(pieces_of(model), pieces_of(model).indispensable)


def test_a_piece_needs_the_pieces_it_is_merged_from():
    bpe = pieces_of(BPE)
    assert names(bpe, bpe.closed({4})) == {"a", "b", "c", "ab", "abc"}


def test_merges_are_removed_with_their_pieces():
    kept = pieces_of(BPE).without({0: 0, 1: 1, 2: 2, 3: 3})
    assert kept["merges"] == [["a", "b"]]
    assert kept["vocab"] == {"a": 0, "b": 1, "c": 2, "ab": 3}


def test_merges_of_older_files_are_read():
    old = {**BPE, "merges": ["a b", "ab c", "b c"]}
    bpe = pieces_of(old)
    assert names(bpe, bpe.closed({5})) == {"b", "c", "bc"}
    assert bpe.without({1: 0, 2: 1, 5: 2})["merges"] == ["b c"]


def test_a_unigram_vocabulary_is_renumbered_by_its_order():
    cut = pieces_of(UNIGRAM).without({0: 1, 5: 0})
    assert cut["vocab"] == [["▁ab", -1.0], ["<unk>", 0.0]]
    assert cut["unk_id"] == 1


@pytest.mark.parametrize(
    "model",
    [
        {"type": "WordLevel", "vocab": {}},
        {**BPE, "end_of_word_suffix": "</w>"},
        {**BPE, "continuing_subword_prefix": "##"},
    ],
)
def test_other_kinds_of_tokenizers_are_not_trimmed(model):
    assert pieces_of(model) is None
