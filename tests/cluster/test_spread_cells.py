"""Cells made by workers, tested without a cluster: the workers are this process."""

import time

import pytest

from optical_cli.cluster.spread_cells import Outcome, spread_over
from optical_cli.errors import OutOfTime
from optical_cli.pipeline.cells import Cell
from optical_cli.sweep.sweep import run_sweep


class Here:
    """Workers in this process, which record their items."""

    count = 2

    def __init__(self, do=lambda work, item: work(item)):
        self.given = []
        self._do = do

    def as_done(self, work, items):
        for item in items:
            self.given.append(item)
            result = self._do(work, item)
            yield item, lambda result=result: result


def test_cells_of_different_students_come_first_and_cached_cells_are_not_sent(own_lab, own_swept, open_pipeline):
    workers, stood = Here(), []
    pipeline = open_pipeline(own_lab.experiment, own_swept, "transport.reg=[0.1,0.2,0.3]", remote=spread_over(workers))
    results, made = run_sweep(pipeline, lambda _result: None, stood.append)
    assert [(cell.pair, cell.reg) for cell in workers.given] == [
        ("sw-sw", 0.2), ("sw-sw", 0.3), ("sw-en", 0.2), ("sw-en", 0.3), ("en-sw", 0.2), ("en-sw", 0.3)
    ]  # fmt: skip
    assert made == 2 * (1 + 3 * 2 + 1)  # for each reg a student, an index, and a run and scores for each pair
    assert all(result.failure is None for result in results)
    assert [(result.pair, result.reg) for result in results[-3:]] == [("sw-sw", 0.3), ("sw-en", 0.3), ("en-sw", 0.3)]
    assert [standing.done for standing in stood] == list(range(13))


def test_cells_of_a_failed_student_are_not_sent(own_lab, own_swept, open_pipeline):
    settings = own_lab.settings(transport={"reg": [0.01], "max_iterations": 1, "threshold": 1e-9}, baselines=[])
    workers = Here()
    pipeline = open_pipeline(own_lab.write(settings), own_swept, remote=spread_over(workers))
    results, _ = run_sweep(pipeline, lambda _result: None)
    assert len(workers.given) == 1
    assert len({result.failure for result in results}) == 1
    assert "transport.max_iterations" in results[0].failure


def test_out_of_time_ends_the_sweep_after_the_running_cells(lab, own_swept, open_pipeline):
    workers, heard = Here(), []
    pipeline = open_pipeline(
        lab.experiment, own_swept, "transport.reg=[0.1,0.2,0.3]", remote=spread_over(workers), deadline=time.monotonic()
    )
    with pytest.raises(OutOfTime):
        run_sweep(pipeline, heard.append)
    assert workers.given == [Cell("sw-sw", "transport", 0.2, 13)]
    assert len(heard) == 6  # the cached cells


def test_scores_missing_in_the_cache_are_a_failure(lab, own_swept, open_pipeline):
    workers = Here(lambda _work, _item: Outcome(1, (), {}, None))
    pipeline = open_pipeline(
        lab.experiment, own_swept, "transport.reg=[0.2]", "baselines=[]", remote=spread_over(workers)
    )
    results, _ = run_sweep(pipeline, lambda _result: None)
    assert all("all nodes must share one cache folder" in result.failure for result in results)
