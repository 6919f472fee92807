import math
import sys

import pytest

from optical_cli.artifacts.run import read_run
from optical_cli.data.documents import Document
from optical_cli.errors import DataError, MissingDependency
from optical_cli.progress import Silence
from optical_cli.retrieve.bm25 import search

DOCUMENTS = [
    Document("d1", "Boat", "the boat mends"),
    Document("d2", "", "the net the net"),
    Document("d3", "", "a book"),
    Document("d4", "", "a boök"),
]


@pytest.fixture
def run(tmp_path):
    def found(topics, *, documents=DOCUMENTS, analyzer="folding", language="en", depth=10, template="{title} {text}"):
        health = search(
            topics,
            documents,
            tmp_path,
            analyzer=analyzer,
            language=language,
            k1=0.9,
            b=0.4,
            template=template,
            count=None,
            depth=depth,
            tag="t",
            progress=Silence(),
        )
        return read_run(tmp_path / "run.trec"), health

    return found


def test_scores_follow_the_formula(run):
    found, _ = run({"q": "the boat"})
    mean_length = (4 + 4 + 2 + 2) / 4

    def part(times, documents_with, length):
        idf = math.log(1 + (4 - documents_with + 0.5) / (documents_with + 0.5))
        return idf * times / (times + 0.9 * (1 - 0.4 + 0.4 * length / mean_length))

    expected = {"d1": part(1, 2, 4) + part(2, 1, 4), "d2": part(2, 2, 4)}
    assert [doc_id for doc_id, _ in found["q"]] == ["d1", "d2"]
    assert dict(found["q"]) == pytest.approx(expected, abs=2e-6)


def test_a_word_that_is_twice_in_a_topic_counts_twice(run):
    found, _ = run({"once": "book", "twice": "book Book"})
    assert found["twice"][0][1] == pytest.approx(2 * found["once"][0][1], abs=2e-6)


def test_ties_are_ordered_by_descending_document_id_also_at_the_cut(run):
    found, _ = run({"q": "book"})
    assert [doc_id for doc_id, _ in found["q"]] == ["d4", "d3"]
    assert found["q"][0][1] == found["q"][1][1]
    found, _ = run({"q": "book"}, depth=1)
    assert [doc_id for doc_id, _ in found["q"]] == ["d4"]


def test_a_stemmed_word_matches_its_other_forms(run):
    pytest.importorskip("Stemmer")
    assert "r" not in run({"q": "boat", "r": "boats mending"})[0]
    assert [doc_id for doc_id, _ in run({"r": "boats mending"}, analyzer="stemmed")[0]["r"]] == ["d1"]


def test_without_pystemmer_the_error_names_what_to_install(run, monkeypatch):
    monkeypatch.setitem(sys.modules, "Stemmer", None)
    with pytest.raises(MissingDependency, match=r"pip install 'optical-cli\[stemmers\]'"):
        run({"q": "boat"}, analyzer="stemmed")


def test_the_analyzer_decides_what_a_word_is(run):
    assert [doc_id for doc_id, _ in run({"q": "BOOK"}, analyzer="lower")[0]["q"]] == ["d3"]
    assert run({"q": "BOOK", "r": "a"}, analyzer="whitespace")[0].keys() == {"r"}


def test_a_topic_that_shares_no_word_has_no_results_and_is_counted(run):
    found, health = run({"q": "boat", "r": "harbour", "s": "!"})
    assert found.keys() == {"q"}
    counts = {"topics": 3, "topics_without_results": 2, "documents": 4, "vocabulary": 6}
    assert health == {**counts, "analyzer": "folding"}


def test_the_template_decides_what_is_searched(run):
    assert [doc_id for doc_id, _ in run({"q": "boat"}, template="{text}")[0]["q"]] == ["d1"]
    with_title, without = (run({"q": "boat"}, template=t)[0]["q"][0][1] for t in ("{title} {text}", "{text}"))
    assert with_title > without


def test_documents_without_a_word_are_refused(run):
    with pytest.raises(DataError, match="the analyzer folding finds no word in any document"):
        run({"q": "boat"}, documents=[Document("d", "", "!?")])


def test_a_command_for_a_language_without_a_stemmer_is_refused(lab, optical, tmp_path):
    where = ["--pair", "sw-sw", "--objective", "bm25-stemmed", "--cache-dir", tmp_path]
    found = optical("evaluate", lab.experiment, *where)
    assert (found.code, found.out, len(found.errors)) == (2, "", 1)
    assert "Snowball has no stemmer for sw" in found.err


def test_documents_without_a_word_are_never_found(run):
    found, health = run({"q": "net"}, documents=[Document("d1", "", "?! ..."), *DOCUMENTS[1:], Document("d9", "", "—")])
    assert [doc_id for doc_id, _ in found["q"]] == ["d2"]
    assert health["documents"] == 5
