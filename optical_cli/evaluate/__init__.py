"""`optical evaluate`: measures of a run, given relevance judgements; and fusion of runs."""

from optical_cli.evaluate.measure_run import Judgements, evaluate_run, warm_up

__all__ = ["Judgements", "evaluate_run", "warm_up"]
