from optical_cli.config.reading import read_experiment
from optical_cli.report.gather import cached_study
from optical_cli.report.what_was_run import untrained_start


def test_it_has_the_settings_and_the_sizes_of_the_data(lab, swept, open_pipeline):
    rows = dict(cached_study(open_pipeline(lab.experiment, swept)).what_was_run)
    assert rows["student"].startswith("a copy of the teacher; ")
    assert rows["student"].endswith(" layers") or rows["student"].endswith(" layer")
    assert rows["bitext sw"].startswith("bitext.tsv: ")
    assert rows["bitext sw"].endswith(" pairs trained on, 6 pairs held out")
    assert rows["objectives"] == "transport at reg 0, 0.1, inf; baselines: untrained start"
    assert rows["sw-sw, sw-en, en-sw"].startswith("./data, corpus full, ")
    assert rows["sw-sw, sw-en, en-sw"].endswith(" documents, 3 judged topics")
    assert {"teacher", "trained weights", "training", "transport", "seeds", "search"} <= rows.keys()


def test_without_artifacts_sizes_are_left_out(lab, tmp_path, open_pipeline):
    rows = dict(cached_study(open_pipeline(lab.experiment, tmp_path / "empty")).what_was_run)
    assert rows["student"] == "a copy of the teacher"
    assert rows["bitext sw"] == "bitext.tsv: 6 pairs held out"


def test_judged_documents_that_the_collection_lacks_are_counted_in_every_corpus_mode(own_lab, tmp_path, open_pipeline):
    with (own_lab.data / "qrels.trec").open("a", encoding="utf-8") as file:
        file.write("q1 0 GONE1 1\n")
    modes = ({}, {"corpus": "pooled", "pool_size": 1}, {"corpus": "candidates", "candidates": "bm25"})
    for mode in modes:
        settings = own_lab.settings(pairs={"sw-sw": {"collection": "./data", **mode}}, bm25={"analyzers": ["lower"]})
        pipeline = open_pipeline(own_lab.write(settings), tmp_path / "cache")
        pipeline.check()
        rows = dict(cached_study(pipeline).what_was_run)
        assert rows["sw-sw"].endswith(", 1 of 6 judged documents not in it"), mode


def test_no_row_names_a_folder_of_the_machine(own_lab, tmp_path, open_pipeline):
    bitext = {"sw": {"source": str(own_lab.experiment.parent / "bitext.tsv"), "held_out": 6}}
    file = own_lab.write(own_lab.settings(bitext=bitext))
    rows = dict(cached_study(open_pipeline(file, tmp_path / "empty")).what_was_run)
    assert rows["bitext sw"] == "bitext.tsv: 6 pairs held out"
    assert not any(str(tmp_path.parent) in what for what in rows.values())


def test_the_untrained_start_says_what_its_projection_uses(own_lab):
    def start(**student):
        return untrained_start(read_experiment(own_lab.write(own_lab.settings(student=student)), ()))

    assert start() == "a copy of the teacher"
    e5 = start(init="intfloat/multilingual-e5-small", warm_start=None)
    assert e5 == "intfloat/multilingual-e5-small (trained on Mr. TyDi), in the teacher's space already"
    used = "hub/encoder; its projection uses 2,000 sentences in en and 1,000 pairs of the bitext"
    assert start(init="hub/encoder") == used
    assert start(init="hub/encoder", warm_start={"refinements": 0, "sentences": 500}) == (
        "hub/encoder; its projection uses 500 sentences in en of the bitext"
    )
    assert start(init="hub/encoder", warm_start=None) == "hub/encoder, in the teacher's space already"
