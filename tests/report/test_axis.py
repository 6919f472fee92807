import math

import pytest

from optical_cli.report.axis import Scale, spread

GRID = (0.0, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, math.inf)


def test_the_axis_is_logarithmic_with_its_ends_apart():
    scale = Scale(GRID)
    places = [scale(reg) for reg in GRID]
    assert places == sorted(places)
    assert scale(0.1) - scale(0.01) == pytest.approx(1.0)
    assert places[1] - places[0] == pytest.approx(places[-1] - places[-2])
    assert scale.ticks(most=100) == [0.0, math.inf, *GRID[1:-1]]
    assert scale.ticks(most=3) == [0.0, math.inf, 0.05]


def test_labels_are_moved_apart_as_little_as_can_be():
    assert spread([], 0.1) == []
    assert spread([0.1, 0.5], 0.1) == [0.1, 0.5]
    assert spread([0.5, 0.5], 0.1) == pytest.approx([0.45, 0.55])
    assert spread([0.2, 0.5, 0.5, 0.5, 0.61], 0.1) == pytest.approx([0.2, 0.3775, 0.4775, 0.5775, 0.6775])


def test_breaks_are_at_the_ends_that_stand_apart():
    assert Scale(GRID).breaks == [(0.0, 0.01), (math.inf, 1.0)]
    assert Scale((0.1, 1.0)).breaks == []
    assert Scale((0.0,)).breaks == []
