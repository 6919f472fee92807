import hashlib

import pytest

from optical_cli.cache.fingerprints import Fingerprints
from optical_cli.errors import DataError

HEAD = '<?xml version="1.0" encoding="UTF-8"?>\n<!DOCTYPE tmx SYSTEM "tmx14.dtd">\n<tmx version="1.4"><header/><body>\n'
UNITS = """<tu><tuv xml:lang="en-GB"><prop type="x">p</prop><seg>Tom &amp; <bpt i="1">&lt;b&gt;</bpt><hi>the
  boat</hi></seg></tuv><tuv xml:lang="SW"><note>n</note><seg>Tom na mashua</seg></tuv></tu>
<tu><tuv xml:lang="sw_KE"><seg>mbili</seg></tuv><tuv xml:lang="de"><seg>zwei</seg></tuv><tuv lang="en"><seg>two</seg>
</tuv><tuv xml:lang="en-US"><seg>another two</seg></tuv></tu>
<tu><tuv xml:lang="en"><seg>three</seg></tuv></tu>
<tu><tuv xml:lang="en"><seg> </seg></tuv><tuv xml:lang="sw"><seg>nne</seg></tuv></tu>
"""
TAIL = "</body></tmx>\n"


@pytest.mark.parametrize("name", ["m.tmx", "m.tmx.gz", "m.TMX.zst"])
def test_a_unit_is_the_pair_of_its_texts_by_language(write, bitext_of, texts, name):
    write(name, HEAD + UNITS + TAIL)
    bitext = bitext_of(source=name)
    assert texts(bitext) == [("Tom & the boat", "Tom na mashua"), ("two", "mbili")]
    assert [(reason, row.place.number) for reason, row in bitext.selection.sample] == [("empty", 8), ("empty", 9)]


def test_columns_name_the_languages(write, bitext_of, texts):
    write("m.tmx", HEAD + UNITS + TAIL)
    assert texts(bitext_of(source="m.tmx", columns=["de", "sw"])) == [("zwei", "mbili")]
    with pytest.raises(
        DataError, match=r"expected sentences in yo, found SW, de, en, en-GB, en-US, sw, sw_KE; set `columns`"
    ):
        bitext_of(source="m.tmx", columns=["en", "yo"]).pairs()


def test_units_are_read_across_chunks(write, bitext_of, texts):
    unit = '<tu><tuv xml:lang="en"><seg>boat {0}</seg></tuv><tuv xml:lang="sw"><seg>mashua {0}</seg></tuv></tu>\n'
    write("m.tmx", HEAD + "".join(unit.format(number) for number in range(3000)) + TAIL)
    assert texts(bitext_of(source="m.tmx")) == [(f"boat {number}", f"mashua {number}") for number in range(3000)]


@pytest.mark.parametrize(
    "declared",
    [
        '<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;">',
        '<!ENTITY file SYSTEM "/etc/passwd">',
        '<!ENTITY % part SYSTEM "https://example.org/x.dtd">',
    ],
)
def test_entity_declarations_are_refused_with_their_line(write, bitext_of, declared):
    path = write("m.tmx", f'<?xml version="1.0"?>\n<!DOCTYPE tmx [\n{declared}]>\n<tmx><body>{UNITS}{TAIL}')
    with pytest.raises(DataError) as caught:
        bitext_of(source="m.tmx").pairs()
    assert str(caught.value).startswith(f"{path}, line 3: expected no entity declarations, found a declaration of ")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (HEAD + UNITS, "line 10: expected TMX, found no element found"),
        (HEAD + "<tu></tuv>", "line 4: expected TMX, found mismatched tag"),
        ("one\tmoja\n", "line 1: expected TMX, found syntax error"),
    ],
)
def test_invalid_xml_is_refused_with_its_line(write, bitext_of, text, said):
    path = write("m.tmx", text)
    with pytest.raises(DataError) as caught:
        bitext_of(source="m.tmx").pairs()
    assert str(caught.value).startswith(f"{path}, {said}")


def unit(text):
    return f'<tu><tuv xml:lang="en"><seg>{text}</seg></tuv><tuv xml:lang="sw"><seg>mkahawa</seg></tuv></tu>\n'


def test_an_entity_of_a_missing_dtd_is_read_as_html(write, bitext_of, texts):
    write("m.tmx", HEAD + unit("caf&eacute;&nbsp;&amp; <ph>&unheard;</ph>bar&hellip;") + TAIL)
    assert texts(bitext_of(source="m.tmx")) == [("café & bar…", "mkahawa")]


@pytest.mark.parametrize("head", [HEAD, HEAD.replace('SYSTEM "tmx14.dtd"', "[%more;]")])
def test_an_unknown_entity_is_refused_with_its_line(write, bitext_of, head):
    path = write("m.tmx", head + unit("coffee") + unit("caf&unheard;") + TAIL)
    with pytest.raises(DataError) as caught:
        bitext_of(source="m.tmx").pairs()
    said = f"{path}, line 5: expected an entity of XML or HTML, found the entity 'unheard'; replace it by its text"
    assert str(caught.value) == said


def test_an_entity_of_html_without_a_doctype_is_refused(write, bitext_of):
    path = write("m.tmx", (HEAD + unit("caf&eacute;") + TAIL).replace('<!DOCTYPE tmx SYSTEM "tmx14.dtd">\n', ""))
    with pytest.raises(DataError, match=rf"{path}, line 3: expected TMX, found undefined entity"):
        bitext_of(source="m.tmx").pairs()


def test_the_fingerprint_depends_on_languages_and_undeclared_entities_only(write, bitext_of, tmp_path):
    def digest(**settings):
        return bitext_of(source="m.tmx", **settings).fingerprint(Fingerprints(tmp_path / "memo"))

    def plain(path, *columns):
        file = hashlib.sha256(path.read_bytes()).hexdigest()
        return hashlib.sha256("\n".join([file, "tmx", *columns]).encode()).hexdigest()

    path = write("m.tmx", HEAD + UNITS + TAIL)
    assert digest() == plain(path, "en", "sw")
    assert digest(columns=["sw", "en"]) == plain(path, "sw", "en")
    path = write("m.tmx", HEAD + unit("caf&eacute; of another length") + TAIL)
    assert digest() != plain(path, "en", "sw")
    path = write("m.tmx", "no TMX, which is for the reader to say")
    assert digest() == plain(path, "en", "sw")
