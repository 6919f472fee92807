from dataclasses import dataclass

from optical_cli.pipeline.cells import Cell
from optical_cli.pipeline.step import make_step
from optical_cli.plan.planned import Left, Planned, TimeEstimator


@dataclass(frozen=True)
class Made:
    manifest: dict


class Held(dict):
    """A cache of what was made, by the digest of its key."""

    def find(self, _kind, key):
        return self.get(key.digest)


def planned(stage, pair, number, seconds=None):
    step = make_step(stage, f"{stage}-{number}", {"number": number}, lambda _folder, _inputs: {})
    made = None if seconds is None else Made({"seconds": seconds})
    return Planned(step, Cell(pair, "transport", 0.1, number), made)


def test_a_step_takes_what_the_like_of_it_took_for_the_same_pair_else_for_any():
    to_make = [planned("index", "sw-sw", 3), planned("index", "en-sw", 4), planned("distill", "sw-sw", 5)]
    made = [planned("index", "sw-sw", 1, 10.0), planned("index", "sw-sw", 2, 20.0), planned("index", "sw-en", 6, 40.0)]
    held = Held()
    times = TimeEstimator([*made, *to_make], held)
    assert times.left == Left(3, 15.0 + 20.0, 1)  # sw-sw: median of 10 and 20; en-sw: of 10, 20 and 40
    held[to_make[2].step.key.digest] = Made({"seconds": 100.0})
    times.settle(to_make[2].cell)
    assert times.left == Left(2, 35.0, 0)
    assert times.seconds_for(to_make[2]) == 100.0
    times.settle(to_make[0].cell)  # it could not be made
    assert times.left == Left(1, 20.0, 0)


def test_an_expectation_is_corrected_by_what_such_steps_took_and_goes_before_their_median():
    made = [planned("distill", "sw-sw", 1, 30.0), planned("distill", "sw-sw", 2, 10.0)]
    to_make = [planned("distill", "sw-sw", 3), planned("distill", "sw-en", 4), planned("index", "sw-en", 5)]
    expected = {one.step.key.digest: 20.0 for one in [*made, *to_make]}
    del expected[to_make[1].step.key.digest]
    held = Held()
    times = TimeEstimator([*made, *to_make], held, expected)
    assert times.seconds_for(to_make[0]) == 20.0  # they took 1.5 and .5 times as long
    assert times.seconds_for(to_make[1]) == 20.0  # the median of 30 and 10
    assert times.seconds_for(to_make[2]) == 20.0  # as expected, as there is no other
    more = planned("distill", "sw-sw", 6)
    held[more.step.key.digest] = Made({"seconds": 60.0})
    times = TimeEstimator([*made, more, *to_make], held, {**expected, more.step.key.digest: 20.0})
    times.settle(more.cell)
    assert times.seconds_for(to_make[0]) == 30.0  # the median of 1.5, .5 and 3


def test_nothing_is_left_when_all_is_made():
    assert TimeEstimator([planned("index", "sw-sw", 1, 3.0)], Held()).left == Left(0, 0, 0)
    assert TimeEstimator([], Held()).left == Left(0, 0, 0)
