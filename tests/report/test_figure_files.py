import pytest
from matplotlib.font_manager import fontManager
from matplotlib.image import imread

from optical_cli.report import figure_files
from optical_cli.report.drawing import LOOKS, Bundle, Dot, Drawing, Label, Line, box


def pixels(shapes, path, size=40):
    """The picture as rows of red, green and blue, two pixels to one of the drawing."""
    figure_files.write_figure(Drawing(size, size, shapes), path)
    return imread(path)[..., :3]


def test_shapes_stand_where_and_as_they_do_in_svg(tmp_path):
    shapes = [
        box("tile", 0, 0, 10, 10),
        box("tile", 10, 0, 10, 10, strength=0.5),
        Bundle([Dot("mean", 5, 5, 4), Line("axis", ((0, 15), (10, 15)))], x=20, y=20),
    ]
    drawn = pixels(shapes, tmp_path / "a.png")
    assert drawn.shape[:2] == (80, 80)
    accent = tuple(int(LOOKS["tile"]["fill"][i : i + 2], 16) / 255 for i in (1, 3, 5))
    assert tuple(drawn[10, 10]) == tuple(drawn[50, 50]) == pytest.approx(accent, abs=0.01)
    assert tuple(drawn[10, 30]) == pytest.approx([(1 + value) / 2 for value in accent], abs=0.01)
    assert tuple(drawn[50, 10]) == (1, 1, 1)
    assert drawn[70, 50].max() < 0.6
    assert tuple(drawn[70, 70]) == (1, 1, 1)


def test_a_shape_covers_those_before_it(tmp_path):
    below = Label("title", 0, 20, "MMMM")
    drawn = pixels([below, box("paper", 0, 0, 40, 40)], tmp_path / "a.png")
    assert drawn.min() == 1
    assert pixels([below], tmp_path / "a.png").min() < 0.5


def test_text_is_drawn_as_it_is_and_what_no_font_has_without_a_warning(tmp_path, monkeypatch, recwarn):
    base = [font for font in fontManager.ttflist if font.name == "DejaVu Sans"]
    monkeypatch.setattr(fontManager, "ttflist", base)
    for text in ("a$_{", "$\\frac{$", "नाव", "\x1b[2J"):
        assert pixels([Label("text", 0, 20, text)], tmp_path / "a.png").min() < 0.5
    assert not list(recwarn)


def test_turned_text_reads_upwards(tmp_path):
    drawn = pixels([Label("token", 20, 5, "lllll", turned=True)], tmp_path / "a.png") < 0.5
    rows, columns = drawn.any(axis=(1, 2)).nonzero()[0], drawn.any(axis=(0, 2)).nonzero()[0]
    assert rows.min() >= 10
    assert rows.max() - rows.min() > columns.max() - columns.min()


def test_the_settings_of_the_user_do_not_count_and_are_left_alone(tmp_path):
    import matplotlib as mpl

    shapes = [Label("text", 0, 20, "text"), Line("level", ((0, 0), (40, 40)))]
    figure_files.write_figure(Drawing(40, 40, shapes), tmp_path / "a.png")
    with mpl.rc_context({"font.size": 17.0, "lines.scale_dashes": True, "figure.facecolor": "black"}):
        figure_files.write_figure(Drawing(40, 40, shapes), tmp_path / "b.png")
        assert mpl.rcParams["font.size"] == 17.0
    assert (tmp_path / "a.png").read_bytes() == (tmp_path / "b.png").read_bytes()


def test_fonts_are_added_for_what_those_before_lack(monkeypatch):
    from matplotlib import font_manager

    held = {"DejaVu Sans": "ab", "Old Face": "kl", "Noto Sans Kaithi": "km", "Last Resort": "abkmxyz"}
    paths = {font_manager.findfont("DejaVu Sans"): "DejaVu Sans"} | {name: name for name in held}
    fonts = [font_manager.FontEntry(fname=name, name=name, style="normal", weight=400) for name in held]
    monkeypatch.setattr(font_manager.fontManager, "ttflist", fonts)
    monkeypatch.setattr(figure_files, "_characters", lambda path, wanted: {c for c in wanted if c in held[paths[path]]})
    found = figure_files.find_glyphs(["ak", "m", "x", "\x07"])
    assert found.families == ("DejaVu Sans", "Noto Sans Kaithi")
    assert found.missing == {"x", "\x07"}
    assert found.draw("akm")
    assert not found.draw("ax")
    assert figure_files.find_glyphs(["l"]).families == ("DejaVu Sans", "Old Face")


def test_a_font_file_that_cannot_be_read_has_no_characters(tmp_path):
    (tmp_path / "bad.ttf").write_bytes(b"no font")
    assert figure_files._characters(str(tmp_path / "bad.ttf"), "a") == set()


def test_a_pdf_is_of_the_drawings_size_with_fonts_that_publishers_take(tmp_path):
    shapes = [Label("text", 0, 20, "text नाव"), Line("level", ((0, 0), (40, 40))), Dot("mean", 5, 5, 4)]
    for name in "ab":
        figure_files.write_figure(Drawing(144, 72, shapes), tmp_path / f"{name}.pdf")
    written = (tmp_path / "a.pdf").read_bytes()
    assert written == (tmp_path / "b.pdf").read_bytes()
    assert b"/MediaBox [ 0 0 144 72 ]" in written
    assert b"/Subtype /Type3" not in written
    assert b"/FontFile2" in written
