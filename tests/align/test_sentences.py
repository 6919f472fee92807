import pytest

from optical_cli.align.sentences import held_out_sentences, trained_pairs, view_of
from optical_cli.cache.fingerprints import Fingerprints
from optical_cli.config.reading import read_experiment
from optical_cli.errors import ConfigError
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
        (["sw-en", "yo-en"], None, None, "--pair: the experiment has several students, say which: sw-en, yo-en"),
        (["sw-en"], "yo-en", None, "--pair yo-en: not in the experiment; it has sw-en"),
        (["sw-en", "en-en"], "en-en", None, "en-en: both sides are in the teacher's language"),
        (["en-en"], None, None, "en-en: both sides are in the teacher's language"),
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
    [({"rows": [2, 7]}, "--rows 7: the held-out bitext of sw ends with pair 6"), ({"count": 9}, "--count 9: ")],
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
        ConfigError, match=r"bitext\.sw\.held_out: no pair is held out .* give --text and --translation"
    ):
        held_out_sentences(Sources(x, Fingerprints(tmp_path / "memo")), "sw")
