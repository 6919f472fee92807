import re
from dataclasses import replace
from math import inf
from pathlib import Path

import pytest
from matplotlib.image import imread

from optical_cli.artifacts.result import Setting
from optical_cli.artifacts.scores import Scores
from optical_cli.errors import ConfigError, DataError
from optical_cli.report.findings import duels
from optical_cli.report.scatter import check_picture, draw_scatter

SHARP, BLUNT = Setting("transport", 0.1), Setting("transport", inf)


@pytest.fixture
def found(make_world):
    worlds = [*make_world({0.1: 0.1, inf: 0.0}), *make_world({0.1: 0.5, inf: 0.7}, "en-yo", topics=40)]
    return duels(worlds, SHARP, BLUNT, "ndcg@10", 13)


def test_every_topic_is_above_below_or_on_the_diagonal(found, tmp_path):
    draw_scatter(found, "ndcg@10", tmp_path / "points.svg")
    texts = re.findall(r"<text [^>]*>([^<]*)", (tmp_path / "points.svg").read_text())
    for duel in found:
        one = duel.comparison
        alike = len(duel.topics) - one.wins - one.losses
        assert f"{one.pair}: {one.wins} above, {one.losses} below, {alike} equal" in texts
    assert "↑ nDCG@10 of reg 0.1 (means over seeds)" in texts
    assert any(text.startswith("→ nDCG@10 of reg inf (means over seeds)") for text in texts)


def test_topics_at_one_place_are_one_larger_point(make_result, tmp_path):
    def cell(reg, values):
        scores = Scores({"ndcg@10": {f"q{n}": value for n, value in enumerate(values)}}, {"ndcg@10": 0.5}, 4, 0, 0)
        return replace(make_result(reg=reg), scores=scores)

    together = duels([cell(0.1, [1, 1, 1, 0]), cell(inf, [0, 0, 0, 0])], SHARP, BLUNT, "ndcg@10", 13)
    draw_scatter(together, "ndcg@10", tmp_path / "points.svg")
    drawn = (tmp_path / "points.svg").read_text()
    assert "yo-yo: 3 above, 0 below, 1 equal" in drawn
    assert len(re.findall(r'<path class="above"', drawn)) == 1
    assert len(re.findall(r'<circle class="alike"', drawn)) == 1


def test_no_name_runs_over_the_edge_of_a_single_panel(found, tmp_path):
    long = replace(BLUNT, variant="with index.storage=int8, index.pool_factor=2 of an-experiment-of-a-long-name")
    one = found[0].comparison
    for comparison in (one, replace(one, reference=long), replace(one, setting=long)):
        draw_scatter([replace(found[0], comparison=comparison)], "ndcg@10", tmp_path / "points.png")
        picture = imread(tmp_path / "points.png")[..., :3]
        assert picture.min() < 0.5
        assert min(edge.min() for edge in (picture[0], picture[-1], picture[:, 0], picture[:, -1])) == 1


@pytest.mark.parametrize("name", ["points.svg", "points.PNG", "points.pdf"])
def test_the_same_scores_give_the_same_bytes(found, tmp_path, name):
    for folder in "ab":
        draw_scatter(found, "ndcg@10", tmp_path / folder / name)
    first, second = ((tmp_path / folder / name).read_bytes() for folder in "ab")
    assert first == second


def test_a_file_of_another_kind_is_refused():
    with pytest.raises(ConfigError, match=r"--scatter points: a file that ends in \.svg, \.png or \.pdf expected"):
        check_picture(Path("points"), "--scatter")


def test_what_cannot_be_written_is_an_error_of_a_line(found, tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(DataError, match="the picture cannot be written"):
        draw_scatter(found, "ndcg@10", tmp_path / "file" / "points.svg")
