"""Plans against word alignments that people made."""

import json

import numpy as np
import pytest

from optical_cli.align.aligned_pair import AlignedPair
from optical_cli.align.gold import GoldPair, Sentence, agreement, mutual, read_gold, threshold, word_plan
from optical_cli.errors import DataError

ENGLISH = "Amina mends the boat\nJuma buys the net\n"
SWAHILI = "Amina anatengeneza mashua\nJuma ananunua wavu\n"
FORMS = {
    "one link a line, from 1": "1 1 1\n1 2 2\n1 4 3\n1 3 3 P\n2 1 1 S\n",
    "Pharaoh, from 0": "0-0 1-1 3-2 2p2\n0-0\n",
}


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "test.en").write_text(ENGLISH)
    (tmp_path / "test.sw").write_text(SWAHILI)
    (tmp_path / "align.txt").write_text(FORMS["one link a line, from 1"])
    return tmp_path


@pytest.mark.parametrize("links", FORMS.values(), ids=FORMS)
def test_both_formats_of_links_are_read(folder, links):
    (folder / "align.txt").write_text(links)
    first, second = read_gold(folder, "en", "sw")
    assert first.sentence == Sentence("gold 1", "Amina mends the boat", "Amina anatengeneza mashua")
    assert (first.sure, first.possible) == ({(0, 0), (1, 1), (3, 2)}, {(0, 0), (1, 1), (3, 2), (2, 2)})
    assert (second.sure, second.possible) == ({(0, 0)}, {(0, 0)})


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        (
            "align.txt",
            "1 1 1\n1 9 1\n",
            "align.txt, line 2: expected words of the sentences, found line 1, words 9 and 1",
        ),
        ("align.txt", "3 1 1\n", "align.txt, line 1: expected words of the sentences, found line 3"),
        ("align.txt", "1 0 1\n", "align.txt, line 1: expected numbers from 1, found '1 0 1'"),
        ("align.txt", "1 1\n", "align.txt, line 1: expected 3 columns, line, word and word, found 2"),
        ("align.txt", "Amina Amina\n", "align.txt, line 1: expected links, found 'Amina Amina'; write `0-0 1p2`, or"),
        ("test.sw", "Amina\n", "as many sentences in both languages expected, found 2 in test.en and 1 in test.sw"),
        ("more.en", "x\n", "one file of sentences that ends in .en expected, found more.en, test.en"),
        ("other.txt", "1 1 1\n", "one file of links beside the sentences expected, found align.txt, other.txt"),
    ],
)
def test_files_that_cannot_be_right_are_one_line(folder, name, content, said):
    (folder / name).write_text(content)
    with pytest.raises(DataError) as found:
        read_gold(folder, "en", "sw")
    assert said in str(found.value)


def gold(sure, possible=()):
    return GoldPair(Sentence("gold 1", "a b c", "x y z"), frozenset(sure), frozenset({*sure, *possible}))


def test_the_error_rate_is_that_of_och_and_ney():
    # |A & S| = 1, |A & P| = 2, |A| = 3, |S| = 2
    found = agreement([gold({(0, 0), (1, 1)}, {(1, 2)})], [{(0, 0), (1, 2), (2, 2)}], seed=1)
    assert found.aer == pytest.approx(1 - (1 + 2) / (3 + 2))
    assert (found.precision, found.recall, found.links) == (pytest.approx(2 / 3), 0.5, 3)
    assert found.f1 == pytest.approx(2 * (2 / 3) * 0.5 / (2 / 3 + 0.5))
    assert found.interval == (found.aer, found.aer)  # of a single pair


def test_no_link_at_all_and_every_link_are_the_ends():
    pairs = [gold({(0, 0)}), gold({(1, 1), (2, 2)})]
    assert agreement(pairs, [set(), set()], seed=1).aer == 1.0
    right = agreement(pairs, [{(0, 0)}, {(1, 1), (2, 2)}], seed=1)
    assert (right.aer, right.f1, right.interval) == (0.0, 1.0, (0.0, 0.0))
    half = agreement(pairs, [{(0, 0)}, set()], seed=1)  # counted over all pairs, not averaged over them
    assert half.aer == pytest.approx(1 - 2 / 4)
    assert half.interval[0] == 0.0 < half.aer < half.interval[1] == 1.0


def test_the_mass_of_a_word_is_that_of_its_tokens():
    pair = AlignedPair(
        "p", "the boats", "mashua hiyo", ("[CLS]", "the", "boat", "##s"), ("mashua", "hi", "##yo"), (), (), (),
        teacher_places=(-1, 0, 4, 8), student_places=(0, 7, 9),
    )  # fmt: skip
    plan = np.arange(12.0).reshape(4, 3)
    assert word_plan(pair, plan).tolist() == [[3, 4 + 5], [6 + 9, 7 + 8 + 10 + 11]]


def test_a_tokenizer_that_places_no_tokens_is_refused():
    pair = AlignedPair("gold 3", "a", "b", ("a",), ("b",), (1.0,), (1.0,), ())
    with pytest.raises(DataError, match="gold 3: the tokenizer does not tell where"):
        word_plan(pair, np.ones((1, 1)))


def test_links_are_mutual_or_above_a_share_in_both_directions():
    mass = np.array([[0.30, 0.05, 0.0], [0.10, 0.20, 0.0], [0.25, 0.05, 0.0]])
    assert mutual(mass) == {(0, 0), (1, 1)}
    assert threshold(mass) == {(0, 0), (1, 1), (2, 0)}  # .10 of .65 and .05 of .30 are below a fifth
    assert mutual(np.zeros((2, 2))) == threshold(np.zeros((2, 2))) == set()


@pytest.mark.parametrize("links", ["mutual", "threshold"])
def test_every_reg_is_scored_by_its_own_student(folder, lab, optical, swept, links):
    options = ("--pair", "sw-sw", "--gold", folder, "--links", links, "--cache-dir", swept)
    said = optical("align", lab.experiment, *options)
    assert said.code == 0, said.err
    assert "AER" in said.out
    assert "2 sentences, 5 links of people" in said.out
    record = json.loads(optical("align", lab.experiment, *options, "--json").out)
    assert [one["reg"] for one in record["agreement"]] == [0, 0.1, "inf"]
    for one in record["agreement"]:
        assert 0 <= one["interval"][0] <= one["aer"] <= one["interval"][1] <= 1
        assert one["effective_targets"] >= 1
        assert one["unconverged"] == 0


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--links", "half"], "--links half: mutual or threshold expected"),
        (["--count", "3"], "--gold: brings its own sentences; leave out --rows, --count, --text and --translation"),
    ],
)
def test_what_cannot_be_is_told_in_a_line(folder, lab, optical, swept, options, said):
    found = optical("align", lab.experiment, "--pair", "sw-sw", "--gold", folder, *options, "--cache-dir", swept)
    assert found.code == 2
    assert said in found.err
