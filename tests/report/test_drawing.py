import re
from xml.etree import ElementTree as ET

import pytest

from optical_cli.report.drawing import (
    COLOURS,
    LOOKS,
    Bundle,
    Dot,
    Drawing,
    Label,
    Line,
    box,
    sheet,
    slot,
    svg,
    width_of,
    write_svg,
)  # fmt: skip

EVIL = "<script>alert('1')</script>\x1b[31m\u202e & \"x\" שלום 🙂"
SVG = "{http://www.w3.org/2000/svg}"


@pytest.fixture
def drawing():
    shapes = [
        Line("curve", ((0, 1), (2.5, 3))),
        box("tile", 0, 0, 15, 15, EVIL, strength=0.5),
        Bundle([Dot("mean", 1, 2, 4.5), Label("token", 3, 4, EVIL, turned=True)], EVIL, x=10, y=20),
    ]
    return Drawing(100, 50, shapes, [EVIL], EVIL)


def test_a_file_is_xml_in_which_text_of_data_is_text(drawing, tmp_path):
    write_svg(drawing, tmp_path / "a.svg")
    root = ET.parse(tmp_path / "a.svg").getroot()  # noqa: S314 - a file of ours
    tags = [element.tag.removeprefix(SVG) for element in root.iter()]
    assert set(tags) == {"svg", "title", "style", "path", "circle", "g", "text"}
    said = EVIL.replace("\x1b", "\\u001b").replace("\u202e", "\\u202e")
    assert [element.text for element in root.iter(f"{SVG}title")] == [said] * 3
    assert [element.text for element in root.iter(f"{SVG}text")] == [said]


def test_a_file_needs_nothing_besides_and_no_variables(drawing, tmp_path):
    write_svg(drawing, tmp_path / "a.svg")
    text = (tmp_path / "a.svg").read_text(encoding="utf-8")
    assert "var(" not in text
    assert not re.search(r"url\(|@import|href", text)
    assert all(f"svg .{look} {{" in text for look in LOOKS)


def test_an_element_of_a_page_has_the_colours_of_the_page(drawing):
    text = svg(drawing, "one")
    assert not any(colour in text for colour in COLOURS.values())
    assert text.startswith('<svg viewBox="0 0 100 50" width="100" height="50" role="img" aria-labelledby="one">')
    assert '<path class="tile" d="M0,0 15,0 15,15 0,15 0,0" fill-opacity="0.5"><title>' in text
    assert '<g transform="translate(10 20)"><title>' in text
    assert '<text class="token" transform="translate(3 4) rotate(-90)">' in text
    assert 'aria-hidden="true"' in svg(Drawing(1, 1, []), "two")


def test_every_look_says_how_it_is_drawn():
    assert set(COLOURS) == {"paper", "ink", "faint", "rule", "accent", "level"}
    for look in LOOKS.values():
        drawn = {"font-size"} if "font-size" in look else {"fill", "stroke"}
        assert drawn & set(look)
        assert {look.get("fill", "#fff"), look.get("stroke", "#fff")} <= set(COLOURS.values())


def test_a_text_of_wide_letters_is_wider_and_one_of_marks_is_not():
    assert width_of("日本", "token") == 2 * width_of("ab", "token")
    assert width_of("e\u0301", "token") == width_of("e", "token")
    assert width_of("ab", "caption") > width_of("ab", "title") * 0.99 > width_of("ab", "text")


def test_drawings_of_a_sheet_stand_apart_below_their_captions():
    one, wide = Drawing(100, 80, [], ["a", "b"], "One."), Drawing(50, 30, [], ["a caption that is wider"], "Two.")
    whole = sheet([[one, wide], [one]], "title", ["some text " * 20], ["a note"])
    groups = [shape for shape in whole.shapes if isinstance(shape, Bundle)]
    assert [group.x for group in groups] == [14, 14 + slot(one), 14]
    assert groups[0].y == groups[1].y
    assert groups[2].y > groups[0].y + 80 + 2 * 18
    assert slot(wide) > 50 + 14
    assert [shape.text for shape in groups[0].shapes] == ["a", "b"]
    assert whole.said == "title One. Two. One."
    lines = [shape for shape in whole.shapes if isinstance(shape, Label)]
    assert lines[0].text == "title"
    assert lines[-1].text == "a note"
    assert len(lines) > 4
    assert all(line.x + width_of(line.text, line.look) <= whole.width for line in lines)
    assert lines[-1].y < whole.height
