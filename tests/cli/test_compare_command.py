import json
import re

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
    assert (
        text.count(" is not shown to differ from ") == text.count(" on 3 topics and 1 seed.") == 3
    )  # three topics cannot show any
    assert text.count("after Holm's correction for 3 pairs") == 3
    assert text.count(" Detectable difference: 0.") == 3
    assert "Juma buys the net" in said.out
    assert "Juma ananunua wavu" in said.out


def test_with_a_margin_equivalence_is_tested(compare):
    wide = compare("0", "inf", "--pair", "sw-en", "--set", "evaluation.margin=0.99").out
    assert "reg 0 (" in wide
    assert "Equivalence within 0.99 is " in wide
    (record,) = json.loads(compare("0", "inf", "--pair", "sw-en", "--set", "evaluation.margin=1e-9", "--json").out)
    assert record["margin"] == 1e-9
    assert record["equivalent"] is (record["corrected_equivalent"] < 0.05)
    assert record["corrected_equivalent"] == record["p_equivalent"]  # of a single pair


def test_one_pair_is_no_family(compare):
    out = compare("0", "inf", "--pair", "sw-en").out
    assert out.startswith("sw-en: reg 0 (")
    assert "Holm" not in out


def test_json_has_the_scores_of_every_topic(compare):
    (record,) = json.loads(compare("inf", "0.1", "--pair", "en-sw", "--json").out)
    assert (record["setting"], record["reference"]) == ("reg inf", "reg 0.1")
    assert {topic["topic"] for topic in record["topics"]} == {"q1", "q2", "q3"}


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["0.3", "inf"], "0.3: a baseline or a reg of mini expected, one of none, 0, 0.1, inf"),
        (["greedy", "inf"], "greedy: a baseline or a reg of mini expected"),
        (["0", "0.0"], "two different settings expected, found reg 0 twice"),
        (["0", "inf", "--pair", "sw-yo"], "--pair sw-yo: not in mini; it has sw-sw, sw-en, en-sw"),
        (["0"], "OTHER: a second setting expected, or --with EXPERIMENT for ONE of another experiment"),
        (
            ["0", "inf", "--scatter", "points.gif"],
            "--scatter points.gif: a file that ends in .svg, .png or .pdf expected",
        ),
    ],
)
def test_what_cannot_be_compared_is_one_line(compare, options, said):
    found = compare(*options)
    assert (found.code, found.out, len(found.errors)) == (2, "", 1)
    assert said in found.err


def test_without_scores_the_sweep_is_asked_for(compare, lab, tmp_path):
    found = compare("0", "inf", cache=tmp_path / "empty")
    assert (found.code, len(found.errors)) == (2, 1)
    assert f"run `optical sweep {lab.experiment}` first" in found.err


def test_both_scores_of_every_topic_are_drawn(compare, tmp_path):
    said = compare("0", "inf", "--scatter", tmp_path / "new" / "points.svg")
    assert said.code == 0
    assert said.out.splitlines()[-1] == str(tmp_path / "new" / "points.svg")
    texts = re.findall(r"<text [^>]*>([^<]*)", (tmp_path / "new" / "points.svg").read_text())
    records = json.loads(compare("0", "inf", "--json", "--scatter", tmp_path / "new" / "points.svg").out)
    for record in records:
        alike = len(record["topics"]) - record["wins"] - record["losses"]
        assert f"{record['pair']}: {record['wins']} above, {record['losses']} below, {alike} equal" in texts
    assert [path.name for path in (tmp_path / "new").iterdir()] == ["points.svg"]


@pytest.fixture(scope="module")
def others(lab):
    """Two experiments with a pair of the first one: one keeps a document a topic, one searches a part of them."""
    pair = {"sw-en": {"collection": "./data"}}
    shallow = lab.settings(name="mini-shallow", pairs=pair, retrieval={"depth": 1})
    pooled = lab.settings(name="mini-pooled", pairs={"sw-en": {**pair["sw-en"], "corpus": "pooled", "pool_size": 1}})
    elsewhere = lab.settings(name="mini-elsewhere", pairs={"en-en": {"collection": "./data"}})
    files = {content["name"]: content for content in (shallow, pooled, elsewhere)}
    return {name: lab.write(content, f"{name}.yaml") for name, content in files.items()}


@pytest.fixture
def scored(optical, others, own_swept):
    for name in ("mini-shallow", "mini-pooled"):
        assert optical("evaluate", others[name], "--objective", "none", "--cache-dir", own_swept).code == 0
    return own_swept


def test_two_experiments_are_compared_on_the_pair_that_both_have(optical, compare, others, scored):
    (record,) = json.loads(compare("none", "--with", others["mini-shallow"], "--json", cache=scored).out)
    assert (record["setting"], record["reference"]) == ("untrained start of mini", "untrained start of mini-shallow")
    there = optical("evaluate", others["mini-shallow"], "--objective", "none", "--json", "--cache-dir", scored)
    assert record["reference_mean"] == pytest.approx(json.loads(there.out)["means"]["ndcg@10"])
    said = compare("inf", "none", "--with", others["mini-shallow"], cache=scored).out
    assert "sw-en: reg inf of mini (0." in said
    assert "Holm" not in said


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["none", "--with", "mini-elsewhere"], "--with: the two experiments need a pair in common; one has sw-sw, "),
        (["none", "--with", "mini-pooled"], "sw-en: the corpora of the two experiments differ; compare experiments"),
        (["none", "--with", "mini-shallow", "--pair", "sw-sw"], "--pair sw-sw: not in mini-shallow; it has sw-en"),
        (["0", "--with", "mini-shallow"], "reg 0 of mini and reg 0 of mini-shallow on two topics or more"),
        (["greedy", "--with", "mini-shallow"], "greedy: a baseline or a reg of mini expected"),
    ],
)
def test_what_of_two_experiments_cannot_be_compared_is_one_line(compare, others, scored, options, said):
    found = compare(*(others.get(word, word) for word in options), cache=scored)
    assert (found.code, found.out, len(found.errors)) == (2, "", 1)
    assert said in found.err


def test_an_experiment_with_itself_is_no_comparison(compare, lab):
    found = compare("0", "--with", lab.experiment)
    assert (found.code, len(found.errors)) == (2, 1)
    assert "two different settings expected, found reg 0 twice" in found.err
