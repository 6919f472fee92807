from optical_cli.cache.fingerprints import Fingerprints
from optical_cli.config.reading import read_experiment
from optical_cli.data.collections import LocalFile
from optical_cli.errors import DataError
from optical_cli.pipeline.sources import Sources
from optical_cli.report.gather import _published, cached_study


def test_a_study_is_what_the_cache_holds_and_what_follows_from_it(lab, swept, open_pipeline):
    study = cached_study(open_pipeline(lab.experiment, swept))
    assert (study.name, len(study.results)) == ("mini", 12)
    assert study.findings.measure == "ndcg@10"
    assert [setting.label for setting in study.findings.references] == ["untrained start", "reg inf"]
    assert study.texts["sw-en"]["q1"] == study.texts["sw-sw"]["q1"] == "Amina anatengeneza mashua"
    assert {entry.kind for entry in study.ledger} == {"encodings", "checkpoints", "indexes", "runs", "scores"}
    assert len(study.ledger) == len(list(swept.rglob("manifest.json")))
    trained = [result for result in study.results if result.reg is not None]
    assert all({"p@1", "transport_cost"} <= result.held_out.keys() for result in trained)


def test_topics_that_are_no_longer_at_hand_do_not_stop_a_report(lab, swept, open_pipeline, monkeypatch):
    def gone(_self):
        raise DataError("the topics are gone")

    monkeypatch.setattr(LocalFile, "topics", gone)
    assert not any(cached_study(open_pipeline(lab.experiment, swept)).texts.values())


def test_published_figures_belong_to_the_whole_of_a_collection_in_one_language(own_lab, tmp_path):
    def published(**pair):
        name = pair.pop("name", "yo-yo")
        bm25 = pair.pop("bm25", {})
        bitext = {"yo": {"source": "bitext.tsv", "held_out": 6}}
        settings = own_lab.settings(
            pairs={name: {"collection": "miracl/yo/dev", **pair}}, bitext=bitext, bm25=bm25, retrieval={"depth": 100}
        )
        experiment = read_experiment(own_lab.write(settings), ())
        return list(_published(experiment, Sources(experiment, Fingerprints(tmp_path / "memo"))))

    assert published()[0].same_words
    assert published(collection="miracl/yo", topics="miracl/yo/dev", qrels="miracl/yo/dev") == published()
    assert not published(bm25={"k1": 1.2})[0].same_words
    assert not published(text="{text}")[0].same_words
    assert published(corpus="pooled") == []
    assert published(corpus="candidates", candidates="bm25") == []
    assert published(name="yo-en") == published(name="en-yo") == []
    assert published(topics="./data/queries.sw.tsv") == []
    local = read_experiment(own_lab.experiment, ())
    assert list(_published(local, Sources(local, Fingerprints(tmp_path / "memo")))) == []
