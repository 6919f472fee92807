import zipfile

import pytest

from optical_cli.errors import DataError

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


def test_what_is_missing_ambiguous_or_uneven_is_named(zipped, bitext_of):
    path = zipped(OPUS)
    with pytest.raises(DataError, match=r"expected one file that ends in \.yo, found README, Talks\.en-sw\.en, "):
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
    with pytest.raises(DataError, match=r"talks\.zip cannot be read as a zip .*whole"):
        bitext_of(source="talks.zip").pairs()
