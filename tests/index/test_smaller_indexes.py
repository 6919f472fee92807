"""Experiments with a smaller index (int8, pooled tokens), from the command line."""

import json

import pytest

from optical_cli.artifacts.result import Result
from optical_cli.cli.records import result_record
from optical_cli.config.experiment import Index

SMALLER = ["--set", "index.storage=int8", "--set", "index.pool_factor=2"]


@pytest.fixture(scope="module")
def cache(tmp_path_factory):
    return tmp_path_factory.mktemp("cache")


@pytest.fixture
def experiment(lab):
    pairs = {"sw-sw": {"collection": "./data"}, "sw-en": {"collection": "./data"}}
    content = lab.settings(name="mini-small", pairs=pairs, baselines=["bm25", "none"], transport={"reg": [0.1]})
    return lab.write(content, "small.yaml")


@pytest.fixture(scope="module")
def once():
    return {}


@pytest.fixture
def scored(experiment, optical, cache, once):
    """Scores of the untrained student with the whole and with the smaller index, and scores of BM25."""
    if not once:
        for settings in ([], SMALLER):
            for pair in ("sw-sw", "sw-en"):
                of_pair = ["--objective", "none", "--pair", pair, *settings]
                assert optical("evaluate", experiment, *of_pair, "--cache-dir", cache).code == 0
        words = ["--objective", "bm25", "--pair", "sw-sw"]
        assert optical("evaluate", experiment, *words, "--cache-dir", cache).code == 0
        once["done"] = True


@pytest.mark.usefixtures("scored")
def test_a_report_marks_and_explains_runs_of_a_smaller_index(experiment, optical, cache, tmp_path):
    def reported(*settings):
        return optical("report", experiment, *settings, "--cache-dir", cache, "-o", tmp_path / "report")

    whole = reported()
    assert (whole.code, "‡" in whole.out) == (0, False)
    smaller = reported(*SMALLER)
    assert (smaller.code, smaller.errors) == (0, [])
    names = ("BM25 folding", "untrained start")
    lines = [line.strip() for line in smaller.out.splitlines()]
    marked = {name: "‡" in line for name in names for line in lines if line.startswith(name)}
    assert marked == {"BM25 folding": False, "untrained start": True}
    note = "‡ The index keeps less of the documents than was encoded: tokens pooled by 2 "
    assert f"{note}(index.pool_factor), embeddings stored as int8 (index.storage)." in " ".join(smaller.out.split())
    for name in ("report.html", "report.md"):
        assert "keeps less of the documents than was encoded: " in (tmp_path / "report" / name).read_text()
    assert r"\ddag{}" in (tmp_path / "report" / "report.tex").read_text()
    means = (tmp_path / "report" / "means.csv").read_text()
    assert "embeddings stored as int8 (index.storage)" in means


@pytest.mark.usefixtures("scored")
def test_compare_measures_what_a_smaller_index_costs(experiment, optical, cache):
    to_one = [word.replace("--set", "--set-one") for word in SMALLER]
    compared = optical("compare", experiment, "none", "none", *to_one, "--cache-dir", cache)
    assert (compared.code, compared.errors) == (0, [])
    text = " ".join(compared.out.split())
    assert "sw-en: untrained start with index.storage=int8, index.pool_factor=2 (0." in text
    assert " untrained start (0." in text
    (record,) = json.loads(
        optical("compare", experiment, "none", "none", *to_one, "--pair", "sw-en", "--json", "--cache-dir", cache).out
    )
    scores = {}
    for settings in ([], SMALLER):
        at = ["--pair", "sw-en", "--objective", "none", "--cache-dir", cache]
        scores[bool(settings)] = json.loads(optical("evaluate", experiment, *settings, *at, "--json").out)["means"]
    assert record["mean"] == pytest.approx(scores[True]["ndcg@10"])
    assert record["reference_mean"] == pytest.approx(scores[False]["ndcg@10"])


@pytest.mark.usefixtures("scored")
@pytest.mark.parametrize(
    ("options", "fault"),
    [
        (["none", "none", "--set-one", "index.storage=int4"], "index.storage"),
        (["none", "none"], "two different settings expected, found untrained start twice"),
        (
            ["none", "none", "--set-one", "index.pool_factor=7"],
            "run `optical sweep small.yaml --set index.pool_factor=7` and `optical sweep small.yaml` first",
        ),
        (["none", "none", "--set-one", "index.pool_factor=0.5"], "index.pool_factor: expected at least 1, found 0.5"),
    ],
)
def test_what_cannot_be_compared_is_refused_in_one_line(experiment, optical, cache, options, fault, monkeypatch):
    monkeypatch.chdir(experiment.parent)
    found = optical("compare", experiment.name, *options, "--cache-dir", cache)
    assert (found.code, found.out, len(found.errors)) == (2, "", 1)
    assert fault in found.err


@pytest.mark.usefixtures("scored")
def test_scores_of_other_topics_are_not_compared(experiment, optical, cache, lab):
    fewer = lab.data / "fewer.trec"
    fewer.write_text("".join((lab.data / "qrels.trec").read_text().splitlines(keepends=True)[:2]))
    other = "pairs.sw-en.qrels=./data/fewer.trec"
    at = ["--pair", "sw-en", "--cache-dir", cache]
    assert optical("evaluate", experiment, "--objective", "none", "--set", other, *at).code == 0
    found = optical("compare", experiment, "none", "none", "--set-one", other, *at)
    assert (found.code, found.out, len(found.errors)) == (2, "", 1)
    assert "was scored on other topics" in found.err


def test_the_json_of_a_result_has_the_settings_of_a_smaller_index():
    for kept in (Index(pool_factor=2, storage="int8"), None):
        record = result_record(Result("sw-en", "none", None, 13, "full", None, None, None, None, index=kept))
        assert record.get("index") == (kept and {"pool_factor": 2.0, "storage": "int8"})
