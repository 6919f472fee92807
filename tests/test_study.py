from optical_cli.data.local_folder import LocalTopics
from optical_cli.errors import DataError
from optical_cli.study import cached_study


def test_a_study_is_what_the_cache_holds_and_what_follows_from_it(lab, swept, open_pipeline):
    study = cached_study(open_pipeline(lab.experiment, swept))
    assert (study.name, len(study.results)) == ("mini", 12)
    assert study.findings.measure == "ndcg@10"
    assert [setting.label for setting in study.findings.references] == ["no training", "reg inf"]
    assert study.texts["sw-en"]["q1"] == study.texts["sw-sw"]["q1"] == "Amina anatengeneza mashua"
    assert {entry.kind for entry in study.ledger} == {"encodings", "checkpoints", "indexes", "runs", "scores"}
    assert len(study.ledger) == len(list(swept.rglob("manifest.json")))
    trained = [result for result in study.results if result.reg is not None]
    assert all({"p@1", "transport_cost"} <= result.held_out.keys() for result in trained)


def test_topics_that_are_no_longer_at_hand_do_not_stop_a_report(lab, swept, open_pipeline, monkeypatch):
    def gone(_self):
        raise DataError("the topics are gone")

    monkeypatch.setattr(LocalTopics, "topics", gone)
    assert not any(cached_study(open_pipeline(lab.experiment, swept)).texts.values())
