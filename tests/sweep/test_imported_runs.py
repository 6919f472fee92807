import pytest

from optical_cli.errors import DataError
from optical_cli.progress import Silence
from optical_cli.report.gather import cached_study
from optical_cli.sweep.imported_runs import import_step, imported_runs

RUN = "q1 Q0 d1 1 2.5 theirs\nq1 Q0 d5 2 1.5 theirs\nq2 Q0 d6 1 1.0 theirs\nq4 Q0 d1 1 1.0 theirs\n"


@pytest.fixture
def theirs(tmp_path):
    path = tmp_path / "theirs.trec"
    path.write_text(RUN, encoding="utf-8")
    return path


@pytest.fixture
def pipeline(lab, own_swept, open_pipeline):
    return open_pipeline(lab.experiment, own_swept)


def imported(pipeline):
    return [(one.result.pair, one.result.objective) for one in imported_runs(pipeline)]


def test_it_is_measured_over_the_same_topics_and_stands_in_the_report(pipeline, theirs):
    _, made = pipeline.obtain(import_step(pipeline, "sw-sw", theirs))
    assert made
    study = cached_study(pipeline)
    (row,) = [result for result in study.results if result.setting.label == "run theirs"]
    assert (row.pair, row.corpus, row.scores.topics) == ("sw-sw", "full", 3)
    assert row.scores.per_topic["ndcg@10"] == {"q1": 1.0, "q2": 0.0, "q3": 0.0}
    assert [setting.label for setting in study.findings.references] == ["untrained start", "run theirs", "reg inf"]
    assert any(entry.label == "sw-sw-full-theirs" for entry in study.ledger)


def test_the_same_file_is_measured_once_wherever_it_lies(pipeline, theirs, tmp_path):
    pipeline.obtain(import_step(pipeline, "sw-sw", theirs))
    moved = theirs.rename(tmp_path / "moved.trec")
    assert pipeline.obtain(import_step(pipeline, "sw-sw", moved))[1] is False


def test_it_belongs_to_pairs_of_the_same_data_alone(pipeline, theirs, own_lab, own_swept, open_pipeline):
    pipeline.obtain(import_step(pipeline, "sw-sw", theirs))
    assert imported(pipeline) == [("sw-sw", "run theirs")]
    pooled = {"sw-sw": {"collection": "./data", "corpus": "pooled", "pool_size": 1}}
    changed = own_lab.write(own_lab.settings(pairs=pooled))
    assert imported(open_pipeline(changed, own_swept)) == []
    other_seeds = own_lab.write(own_lab.settings(seeds=[14], name="other"), "seeds.yaml")
    assert imported(open_pipeline(other_seeds, own_swept)) == [("sw-sw", "run theirs")]


def test_another_run_of_the_same_tag_is_refused_until_the_first_is_gone(pipeline, theirs):
    artifact, _ = pipeline.obtain(import_step(pipeline, "sw-sw", theirs))
    theirs.write_text("q1 Q0 d2 1 2.5 theirs\n", encoding="utf-8")
    pipeline.cache.fingerprints._files.clear()  # as in another process
    with pytest.raises(DataError, match=f"the tag theirs is taken by another run.*cache remove {artifact.folder.name}"):
        import_step(pipeline, "sw-sw", theirs)
    pipeline.cache.remove(artifact)
    assert pipeline.obtain(import_step(pipeline, "sw-sw", theirs))[1]


@pytest.mark.parametrize(
    ("line", "said"),
    [
        (
            "q1 Q0 other-17 1 2.5 theirs\n",
            r"a run over the corpus of sw-sw \(full\) expected, .*'other-17'",
        ),
        (
            "topic-9 Q0 d1 1 2.5 theirs\n",
            r"a run of the topics of .* expected, found none .*'topic-9'",
        ),
    ],
)
def test_a_run_of_another_collection_is_refused_before_its_tag_and_leaves_nothing(pipeline, theirs, line, said):
    """It would score 0, and be a reference of every test from then on."""
    pipeline.obtain(import_step(pipeline, "sw-sw", theirs))
    other = theirs.with_name("other.trec")
    other.write_text(line, encoding="utf-8")
    with pytest.raises(DataError, match=said):
        import_step(pipeline, "sw-sw", other)
    assert pipeline.cache.notes.all_failures() == []
    assert imported(pipeline) == [("sw-sw", "run theirs")]


def test_a_run_over_more_than_the_pool_is_refused(own_lab, open_pipeline, theirs, tmp_path):
    pooled = {"en-en": {"collection": "./data", "corpus": "pooled", "pool_size": 0}}
    pipeline = open_pipeline(own_lab.write(own_lab.settings(pairs=pooled, bitext={})), tmp_path / "cache")
    step = import_step(pipeline, "en-en", theirs)
    assert pipeline.obtain(step)[1]
    theirs.write_text("q1 Q0 d4 1 2.5 more\n", encoding="utf-8")  # nobody has judged d4
    pipeline.cache.fingerprints._files.clear()
    with pytest.raises(
        DataError,
        match=r"en-en \(pooled 0\) expected, found 1 document outside it.* 'd4' of topic 'q1'",
    ):
        pipeline.obtain(import_step(pipeline, "en-en", theirs))


CANDIDATES = "q1 Q0 d1 1 3.0 first\nq1 Q0 d5 2 2.0 first\nq2 Q0 d2 1 1.0 first\nq2 Q0 d6 2 0.5 first\n"


@pytest.fixture
def reranked(own_lab, open_pipeline, tmp_path):
    """A pipeline that reranks the candidates of a file."""

    def opened(run=CANDIDATES, folder=".", cache="cache", **pair):
        (own_lab.root / folder).mkdir(exist_ok=True)
        (own_lab.root / folder / "first.trec").write_text(run)
        named = {"candidates": f"{folder}/first.trec", **pair}
        pairs = {"sw-sw": {"collection": "./data", "corpus": "candidates", **named}}
        return open_pipeline(own_lab.write(own_lab.settings(pairs=pairs), f"{folder}.yaml"), tmp_path / cache)

    return opened


def test_a_run_over_candidates_is_checked_against_these_and_not_against_a_pool(reranked, tmp_path):
    path = tmp_path / "rerun.trec"
    path.write_text("q1 Q0 d5 1 2.5 rerun\nq2 Q0 d6 1 1.0 rerun\nelsewhere Q0 d1 1 1.0 rerun\n")
    pipeline = reranked()
    assert pipeline.obtain(import_step(pipeline, "sw-sw", path))[1]  # d6 is judged for no topic that was asked for it
    path.write_text("q1 Q0 d2 1 2.5 rerun\n")  # a candidate of q2, judged, and none of q1
    pipeline.cache.fingerprints._files.clear()
    with pytest.raises(DataError, match=r"candidates of first.* found 1 document outside it.* 'd2' of topic 'q1'"):
        pipeline.obtain(import_step(reranked(cache="other"), "sw-sw", path))


def test_a_run_over_candidates_of_bm25_is_checked_against_what_bm25_finds(reranked, tmp_path):
    pipeline = reranked(candidates="bm25")
    found, _ = pipeline.obtain(pipeline.corpus("sw-sw").inputs["candidates"])
    path = tmp_path / "rerun.trec"
    path.write_text((found.folder / "run.trec").read_text().replace("bm25", "rerun"))
    assert pipeline.obtain(import_step(pipeline, "sw-sw", path))[1]


def test_candidates_are_known_by_their_content_and_not_by_the_name_of_their_file(reranked, tmp_path):
    path = tmp_path / "rerun.trec"
    path.write_text("q1 Q0 d1 1 2.5 rerun\n")
    one = reranked(folder="one")
    one.obtain(import_step(one, "sw-sw", path))
    assert imported(reranked(folder="same")) == [("sw-sw", "run rerun")]
    other = reranked(CANDIDATES.replace("d5", "d3"), folder="other")
    assert other.experiment.pairs["sw-sw"].corpus_name == one.experiment.pairs["sw-sw"].corpus_name
    assert imported(other) == []
    assert import_step(other, "sw-sw", path).key != import_step(one, "sw-sw", path).key


def test_a_run_with_several_tags_is_taken_as_one_with_a_warning(theirs, lab, own_swept, open_pipeline):
    said = []

    class Listener(Silence):
        def say(self, message):
            said.append(message)

    theirs.write_text(RUN.replace("1.0 theirs\nq4", "1.0 others\nq4"), encoding="utf-8")
    import_step(open_pipeline(lab.experiment, own_swept, progress=Listener()), "sw-sw", theirs)
    found = f"{theirs} has 1 other tag besides theirs, such as others; its results are taken as one run, theirs"
    assert f"warning: {found}" in said
