"""What a probe measures, and what it leaves as it was."""

import pytest

from optical_cli.errors import NotConverged
from optical_cli.pipeline.cells import Cell
from optical_cli.plan import probe as measuring
from optical_cli.plan.probe import Probe

TRAINED = Cell("sw-en", "transport", 0.1, 13)


def test_a_training_is_measured_by_real_steps_which_leave_neither_artifacts_nor_other_students(
    lab, open_pipeline, tmp_path, leftovers
):
    settings = ("student.init=./student", "student.train_layers=1", "training.batch_size=4")
    pipeline = open_pipeline(lab.experiment, tmp_path, *settings)
    before = pipeline.checkpoint(TRAINED).key.digest
    probe = Probe(pipeline, measure=True)
    speeds = {stage: probe.training(TRAINED, stage) for stage in ("encodings", "states", "distill")}
    assert all(speed.units > 0 and speed.beside >= 0 for speed in speeds.values())
    assert pipeline.checkpoint(TRAINED).key.digest == before
    assert list(pipeline.cache.entries()) == []
    assert leftovers(tmp_path) == []
    kept = Probe(open_pipeline(lab.experiment, tmp_path, *settings), measure=False)
    assert {stage: kept.training(TRAINED, stage) for stage in speeds} == speeds


def test_nothing_is_measured_unasked(lab, open_pipeline, tmp_path):
    assert Probe(open_pipeline(lab.experiment, tmp_path), measure=False).training(TRAINED, "distill") is None


def test_a_bitext_of_one_batch_says_nothing_of_the_speed_of_training(lab, open_pipeline, tmp_path):
    probe = Probe(open_pipeline(lab.experiment, tmp_path, "training.batch_size=24"), measure=True)
    assert probe.training(TRAINED, "distill") is None
    assert probe.training(TRAINED, "encodings").units > 0


def test_a_probe_that_fails_is_said_and_stops_nothing(lab, open_pipeline, tmp_path, monkeypatch):
    def fail(*_):
        raise NotConverged("the plan did not converge")

    said = []
    pipeline = open_pipeline(lab.experiment, tmp_path)
    monkeypatch.setattr(measuring, "_training_speeds", fail)
    monkeypatch.setattr(pipeline.progress, "say", said.append)
    assert Probe(pipeline, measure=True).training(TRAINED, "distill") is None
    assert said == ["warning: the speed of this machine could not be measured: the plan did not converge"]


def test_the_seconds_of_some_work_are_those_of_its_units_and_what_comes_beside():
    assert measuring.Speed(50.0, beside=3.0).seconds(100) == pytest.approx(5.0)
