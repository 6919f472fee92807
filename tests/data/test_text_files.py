import os
import random
from pathlib import Path

import pytest

from optical_cli.data.text_files import Place, checked_id, is_blank, json_object, read_lines
from optical_cli.errors import DataError


def texts(path):
    return [(place.number, text) for place, text in read_lines(path)]


@pytest.mark.parametrize("name", ["a.txt", "a.txt.gz", "a.txt.zst"])
def test_byte_order_marks_and_windows_line_ends_are_removed_and_nothing_else_ends_a_line(write, name):
    path = write(name, "\ufeffone\r\ntwo\u2028still\rtwo\n\nfour\n\n \n".encode())
    assert texts(path) == [(1, "one"), (2, "two\u2028still\rtwo"), (3, ""), (4, "four")]


def test_the_first_bytes_decide_whether_a_file_is_compressed(write):
    assert texts(write("packed.gz", "a\n")) == [(1, "a")]
    plain = write("plain.txt", "a\n")
    assert texts(plain.rename(plain.with_suffix(".gz"))) == [(1, "a")]
    packed = write("packed.zst", "a\n")
    assert texts(packed.rename(packed.with_suffix(".txt"))) == [(1, "a")]


def test_a_pipe_is_refused_as_what_it_is():
    """A second reader would find nothing in it, and inputs have a fingerprint before they are read."""
    reader, writer = os.pipe()
    os.write(writer, b"q1 Q0 d1 1 1.0 tag\n")
    os.close(writer)
    with pytest.raises(
        DataError, match=rf"/dev/fd/{reader} is a pipe, which can be read only once; write it to a file"
    ):
        texts(Path(f"/dev/fd/{reader}"))
    os.close(reader)


def test_invalid_utf8_names_line_and_byte(write):
    path = write("latin.txt", b"good\nna\xefve\n")
    with pytest.raises(DataError, match=r"latin\.txt, line 2: expected UTF-8, found byte 0xef at position 3"):
        texts(path)


@pytest.mark.parametrize("name", ["cut.gz", "cut.zst"])
def test_a_compressed_file_that_was_cut_off_is_refused(write, name):
    path = write(name, random.Random(1).randbytes(10_000).hex())  # noqa: S311 - no secret; of many blocks
    path.write_bytes(path.read_bytes()[:-12])
    with pytest.raises(DataError, match=rf"{name} cannot be read .*complete"):
        texts(path)


def test_a_damaged_zstandard_file_is_refused_and_all_frames_are_read(write):
    path = write("a.zst", "line\n" * 100)
    path.write_bytes(path.read_bytes()[:4] + b"\xff" * 20)
    with pytest.raises(DataError, match=r"a\.zst cannot be read .*complete"):
        texts(path)
    frames = write("one.zst", "one\n").read_bytes() + write("two.zst", "two\n").read_bytes()
    path.write_bytes(frames)
    assert texts(path) == [(1, "one"), (2, "two")]


def test_a_missing_file_is_refused(tmp_path):
    with pytest.raises(DataError, match=r"absent\.txt cannot be read"):
        texts(tmp_path / "absent.txt")


def test_utf_16_without_a_byte_order_mark_is_named(write):
    path = write("b.tsv", "one\tmoja".encode("utf-16-le"))
    with pytest.raises(DataError, match="expected UTF-8, found null characters, as UTF-16 text has them"):
        list(read_lines(path))


def test_a_number_as_an_id_has_the_remedy():
    with pytest.raises(DataError, match="found '1'; put it in quotation marks"):
        checked_id(1, "doc_id", Place("docs.jsonl", 1))


@pytest.mark.parametrize(
    "text", ["", " \t", "\u200b", "\ufeff\u00ad", "\x01\x1f", "\u3000\u2028", "\u3164", "\u2060\u200e"]
)
def test_a_text_of_invisible_characters_is_blank(text):
    assert is_blank(text)


@pytest.mark.parametrize("text", ["a", "\u200ba", "?", "٣", "\U0001f468\u200d\U0001f469", "न\u200d"])
def test_a_text_with_a_visible_character_is_not_blank(text):
    assert not is_blank(text)


@pytest.mark.parametrize("line", ['{"a": 1, "b": 2, "a": 1}', '{"b": {"a": 1, "a": 2}}'])
def test_a_key_that_comes_twice_is_refused_with_file_and_line(line):
    with pytest.raises(DataError, match=r"^f\.jsonl, line 7: expected each key once, found 'a' twice in "):
        json_object(Place("f.jsonl", 7), line)
