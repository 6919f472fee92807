import json
from dataclasses import replace

import pytest

from optical_cli.report.drawing import Line
from optical_cli.report.gather import cached_study
from optical_cli.report.training_curves import POINTS, WIDTH, draw_small, read_log, trainings

START, END = {"p@1": 0.1, "transport_cost": 0.9}, {"p@1": 0.5, "transport_cost": 0.3}


@pytest.fixture
def log(tmp_path):
    def write(steps, name="training.jsonl"):
        lines = [{"step": 0, "held_out": START}, *({"step": step, "loss": 1 / step} for step in range(1, steps + 1))]
        lines.append({"step": steps, "held_out": END})
        (tmp_path / name).write_text("".join(f"{json.dumps(line)}\n" for line in lines), encoding="utf-8")
        return tmp_path / name

    return write


def test_a_log_is_read_in_so_many_points_and_every_look_at_the_held_out_bitext(log):
    found = read_log(log(1000))
    assert POINTS <= len(found.loss) <= 2 * POINTS
    assert (found.loss[0], found.p1) == ((1, 1.0), [(0, 0.1), (1000, 0.5)])


def test_pairs_that_share_their_students_share_a_training(make_result, log):
    trained = {"held_out_start": START, "held_out": END, "log": log(4)}
    results = [replace(make_result(pair, 0.1, 0.5, seed=seed), **trained) for pair in ("a-b", "b-a") for seed in (1, 2)]
    results += [replace(make_result("b-b", 0.1, 0.5), held_out_start=START, held_out=START)]
    shared, other = trainings([*results, make_result("b-b", 0.2, 0.5)])
    assert (shared.pairs, shared.seeds, shared.start, shared.end) == (("a-b", "b-a"), 2, START, END)
    assert len(shared.logs) == 2
    assert (other.pairs, other.end, other.logs) == (("b-b",), START, ())


def test_a_figure_that_a_seed_of_an_earlier_version_lacks_has_no_mean(make_result):
    newer = {**END, "token_cosine": 0.7}
    seeds = [
        replace(make_result("a-b", 0.1, 0.5, seed=seed), held_out=figures) for seed, figures in ((1, END), (2, newer))
    ]
    (found,) = trainings(seeds)
    assert found.end == END


def test_a_curve_runs_over_all_steps_from_0_to_its_top():
    drawing = draw_small([[(0, 0.0), (50, 1.0), (100, 0.5)]], 1.0)
    (curve,) = [shape for shape in drawing.shapes if isinstance(shape, Line) and shape.look == "small"]
    assert [x for x, _ in curve.points] == [0, WIDTH / 2, WIDTH]
    low, high, middle = (y for _, y in curve.points)
    assert high < middle < low
    assert middle == pytest.approx((low + high) / 2, abs=0.1)


def test_a_study_has_a_training_for_each_reg_with_its_log(lab, swept, open_pipeline):
    found = cached_study(open_pipeline(lab.experiment, swept)).trainings
    assert [one.setting.label for one in found] == ["reg 0", "reg 0.1", "reg inf"]
    assert all(one.pairs == ("sw-sw", "sw-en", "en-sw") for one in found)
    assert all({"p@1", "transport_cost", "token_cosine"} == one.start.keys() == one.end.keys() for one in found)
    assert all(log.loss and len(log.p1) >= 2 for one in found for log in one.logs)
