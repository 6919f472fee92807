import math
import re
from dataclasses import replace

import numpy as np
import pytest
from matplotlib.font_manager import fontManager

from optical_cli.align.aligned_pair import AlignedPair, AlignedSentences, Alignment
from optical_cli.report.drawing import Label, Line
from optical_cli.report.heat_map import draw_heat_maps, draw_maps
from optical_cli.report.page import page

INF = math.inf
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
        return named, re.findall(r"<text [^>]*>([^<]*)", svg.read_text(encoding="utf-8")), svg, png

    return drawn


def size(svg):
    return [float(number) for number in re.findall(r' (?:width|height)="([0-9.]+)"', svg.read_text())[:2]]


def test_names_tokens_sentences_regs_and_what_did_not_converge(draw):
    named, texts, _, png = draw(make_pair())
    assert named
    assert {*ENGLISH, "mashua", "The boat is mended.", "Mashua inatengenezwa."} <= set(texts)
    assert {"reg 0", "reg 0.05, NOT converged", "reg inf", "cost 0.250", "effective targets 5.0", "100%"} <= set(texts)
    assert texts.count("mashua") == texts.count("boat") == 3  # beside each map
    assert png.read_bytes().startswith(b"\x89PNG")


def test_the_same_plans_give_the_same_bytes(draw):
    first, second = draw(make_pair(), "a"), draw(make_pair(), "b")
    assert [path.read_bytes() for path in first[2:]] == [path.read_bytes() for path in second[2:]]


def test_a_share_has_the_same_colour_under_every_reg_and_in_every_picture(draw):
    def colours(pair):
        _, _, svg, _ = draw(pair)
        maps = re.findall(r"<g transform=.*?</g>", svg.read_text(), re.DOTALL)[:2]
        return [set(re.findall(r'class="tile" d="[^"]*"( fill-opacity="[0-9.]+")?', one)) for one in maps]

    half = make_pair(("a", "b"), ("c", "d"), regs=(0.0, INF))
    whole = replace(half.alignments[0], plan=np.eye(2) / 2)
    only_half, both = colours(half), colours(replace(half, alignments=(whole, half.alignments[1])))
    assert only_half[0] == only_half[1] == both[1]
    assert len(both[0]) == len(both[1]) == 1
    assert both[0].isdisjoint(both[1])


def test_panels_of_forty_tokens_stand_in_two_rows_and_short_ones_in_one(draw):
    regs = (0.0, 0.05, 1.0, INF)
    for columns, rows in ((SWAHILI * 8, 2), (SWAHILI[:1], 1)):
        _, texts, svg, _ = draw(make_pair(("boat", "net"), columns, regs))
        assert texts.count("boat") == 4
        places = re.findall(r'<g transform="translate\(\S+ (\S+)\)">', svg.read_text())
        assert len(set(places)) == rows
        assert size(svg)[0] < 18.5 * 96


def test_the_numbers_of_the_colour_bar_fit_beside_a_single_token(draw):
    _, texts, svg, _ = draw(make_pair(("a",), ("b",), (0.0,)))
    assert {"0%", "100%"} <= set(texts)
    assert size(svg)[1] > 1.8 * 96


def test_tokens_that_no_font_has_are_named_by_their_place_without_a_warning(draw, monkeypatch, recwarn):
    base = [font for font in fontManager.ttflist if font.name == "DejaVu Sans"]
    monkeypatch.setattr(fontManager, "ttflist", base)
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


@pytest.fixture
def uneven():
    """Two teacher tokens: under reg 0 each sends its mass to few, under reg inf to all alike."""
    sharp = np.array([[0.5, 0, 0, 0], [0, 0.4, 0.098, 0.002]])
    blunt = np.full((2, 4), 1 / 8)
    alignments = (
        Alignment(0.0, sharp, 0.1234, 1.4, True, 0, 0.0, 1.0),
        Alignment(INF, blunt, 0.3, 4.0, False, 0, 0.5, 0.9),
    )
    tokens = ("<b>", "&amp;", "c", "a-very-long-token-of-a-word")
    return AlignedPair("held-out 1", "<i>x</i>", "'y\"", ("<s>", "two"), tokens, (0.5,) * 2, (0.25,) * 4, alignments)


def test_a_share_worth_a_tile_has_one_where_its_tokens_meet(uneven):
    sharp, blunt = draw_maps(uneven)
    tiles = [shape for shape in sharp.shapes if isinstance(shape, Line) and shape.look == "tile"]
    assert [tile.said for tile in tiles] == ["<s> → <b>: 100 %", "two → &amp;: 80 %", "two → c: 20 %"]
    left = tiles[0].points[0][0]
    assert [((tile.points[0][0] - left) / 15, tile.points[0][1] / 15) for tile in tiles] == [(0, 0), (1, 1), (2, 1)]
    assert [tile.strength for tile in tiles] == [1.0, 0.89, 0.44]
    assert sharp.caption == ["reg 0", "cost 0.123", "effective targets 1.4"]
    wide = [shape for shape in blunt.shapes if isinstance(shape, Line) and shape.look == "tile"]
    assert [(tile.points[1][0] - tile.points[0][0], tile.strength) for tile in wide] == [(60, 0.5)] * 2  # for all four
    assert blunt.caption == ["reg inf, NOT converged", "cost 0.300, mass 0.900", "effective targets 4.0"]
    assert [shape.text for shape in sharp.shapes if isinstance(shape, Label)][-1] == "a-very-long-token…"


def test_the_page_draws_them_with_all_text_escaped_and_the_same_in_words(uneven, make_result, study_of):
    results = [make_result(reg=0.1, value=0.4)]
    text = page(study_of(results, alignments=[AlignedSentences("sw+yo", "yo", (uneven,))]))
    assert "Alignments of held-out sentences" in text
    assert '<span dir="auto" lang="yo">&#39;y&#34;</span>' in text
    assert "&lt;i&gt;x&lt;/i&gt;" in text
    assert '<tr><th scope="row">&lt;s&gt;</th><td>&lt;b&gt; 100</td><td>4 about alike</td></tr>' in text
    assert '<span class="mark">cost 0.300, mass 0.900, effective targets 4.0</span>' in text
    assert "<i>" not in text
    assert "<b>" not in text
    assert text.count('<figure class="map">') == 2
    assert "held-out sentences" not in page(study_of(results))
