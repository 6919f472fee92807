"""Inference from per-topic scores: intervals, tests, power, an honest choice. Arrays in, arrays out, numpy alone."""

from optical_cli.statistics.bootstrap import bootstrap_intervals, bootstrap_means, percentile_intervals
from optical_cli.statistics.cross_fit import CrossFit, cross_fit
from optical_cli.statistics.effect_size import effect_size
from optical_cli.statistics.holm import holm
from optical_cli.statistics.interaction import interaction
from optical_cli.statistics.scores import TopicScores
from optical_cli.statistics.seed_interaction import seed_interaction
from optical_cli.statistics.sign_flip import sign_flip
from optical_cli.statistics.smallest_difference import smallest_difference

__all__ = [
    "CrossFit",
    "TopicScores",
    "bootstrap_intervals",
    "bootstrap_means",
    "cross_fit",
    "effect_size",
    "holm",
    "interaction",
    "percentile_intervals",
    "seed_interaction",
    "sign_flip",
    "smallest_difference",
]
