import json
import shutil

import pytest

from optical_cli.align.sentences import held_out_alignments, held_out_sentences, trained_pairs, view_of
from optical_cli.cache.fingerprints import Fingerprints
from optical_cli.config.reading import read_experiment
from optical_cli.errors import ConfigError
from optical_cli.pipeline.cells import Cell
from optical_cli.pipeline.sources import Sources

TINY = {"collection": "./data"}


@pytest.fixture
def experiment(own_lab):
    def of(*pairs, **sections):
        languages = {code for pair in pairs for code in pair.split("-")} - {"en"}
        bitext = {code: {"source": "bitext.tsv", "held_out": 6} for code in sorted(languages)}
        content = own_lab.settings(pairs=dict.fromkeys(pairs, TINY), bitext=bitext, **sections)
        return read_experiment(own_lab.write(content))

    return of


@pytest.fixture
def sources(lab, tmp_path):
    return Sources(read_experiment(lab.experiment), Fingerprints(tmp_path / "memo"))


def test_without_a_pair_the_first_that_learns_is_looked_at(experiment):
    view = view_of(experiment("en-en", "en-sw", "sw-sw"), None, None)
    assert (view.pair, view.language, view.side) == ("en-sw", "sw", "document")
    assert view_of(experiment("sw-sw", "en-sw"), None, None).side == "query"


def test_of_two_foreign_languages_that_of_the_queries_or_the_one_that_is_named(experiment):
    x = experiment("sw-yo")
    assert (view_of(x, "sw-yo", None).language, view_of(x, "sw-yo", None).side) == ("sw", "query")
    assert (view_of(x, "sw-yo", "yo").language, view_of(x, "sw-yo", "yo").side) == ("yo", "document")


@pytest.mark.parametrize(
    ("pairs", "pair", "language", "said"),
    [
        (["sw-en", "yo-en"], None, None, "--pair: the experiment has several students; give one of sw-en, yo-en"),
        (["sw-en"], "yo-en", None, "--pair yo-en: not in the experiment; it has sw-en"),
        (["sw-en", "en-en"], "en-en", None, "en-en: has nothing to align, as both languages are the teacher's"),
        (["en-en"], None, None, "en-en: has nothing to align, as both languages are the teacher's"),
        (["sw-yo"], None, "en", "--language en: sw or yo expected"),
    ],
)
def test_what_cannot_be_looked_at_is_refused(experiment, pairs, pair, language, said):
    with pytest.raises(ConfigError) as refused:
        view_of(experiment(*pairs), pair, language)
    assert str(refused.value).startswith(said)


def test_held_out_pairs_by_place_and_number_are_never_trained_on(sources):
    three = held_out_sentences(sources, "sw")
    assert [sentence.name for sentence in three] == ["held-out 1", "held-out 2", "held-out 3"]
    assert held_out_sentences(sources, "sw", rows=[3, 1]) == [three[2], three[0]]
    everything = held_out_sentences(sources, "sw", count=6)
    trained = {pair.teacher for pair in trained_pairs(sources, view_of(sources.experiment, None, None).student)}
    assert len(everything) == 6
    assert not trained & {sentence.text for sentence in everything}


@pytest.mark.parametrize(
    ("asked", "said"),
    [({"rows": [2, 7]}, "--rows 7: the bitext of sw has only 6 held-out pairs"), ({"count": 9}, "--count 9: ")],
)
def test_beyond_the_held_out_bitext_there_is_nothing(sources, asked, said):
    with pytest.raises(ConfigError, match=said):
        held_out_sentences(sources, "sw", **asked)


def test_fewer_than_three_are_shown_where_there_are_no_more(own_lab, tmp_path):
    x = read_experiment(own_lab.experiment, ["bitext.sw.held_out=2"])
    assert len(held_out_sentences(Sources(x, Fingerprints(tmp_path / "memo")), "sw")) == 2


def test_nothing_held_out_is_told_with_what_to_do(own_lab, tmp_path):
    x = read_experiment(own_lab.experiment, ["bitext.sw.held_out=0"])
    with pytest.raises(
        ConfigError, match=r"bitext\.sw\.held_out: no pair is held out; .* or give --text and --translation"
    ):
        held_out_sentences(Sources(x, Fingerprints(tmp_path / "memo")), "sw")


def test_alignments_are_those_of_the_align_command(lab, own_swept, open_pipeline, optical, tmp_path):
    (found,) = held_out_alignments(open_pipeline(lab.experiment, own_swept), 2)
    assert (found.student, found.language) == ("sw", "sw")
    assert [pair.name for pair in found.pairs] == ["held-out 1", "held-out 2"]
    said = optical(
        "align", lab.experiment, "--count", "2", "--cache-dir", own_swept, "--device", "cpu", "-o", tmp_path, "--json"
    )
    for pair, wanted in zip(found.pairs, json.loads(said.out)["sentences"], strict=True):
        assert list(pair.student_tokens) == wanted["student_tokens"]
        assert [alignment.plan.tolist() for alignment in pair.alignments] == [a["plan"] for a in wanted["alignments"]]


def test_they_are_made_once_and_again_when_a_student_or_the_count_is_another(lab, own_swept, open_pipeline):
    def made():
        return {path.parent.name for path in own_swept.glob("alignments/*/manifest.json")}

    (first,) = held_out_alignments(open_pipeline(lab.experiment, own_swept), 1)
    assert len(made()) == 1
    (again,) = held_out_alignments(open_pipeline(lab.experiment, own_swept), 1)
    assert len(made()) == 1
    assert again.pairs[0].alignments[1].plan.tolist() == first.pairs[0].alignments[1].plan.tolist()
    (more,) = held_out_alignments(open_pipeline(lab.experiment, own_swept), 99)
    assert len(more.pairs) == 6  # all that is held out
    assert len(made()) == 2
    pipeline = open_pipeline(lab.experiment, own_swept)
    step = pipeline.checkpoint(Cell("sw-sw", "transport", 0.1, 13))
    pipeline.cache.remove(pipeline.cache.find(*step.address))
    (fewer,) = held_out_alignments(pipeline, 1)
    assert [alignment.reg for alignment in fewer.pairs[0].alignments] == [0, float("inf")]
    assert len(made()) == 3
    assert pipeline.cache.find(*step.address) is None  # nothing is trained for a report


@pytest.mark.parametrize("lacking", ["students", "held-out pairs"])
def test_without_students_or_held_out_pairs_there_is_nothing_to_show(own_lab, own_swept, open_pipeline, lacking):
    if lacking == "students":
        shutil.rmtree(own_swept / "checkpoints")
    held_out = "bitext.sw.held_out=6" if lacking == "students" else "bitext.sw.held_out=0"
    assert list(held_out_alignments(open_pipeline(own_lab.experiment, own_swept, held_out), 2)) == []
    assert not (own_swept / "alignments").exists()
