import json

import pytest


@pytest.fixture
def compare(optical, lab, swept):
    def run(*options, cache=swept):
        return optical("compare", lab.experiment, *options, "--cache-dir", cache)

    return run


def test_every_pair_has_its_test_its_histogram_and_its_topics(compare):
    said = compare("0.1", "none")
    assert said.code == 0
    text = " ".join(said.out.split())
    assert text.count(" on 3 topics and 1 seed; no difference shown: ") == 3  # three topics cannot show any
    assert text.count("after Holm's correction for 3 pairs") == 3
    assert "Juma buys the net" in said.out
    assert "Juma ananunua wavu" in said.out


def test_one_pair_is_no_family(compare):
    out = compare("0", "inf", "--pair", "sw-en").out
    assert out.startswith("sw-en: reg 0 ")
    assert "Holm" not in out


def test_json_has_the_scores_of_every_topic(compare):
    (record,) = json.loads(compare("inf", "0.1", "--pair", "en-sw", "--json").out)
    assert (record["setting"], record["reference"]) == ("reg inf", "reg 0.1")
    assert {topic["topic"] for topic in record["topics"]} == {"q1", "q2", "q3"}


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["0.3", "inf"], "0.3: one of the experiment's baselines or values of reg expected: none, 0, 0.1, inf"),
        (["greedy", "inf"], "greedy: one of the experiment's baselines or values of reg expected"),
        (["0", "0.0"], "two settings expected, found reg 0 twice"),
        (["0", "inf", "--pair", "sw-yo"], "--pair sw-yo: not in the experiment; it has sw-sw, sw-en, en-sw"),
    ],
)
def test_what_cannot_be_compared_is_one_line(compare, options, said):
    found = compare(*options)
    assert (found.code, found.out, len(found.errors)) == (2, "", 1)
    assert said in found.err


def test_without_scores_the_sweep_is_asked_for(compare, tmp_path):
    found = compare("0", "inf", cache=tmp_path / "empty")
    assert (found.code, len(found.errors)) == (2, 1)
    assert "run `optical sweep" in found.err
