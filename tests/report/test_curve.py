import math
import re
from dataclasses import replace

import pytest

from optical_cli.report.answer import answer
from optical_cli.report.curve import Axes, draw_curve, measured_curves, spread
from optical_cli.report.page import page

GRID = (0.0, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, math.inf)


@pytest.fixture
def draw(study_of):
    def drawn(results, folder):
        folder.mkdir(exist_ok=True)
        svg, png = folder / "curve.svg", folder / "curve.png"
        draw_curve(study_of(results), svg, png)
        return svg, png

    return drawn


def drawn_text(svg):
    return re.findall(r"<text [^>]*>([^<]*)", svg.read_text())


def test_the_axis_is_logarithmic_with_its_ends_apart():
    axes = Axes(GRID)
    places = [axes.x[reg] for reg in GRID]
    assert places == sorted(places)
    assert axes.x[0.1] - axes.x[0.01] == pytest.approx(axes.x[1.0] - axes.x[0.1], abs=0.2)
    assert places[1] - places[0] == pytest.approx(places[-1] - places[-2], abs=0.2)
    assert axes.named(most=100) == [0.0, math.inf, *GRID[1:-1]]
    assert axes.named(most=3) == [0.0, math.inf, 0.05]


def test_labels_are_moved_apart_as_little_as_can_be():
    assert spread([], 0.1) == []
    assert spread([0.1, 0.5], 0.1) == [0.1, 0.5]
    assert spread([0.5, 0.5], 0.1) == pytest.approx([0.45, 0.55])
    assert spread([0.2, 0.5, 0.5, 0.5, 0.61], 0.1) == pytest.approx([0.2, 0.3775, 0.4775, 0.5775, 0.6775])


def test_breaks_are_at_the_ends_that_stand_apart():
    assert Axes(GRID).breaks == [(0.0, 0.01), (1.0, math.inf)]
    assert Axes((0.1, 1.0)).breaks == []
    assert Axes((0.0,)).breaks == []


def test_the_same_results_give_the_same_bytes(draw, sweep, tmp_path):
    first, second = draw(sweep, tmp_path / "a"), draw(sweep, tmp_path / "b")
    assert [path.read_bytes() for path in first] == [path.read_bytes() for path in second]


def measured(results, name, values):
    return [
        one if one.reg is None else replace(one, health={name: values[one.pair][one.reg] + 0.1 * (one.seed - 2)})
        for one in results
    ]


def test_curves_over_what_was_measured_stand_at_the_mean_over_seeds(make_result, study_of):
    results = [
        make_result(pair, reg, 0.5 + reg, seed=seed)
        for pair in ("sw-sw", "yo-yo")
        for reg in (0.01, 0.1)
        for seed in (1, 3)
    ]
    values = {"sw-sw": {0.01: 2.5, 0.1: 20.0}, "yo-yo": {0.01: 17.0, 0.1: 57.0}}
    sw, yo = measured_curves(study_of(measured(results, "effective_targets", values)))
    assert (list(sw.trained), list(yo.trained)) == ([2.5, 20.0], [17.0, 57.0])
    assert sw.trained[2.5].setting.label == "reg 0.01"
    assert (sw.across, sw.said) == ("effective targets", "nDCG@10 of sw-sw against effective targets.")
    assert measured_curves(study_of(results)) == []  # nothing was measured


def test_effective_targets_stand_in_place_of_reg_and_the_reg_that_was_found_is_measured(
    make_result, study_of, tmp_path
):
    results = [make_result("sw-sw", targets, 0.1 * targets, objective="targets") for targets in (2.0, 4.0)]
    values = {"sw-sw": {2.0: 0.15, 4.0: 0.25}}
    study = study_of(measured([replace(one, seed=2) for one in results], "reg_found", values))
    (curve,) = measured_curves(study)
    assert (list(curve.trained), curve.across) == ([0.15, 0.25], "reg")
    draw_curve(study, tmp_path / "curve.svg")
    assert "nDCG@10 against effective targets (student tokens that a teacher token is spread over" in " ".join(
        drawn_text(tmp_path / "curve.svg")
    )
    assert "What the strength of the transport regularization does to nDCG@10." in page(study)
    assert "nDCG@10 against strength" in page(study)
    assert answer(study)[0].startswith("targets 4 has the highest mean nDCG@10")


def test_names_pairs_baselines_and_both_ends(draw, sweep, tmp_path):
    texts = drawn_text(draw(sweep, tmp_path)[0])
    assert {"0", "0.02", "0.1", "inf"} <= set(texts)
    assert {"sw-sw", "en-sw", "untrained start 0.100", "untrained start 0.200", "tiny: full corpus"} <= set(texts)
    said = " ".join(texts)
    assert "nDCG@10 against reg" in said
    assert "Dot: mean over topics and seeds; ring: a single seed; " in said
    assert "cross: failed." in said
    assert texts.count("nDCG@10") == 2  # names of the axes


def test_differing_corpora_are_named_with_each_pair(draw, make_result, tmp_path):
    results = [make_result(reg=0.1, value=0.2), make_result("yo-en", 0.1, 0.6, corpus="pooled 5000")]
    texts = drawn_text(draw(results, tmp_path)[0])
    assert {"yo-yo (full)", "yo-en (pooled 5000)"} <= set(texts)


def test_every_pair_has_a_panel_with_all_its_level_lines(draw, make_result, tmp_path):
    results = []
    for pair in ("a-b", "b-a", "b-b"):
        results += [make_result(pair, reg, 0.5) for reg in GRID]
        results += [make_result(pair, value=0.1, objective=name) for name in ("none", "greedy", "pooled_mse")]
    texts = drawn_text(draw(results, tmp_path)[0])
    assert texts.count("greedy alignment 0.100") == 3
    assert {"a-b", "b-a", "b-b"} <= set(texts)


@pytest.mark.parametrize("regs", [(0.05,), (0.0,), (math.inf,), (0.0, math.inf), ()])
def test_draws_any_grid(draw, make_result, tmp_path, regs):
    results = [make_result(reg=reg, value=0.5) for reg in regs] + [make_result(value=0.1, objective="none")]
    svg, png = draw(results, tmp_path)
    assert svg.stat().st_size > 1000
    assert png.read_bytes().startswith(b"\x89PNG")


def test_draws_when_nothing_was_scored(draw, make_result, tmp_path):
    draw([make_result(reg=0.1, failure="no")], tmp_path)


def test_names_are_drawn_as_they_are(draw, make_result, tmp_path):
    texts = drawn_text(draw([make_result("a$_{", 0.1, 0.5), make_result("b$", 0.1, 0.4)], tmp_path)[0])
    assert {"a$_{", "b$"} <= set(texts)


def test_drawing_leaves_the_settings_of_matplotlib_alone(draw, sweep, tmp_path):
    import matplotlib as mpl

    with mpl.rc_context({"font.size": 17.0}):
        draw(sweep, tmp_path)
        assert mpl.rcParams["font.size"] == 17.0
        assert mpl.rcParams["svg.hashsalt"] != "optical"


def test_intervals_are_drawn_and_named(draw, make_world, make_result, tmp_path):
    svg = draw(make_world({0.1: 0.0, 1.0: 0.1}), tmp_path)[0]
    assert "bar: 95 % interval over topics and seeds" in " ".join(drawn_text(svg))
    assert svg.read_text().count('class="interval"') == 2
    svg = draw([make_result(reg=0.1, value=0.2)], tmp_path)[0]
    assert "bar:" not in " ".join(drawn_text(svg))
    assert 'class="interval"' not in svg.read_text()
