"""Timing two things against each other on a machine that is never quite quiet."""

from collections.abc import Callable
from dataclasses import dataclass
from statistics import median
from time import perf_counter

ENOUGH = 0.2  # seconds of calls, so that a call of a millisecond is not judged by one scheduler's slice


@dataclass(frozen=True)
class Paired:
    """Seconds a call of ours and of a peer's, round by round, taken in turns.

    Attributes:
        ours: seconds a call, one number a round.
        peer: likewise.
    """

    ours: tuple[float, ...]
    peer: tuple[float, ...]

    @property
    def ratio(self) -> float:
        """How many times as fast ours is: the median over the rounds of peer / ours of the same round."""
        return median(peer / ours for ours, peer in zip(self.ours, self.peer, strict=True))

    @property
    def ratio_of_best(self) -> float:
        """The same of the fastest round of either: what a disturbed machine cannot inflate by slowing the peer."""
        return min(self.peer) / min(self.ours)


def in_turns(ours: Callable[[], object], peer: Callable[[], object], rounds: int, enough: float = ENOUGH) -> Paired:
    """Time ours, the peer, ours, the peer, ... Both have been called before: a first call may compile.

    Args:
        ours: does our work once.
        peer: does the same work once.
        rounds: at least 1.
        enough: seconds that the calls of a side take in a round at least.
    """
    times = [(seconds(ours, enough), seconds(peer, enough)) for _ in range(rounds)]
    return Paired(tuple(time[0] for time in times), tuple(time[1] for time in times))


def seconds(call: Callable[[], object], enough: float = ENOUGH) -> float:
    """Mean seconds of a call, repeated until `enough` seconds have passed."""
    calls, begin = 0, perf_counter()
    while True:
        call()
        calls += 1
        passed = perf_counter() - begin
        if passed >= enough:
            return passed / calls
