"""Measures of a run against judgements."""

from optical_cli.evaluate.measure_run import Judgements, evaluate_run, warm_up

__all__ = ["Judgements", "evaluate_run", "warm_up"]
