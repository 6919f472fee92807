import json

from optical_cli.data.bitext.dropped import record_dropped


def test_dropped_rows_are_counted_said_once_and_some_written_with_their_lines(write, bitext_of, tmp_path):
    write("b.tsv", "one\tmoja\ntwo\tTwo\none\tmoja\nlong\t" + "ndefu " * 400 + "\nthree\ttatu\n\t\nfour\tnne\n")
    said: list[str] = []
    counts = record_dropped(bitext_of(source="b.tsv", filter={"length_ratio": None}), tmp_path, said.append)
    assert counts == {
        "rows": 7,
        "kept": 3,
        "dropped": {"empty": 1, "equal": 1, "length_ratio": 0, "too_long": 1, "duplicate": 1},
    }
    assert said == [
        "b.tsv: 4 of 7 rows are not used (1 empty, 1 equal, 1 too_long, 1 duplicate); "
        "some of each stand in the encodings' dropped.jsonl"
    ]
    lines = [json.loads(line) for line in (tmp_path / "dropped.jsonl").read_text(encoding="utf-8").splitlines()]
    assert lines[0] == {"reason": "equal", "line": 2, "teacher": "two", "foreign": "Two"}
    assert [(line["reason"], line["line"]) for line in lines[1:]] == [("duplicate", 3), ("too_long", 4), ("empty", 6)]
    assert len(lines[2]["foreign"]) == 500


def test_where_nothing_is_dropped_nothing_is_said(write, bitext_of, tmp_path):
    write("b.tsv", "one\tmoja\n")
    said: list[str] = []
    assert record_dropped(bitext_of(source="b.tsv"), tmp_path, said.append)["rows"] == 1
    assert said == []
    assert (tmp_path / "dropped.jsonl").read_text() == ""
