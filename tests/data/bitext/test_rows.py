import gzip
import sys
import zipfile

import pytest

from optical_cli.cache.fingerprints import Fingerprints
from optical_cli.errors import DataError

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

RECORDS = '{"en": "one", "sw": " moja ", "x": 1}\n{"en": "two", "sw": null}\n{"sw": "tatu", "en": "three"}\n'


@pytest.mark.parametrize("name", ["b.jsonl", "b.jsonl.gz", "b.JSONL.zst"])
def test_sides_are_found_by_language_and_null_is_an_empty_side(write, bitext_of, texts, name):
    write(name, RECORDS)
    bitext = bitext_of(source=name)
    assert texts(bitext) == [("one", "moja"), ("three", "tatu")]
    assert bitext.selection.dropped["empty"] == 1


def test_columns_select_keys_also_inside_translation(write, bitext_of, texts):
    write("b.jsonl", '{"source": "one", "target": "moja"}\n')
    assert texts(bitext_of(source="b.jsonl", columns=["source", "target"])) == [("one", "moja")]
    assert texts(bitext_of(source="b.jsonl", columns=["target", "source"])) == [("moja", "one")]
    write("b.jsonl", '{"id": 1, "translation": {"en": "one", "sw": "moja"}}\n')
    assert texts(bitext_of(source="b.jsonl")) == [("one", "moja")]


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("{", "expected a JSON object, found '{'"),
        ("", "expected a JSON object, found ''"),
        ('["one", "moja"]', "expected a JSON object"),
        ('{"en": "one", "swa": "moja"}', "expected a column 'sw', found en, swa; set `columns`"),
        ('{"en": "one", "sw": ["moja"]}', "expected text in 'sw', found"),
        ('{"en": 1, "sw": "moja"}', "expected text in 'en', found '1'"),
    ],
)
def test_a_line_without_both_sides_is_refused_with_its_number(write, bitext_of, line, said):
    path = write("b.jsonl", f"{RECORDS}{line}\n{RECORDS}")
    with pytest.raises(DataError) as caught:
        bitext_of(source="b.jsonl").pairs()
    assert str(caught.value).startswith(f"{path}, line 4: {said}")


def test_the_fingerprint_follows_content_and_keys(write, bitext_of, tmp_path):
    def digest(**settings):
        return bitext_of(source="b.jsonl", **settings).fingerprint(Fingerprints(tmp_path / "memo"))

    write("b.jsonl", RECORDS)
    before = digest()
    assert digest(columns=["en", "sw"]) == before
    assert digest(columns=["sw", "en"]) != before
    write("b.jsonl", RECORDS.replace("tatu", "tato", 1) + "\n")
    assert digest() != before


OPUS = {
    "README": "about",
    "Talks.en-sw.en": "one\ntwo\n\n",
    "Talks.en-sw.sw": "moja\nmbili\n\n",
    "Talks.en-sw.xml": "<x/>",
}


@pytest.fixture
def zipped(tmp_path):
    def write(files, name="talks.zip"):
        path = tmp_path / name
        with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
            for member, text in files.items():
                archive.writestr(member, text)
        return path

    return write


def test_the_two_files_of_the_languages_are_read(zipped, bitext_of, texts):
    zipped(OPUS)
    assert texts(bitext_of(source="talks.zip")) == [("one", "moja"), ("two", "mbili")]
    assert texts(bitext_of(source="talks.zip", columns=["sw", "en"])) == [("moja", "one"), ("mbili", "two")]


def test_a_zip_with_missing_ambiguous_or_uneven_files_is_refused(zipped, bitext_of):
    path = zipped(OPUS)
    with pytest.raises(DataError, match=r"expected one file whose name ends in \.yo, found README, Talks\.en-sw\.en, "):
        bitext_of(source="talks.zip", columns=["en", "yo"]).pairs()
    zipped(OPUS | {"More.en-sw.en": "x\n"})
    with pytest.raises(DataError, match=r"ends in \.en, found Talks\.en-sw\.en, More\.en-sw\.en;"):
        bitext_of(source="talks.zip").pairs()
    zipped(OPUS | {"Talks.en-sw.sw": "moja\n"})
    with pytest.raises(DataError, match=r"talks\.zip/Talks\.en-sw\.en has 3 lines and .*\.sw has 1"):
        bitext_of(source="talks.zip").pairs()
    zipped(OPUS | {"Talks.en-sw.sw": b"moja\nmb\xefli\n"})
    with pytest.raises(DataError, match=r"Talks\.en-sw\.sw, line 2: expected UTF-8, found byte 0xef"):
        bitext_of(source="talks.zip").pairs()
    path.write_bytes(path.read_bytes()[:-40])
    with pytest.raises(DataError, match=r"talks\.zip cannot be read as a zip .*complete"):
        bitext_of(source="talks.zip").pairs()


def test_half_a_surrogate_pair_is_refused_with_its_position(write, bitext_of):
    path = write("b.jsonl", RECORDS + '{"en": "a \\ud800 b", "sw": "moja"}\n')
    with pytest.raises(DataError) as caught:
        bitext_of(source="b.jsonl").pairs()
    assert str(caught.value).startswith(f"{path}, line 4: expected characters in 'en', found half a surrogate pair at")


@pytest.mark.parametrize("pack", [gzip.compress, zstd.compress])
def test_a_zip_may_be_compressed_again(zipped, bitext_of, texts, pack):
    path = zipped(OPUS)
    path.with_name("talks.zip.gz").write_bytes(pack(path.read_bytes()))
    assert texts(bitext_of(source="talks.zip.gz")) == [("one", "moja"), ("two", "mbili")]


@pytest.mark.parametrize(("cut", "whole"), [("x.en.gz", "x.sw.gz"), ("x.sw.gz", "x.en.gz")])
def test_the_file_that_was_cut_off_is_named(write, bitext_of, cut, whole):
    for name in (cut, whole):
        write(name, "".join(f"{number * number}\n" for number in range(5000)))
    path = write(cut, "".join(f"{number * number}\n" for number in range(5000)))
    path.write_bytes(path.read_bytes()[:-2000])
    with pytest.raises(DataError, match=rf"/{cut} cannot be read .*complete"):
        bitext_of(source=["x.en.gz", "x.sw.gz"]).pairs()


def test_resource_files_of_macos_are_no_candidates(zipped, bitext_of, texts):
    zipped(OPUS | {f"__MACOSX/._Talks.en-sw.{language}": b"\x00\x05\x16" for language in ("en", "sw")})
    assert texts(bitext_of(source="talks.zip")) == [("one", "moja"), ("two", "mbili")]
