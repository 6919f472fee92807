import re
from dataclasses import replace

import numpy as np
import pytest

from optical_cli.align.aligned_pair import AlignedPair, Alignment
from optical_cli.report import glyphs
from optical_cli.report.heat_map import draw_heat_maps

INF = float("inf")
ENGLISH = ("[CLS]", "the", "boat", "is", "mend", "##ed", "[SEP]")
SWAHILI = ("[CLS]", "mashua", "ina", "##tengenezwa", "[SEP]")


def make_pair(rows=ENGLISH, columns=SWAHILI, regs=(0.0, 0.05, INF), **changes):
    def alignment(reg):
        plan = np.full((len(rows), len(columns)), 1 / len(rows) / len(columns))
        health = {"converged": reg != 0.05, "iterations": 3, "marginal_error": 1e-5, "mass": 1.0}
        return Alignment(reg, plan, 0.25, float(len(columns)), **health)

    mass = ((1 / len(rows),) * len(rows), (1 / len(columns),) * len(columns))
    pair = AlignedPair("held-out 1", "The boat is mended.", "Mashua inatengenezwa.", rows, columns, *mass, ())
    return replace(pair, alignments=tuple(map(alignment, regs)), **changes)


@pytest.fixture
def draw(tmp_path):
    def drawn(pair, name="pair"):
        svg, png = tmp_path / f"{name}.svg", tmp_path / f"{name}.png"
        named = draw_heat_maps(pair, "tiny sw", svg, png)
        return named, re.findall(r"<!-- (.*?) -->", svg.read_text(encoding="utf-8")), svg, png

    return drawn


def size(svg):
    return [float(number) for number in re.findall(r'(?:width|height)="([0-9.]+)pt"', svg.read_text())[:2]]


def test_names_tokens_sentences_regs_and_what_did_not_converge(draw):
    named, texts, _, png = draw(make_pair())
    assert named
    assert {*ENGLISH, "mashua", "The boat is mended.", "Mashua inatengenezwa."} <= set(texts)
    assert {"reg 0", "reg 0.05, not converged", "reg inf", "cost 0.250", "effective targets 5.0", "100%"} <= set(texts)
    assert texts.count("mashua") == 3  # below each panel
    assert texts.count("boat") == 1  # beside the first alone
    assert png.read_bytes().startswith(b"\x89PNG")


def test_the_same_plans_give_the_same_bytes(draw):
    first, second = draw(make_pair(), "a"), draw(make_pair(), "b")
    assert [path.read_bytes() for path in first[2:]] == [path.read_bytes() for path in second[2:]]


def test_a_share_has_the_same_colour_under_every_reg_and_in_every_picture(draw):
    def colours(pair):
        _, _, svg, _ = draw(pair)
        cells = re.findall(r'<g id="QuadMesh_\d+">(.*?)</g>', svg.read_text(), re.DOTALL)
        return [set(re.findall(r"fill: (#[0-9a-f]{6})", cell)) for cell in cells]

    half = make_pair(("a", "b"), ("c", "d"), regs=(0.0, INF))
    whole = replace(half.alignments[0], plan=np.eye(2) / 2)
    only_half, both = colours(half), colours(replace(half, alignments=(whole, half.alignments[1])))
    assert only_half[0] == only_half[1] == both[1]
    assert len(both[0]) == 2
    assert both[0].isdisjoint(both[1])


def test_panels_of_forty_tokens_stand_in_two_rows_and_short_ones_in_one(draw):
    regs = (0.0, 0.05, 1.0, INF)
    for columns, rows in ((SWAHILI * 8, 2), (SWAHILI[:1], 1)):
        _, texts, svg, _ = draw(make_pair(("boat", "net"), columns, regs))
        assert texts.count("boat") == rows  # beside the first panel of each
        assert size(svg)[0] < 18.5 * 72


def test_the_numbers_of_the_colour_bar_fit_beside_a_single_token(draw):
    _, texts, svg, _ = draw(make_pair(("a",), ("b",), (0.0,)))
    assert {"0%", "100%"} <= set(texts)
    assert size(svg)[1] > 1.8 * 72


def test_tokens_that_no_font_has_are_named_by_their_place_without_a_warning(draw, monkeypatch, recwarn):
    monkeypatch.setattr("matplotlib.font_manager.fontManager.ttflist", [])
    named, texts, _, _ = draw(make_pair(columns=("[CLS]", "नाव", "\x1b[2J", "a\nb"), translation="नाव की"))
    assert not named
    assert {"[CLS]", "#2", "#3", "#4"} <= set(texts)
    assert "नाव की" not in texts
    assert not list(recwarn)


def test_signs_of_markup_are_drawn_as_they_are(draw):
    named, texts, _, _ = draw(make_pair(columns=("a$_{", "b$", "<i>", "&amp;"), text="$\\frac{$ <b>"))
    assert named
    assert {"a$_{", "b$", "&lt;i&gt;"} <= set(texts)


def test_a_long_token_is_cut_and_a_long_sentence_wrapped(draw):
    _, texts, _, _ = draw(make_pair(columns=("internationalisation" * 3, "b"), text="the boat " * 60))
    assert "internationalisat…" in texts
    assert sum(text.startswith(("the boat", "boat the")) for text in texts) > 1


def test_fonts_are_added_for_what_those_before_lack(monkeypatch):
    from matplotlib import font_manager

    held = {"DejaVu Sans": "ab", "Old Face": "kl", "Noto Sans Kaithi": "km", "Last Resort": "abkmxyz"}
    paths = {font_manager.findfont("DejaVu Sans"): "DejaVu Sans"} | {name: name for name in held}
    fonts = [font_manager.FontEntry(fname=name, name=name, style="normal", weight=400) for name in held]
    monkeypatch.setattr(font_manager.fontManager, "ttflist", fonts)
    monkeypatch.setattr(glyphs, "_characters", lambda path, wanted: {c for c in wanted if c in held[paths[path]]})
    found = glyphs.find_glyphs(["ak", "m", "x", "\x07"])
    assert found.families == ("DejaVu Sans", "Noto Sans Kaithi")
    assert found.missing == {"x", "\x07"}
    assert found.draw("akm")
    assert not found.draw("ax")
    assert glyphs.find_glyphs(["l"]).families == ("DejaVu Sans", "Old Face")


def test_a_font_file_that_cannot_be_read_has_no_characters(tmp_path):
    (tmp_path / "bad.ttf").write_bytes(b"no font")
    assert glyphs._characters(str(tmp_path / "bad.ttf"), "a") == set()
