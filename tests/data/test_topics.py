import pytest

from optical_cli.data.topics import match_topics, read_judgements, read_topics
from optical_cli.errors import DataError


def test_topics_keep_their_order(write):
    assert list(read_topics(write("q.tsv", "q2\t Odun wo? \r\nq1\tKí ni?\r\n")).items()) == [
        ("q2", "Odun wo?"),
        ("q1", "Kí ni?"),
    ]


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("q2", "expected 2 columns, query_id TAB text, found 1"),
        ("q2\ta\tb", "found 3"),
        ("q2\t ", "topic 'q2' with a blank text"),
        ("q1\tagain", "'q1' again after line 1"),
        ("\tno id", "expected a query_id"),
    ],
)
def test_a_fault_of_topics_names_file_and_line(write, line, said):
    path = write("q.tsv", f"q1\tone\n{line}\nq3\tthree\n")
    with pytest.raises(DataError) as caught:
        read_topics(path)
    assert str(caught.value).startswith(f"{path}, line 2: ")
    assert said in str(caught.value)


def test_a_file_without_topics_is_refused(write):
    with pytest.raises(DataError, match="has no topics"):
        read_topics(write("q.tsv", ""))


def test_matching_separates_judged_unjudged_and_missing_topics():
    judged, unjudged, missing = match_topics({"a": "A", "b": "B"}, {"a": {"d": 1}, "c": {"d": 0}})
    assert (judged, unjudged, missing) == ({"a": "A"}, ["b"], ["c"])


def test_tabs_and_spaces_separate_columns_and_grades_may_be_negative(write):
    path = write("qrels.trec", "q1 0 d1 1\nq1\tQ0\td2\t-1\r\nq2 0   d1 2\nq1 0 d1 1\n")
    assert read_judgements(path) == {"q1": {"d1": 1, "d2": -1}, "q2": {"d1": 2}}


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("q1 d2 1", "expected 4 columns, query_id 0 doc_id grade, found 3"),
        ("q1 0 d2 0.5", "expected an integer grade, found '0.5'"),
        ("q1 0 d1 0", "expected one grade for document 'd1' and query 'q1', found 0 after an earlier 1"),
    ],
)
def test_a_fault_of_judgements_names_file_and_line(write, line, said):
    path = write("qrels.trec", f"q1 0 d1 1\n{line}\n")
    with pytest.raises(DataError) as caught:
        read_judgements(path)
    assert str(caught.value).startswith(f"{path}, line 2: ")
    assert said in str(caught.value)


def test_a_file_without_judgements_is_refused(write):
    with pytest.raises(DataError, match="has no judgements"):
        read_judgements(write("qrels.trec", "\n"))


def test_a_topic_of_invisible_characters_is_blank(write):
    with pytest.raises(DataError, match="line 1: expected a topic text, found topic 'q' with a blank text"):
        read_topics(write("queries.tsv", "q\t\u200b\u00ad\n"))
