import math

import numpy as np
import pytest

from optical_cli.report.statistics.effect_size import effect_size


def test_it_is_t_over_the_root_of_the_topics(rng):
    from scipy import stats

    d = rng.normal(0.2, 1, size=40)
    assert effect_size(d) == pytest.approx(stats.ttest_1samp(d, 0).statistic / math.sqrt(40))


def test_differences_that_are_all_alike():
    assert effect_size(np.zeros(5)) == 0.0
    assert effect_size(np.full(5, -0.1)) == -math.inf
