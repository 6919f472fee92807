import gzip
import math

import pytest

from optical_cli.artifacts.run import rank, read_run, read_tag, write_run
from optical_cli.data.text_files import _zstd
from optical_cli.errors import DataError


def test_writes_the_trec_format(tmp_path):
    path = tmp_path / "run.txt"
    write_run(path, [("q1", [("d2", 1.5), ("d1", 20.25)]), ("q2", [("d1", -1e-9)])], tag="tiny-full")
    assert path.read_text() == (
        "q1 Q0 d1 1 20.250000 tiny-full\nq1 Q0 d2 2 1.500000 tiny-full\nq2 Q0 d1 1 0.000000 tiny-full\n"
    )


def test_reads_back_what_it_wrote_in_the_same_order(tmp_path):
    run = {f"q{q}": [(f"d{d}", 32 * math.sin(50 * q + d) ** 3) for d in range(50)] for q in range(5)}
    path = tmp_path / "run.txt"
    write_run(path, run.items(), tag="t")
    assert read_run(path) == {query_id: rank(pairs) for query_id, pairs in run.items()}


def test_ties_are_sorted_by_document_id_descending_like_in_trec_eval():
    pairs = [("a", 1.0), ("é", 1.0), ("Z", 1.0), ("b", 1.0), ("10", 1.0), ("9", 1.0)]
    assert [doc_id for doc_id, _ in rank(pairs)] == ["é", "b", "a", "Z", "9", "10"]


def test_scores_that_are_written_alike_are_ties():
    assert rank([("a", 0.5000002), ("b", 0.5000001)]) == [("b", 0.5), ("a", 0.5)]


def test_scores_that_are_equal_in_single_precision_are_ties():
    # 25.000001 and 25.000002 are equal in single precision, and so a tie for pytrec_eval
    first, second = rank([("a", 25.000002), ("b", 25.000001)])
    assert (first[0], second[0]) == ("b", "a")
    assert first[1] == second[1]


def test_the_ranking_is_cut_after_rounding():
    assert rank([("a", 0.5000002), ("b", 0.5000001), ("c", 0.1)], depth=1) == [("b", 0.5)]


@pytest.mark.parametrize("score", [math.nan, math.inf, -math.inf, 1e300])
def test_refuses_scores_that_are_not_finite(tmp_path, score):
    with pytest.raises(DataError, match=r"document 'd1': expected a finite score, found"):
        write_run(tmp_path / "run.txt", [("q1", [("d1", score)])], tag="t")


@pytest.mark.parametrize(
    ("query_id", "doc_id", "tag", "message"),
    [
        ("q 1", "d1", "t", "topic id without white space, found 'q 1'"),
        ("", "d1", "t", "topic id without white space, found ''"),
        ("q1", "d\t1", "t", "topic 'q1': expected a document id without white space"),
        ("q1", "d\u00a01", "t", "document id without white space"),
        ("q1", "d1", "my run", "run tag without white space, found 'my run'"),
        ("q1", "d\ud83d", "t", "document id without white space, found"),
    ],
)
def test_refuses_ids_with_white_space(tmp_path, query_id, doc_id, tag, message):
    with pytest.raises(DataError, match=message):
        write_run(tmp_path / "run.txt", [(query_id, [(doc_id, 1.0)])], tag=tag)


def test_refuses_to_write_a_document_or_a_topic_twice(tmp_path):
    with pytest.raises(DataError, match="topic 'q1': expected document 'd1' once, found it twice"):
        write_run(tmp_path / "run.txt", [("q1", [("d1", 1.0), ("d1", 2.0)])], tag="t")
    with pytest.raises(DataError, match="topic 'q1': expected once in a run, found twice"):
        write_run(tmp_path / "run.txt", [("q1", [("d1", 1.0)]), ("q1", [("d2", 2.0)])], tag="t")


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("q1 Q0 d2 2 0.5", r"expected 6 fields \(query_id Q0 doc_id rank score tag\), found 5"),
        ("q1 Q0 d2 2 0.5 my tag", "found 7"),
        ("q1 Q0 d2 2 high t", "expected a finite score in field 5, found 'high'"),
        ("q1 Q0 d2 2 nan t", "expected a finite score in field 5, found 'nan'"),
        ("q1 Q0 d1 2 0.5 t", "expected document 'd1' once for topic 'q1', found it twice"),
    ],
)
def test_a_malformed_line_is_named(tmp_path, line, message):
    path = tmp_path / "run.txt"
    path.write_text(f"q1 Q0 d1 1 0.9 t\n\n{line}\n")
    with pytest.raises(DataError, match=rf"run\.txt:3: .*{message}"):
        read_run(path)


def test_runs_of_other_systems_are_sorted_by_score_not_by_rank(tmp_path):
    path = tmp_path / "run.txt"
    path.write_text("q1\tQ0\td1\t1\t1e-9\tt\nq1 Q0 d2 2 2e-9 t\n")
    assert read_run(path) == {"q1": [("d2", 2e-9), ("d1", 1e-9)]}


def test_a_missing_file_and_a_binary_one_are_errors(tmp_path):
    with pytest.raises(DataError, match="cannot be read"):
        read_run(tmp_path / "absent.txt")
    (tmp_path / "binary.txt").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(DataError, match="expected text, found UTF-16 text"):
        read_run(tmp_path / "binary.txt")


@pytest.mark.parametrize("line", ["q\x1b[31m Q0 d 1 1 t", "q Q0 d\x00 1 1 t", "q Q0 d 1 1 t\x9b31m"])
def test_an_id_or_a_tag_with_control_characters_is_refused(tmp_path, line):
    path = tmp_path / "run.trec"
    path.write_text(f"{line}\n", encoding="utf-8")
    with pytest.raises(DataError, match=r"run\.trec.{1,7}1: expected (ids and a tag without|UTF-8, found null)"):
        read_run(path)


@pytest.mark.parametrize("score", ["1_0", "١", "0x1p3"])
def test_a_score_in_a_format_of_python_only_is_refused(tmp_path, score):
    path = tmp_path / "run.trec"
    path.write_text(f"q Q0 d 1 {score} t\n", encoding="utf-8")
    with pytest.raises(DataError, match=r"run.trec:1: expected a finite score in field 5"):
        read_run(path)


def test_a_byte_order_mark_is_removed_and_a_carriage_return_does_not_end_a_line(tmp_path):
    path = tmp_path / "run.trec"
    path.write_bytes("\ufeffq Q0 d 1 1 t\r\n".encode())
    assert read_run(path) == {"q": [("d", 1.0)]}
    path.write_bytes(b"q Q0 d 1 1 t\rq Q0 e 1 1 t\n")
    with pytest.raises(DataError, match="found 12"):
        read_run(path)


RUN = "q1 Q0 d1 1 2.5 theirs\nq1 Q0 d2 2 1.5 theirs\n"
SKIPPABLE = b"\x50\x2a\x4d\x18\x04\x00\x00\x00abcd"  # a frame that pzstd puts before the data


@pytest.mark.parametrize(
    "packed",
    [gzip.compress(RUN.encode()), _zstd().compress(RUN.encode()), SKIPPABLE + _zstd().compress(RUN.encode())],
    ids=["gzip", "zstd", "pzstd"],
)
def test_a_packed_run_is_read_as_a_plain_one(tmp_path, packed):
    path = tmp_path / "theirs.trec.gz"
    path.write_bytes(packed)
    assert read_run(path) == {"q1": [("d1", 2.5), ("d2", 1.5)]}
    assert read_tag(path) == "theirs"


@pytest.mark.parametrize(
    ("content", "kind"),
    [(b"PAR1\x15\x04", "a parquet file"), (b"PK\x03\x04\xff", "a zip archive"), (b"\xff\xfeq\x00", "UTF-16 text")],
)
def test_a_file_that_is_no_text_is_named_for_what_it_is(tmp_path, content, kind):
    path = tmp_path / "theirs.trec"
    path.write_bytes(content)
    with pytest.raises(DataError, match=f"expected text, found {kind};"):
        read_run(path)
