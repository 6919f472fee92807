"""Compare the times of two functions on a machine with other load."""

from collections.abc import Callable
from dataclasses import dataclass
from statistics import median
from time import perf_counter

import torch

ENOUGH = 0.2  # minimum seconds to time, so that a call of a millisecond is not measured in one slice of the scheduler


@dataclass(frozen=True)
class Paired:
    """Times of two sides that were measured in turns.

    Attributes:
        ours: seconds per call of our side, a number for each round.
        peer: seconds per call of the peer, a number for each round.
    """

    ours: tuple[float, ...]
    peer: tuple[float, ...]

    @property
    def ratio(self) -> float:
        """Speed of our side relative to the peer: the median over rounds of peer / ours."""
        return median(peer / ours for ours, peer in zip(self.ours, self.peer, strict=True))

    @property
    def ratio_of_best(self) -> float:
        """Relative speed by the fastest round of each side, which load in some rounds of the peer cannot inflate."""
        return min(self.peer) / min(self.ours)


def finished(call: Callable[[], object], device: str) -> Callable[[], None]:
    """Return a function that calls another and waits until a GPU has done its work; CUDA calls return before."""

    def whole() -> None:
        call()
        synchronize(device)

    return whole


def synchronize(device: str) -> None:
    """Wait until a GPU has done its work; other devices do it before a call returns."""
    if device.startswith("cuda"):
        torch.cuda.synchronize(device)


def in_turns(ours: Callable[[], object], peer: Callable[[], object], rounds: int, enough: float = ENOUGH) -> Paired:
    """Time our side and the peer in turns. Call both before, as a first call may compile.

    Args:
        ours: does the work once.
        peer: does the same work once.
        rounds: at least 1.
        enough: minimum seconds that a side is called for in a round.
    """
    times = [(seconds(ours, enough), seconds(peer, enough)) for _ in range(rounds)]
    return Paired(tuple(time[0] for time in times), tuple(time[1] for time in times))


def seconds(call: Callable[[], object], enough: float = ENOUGH) -> float:
    """Return the mean seconds of a call, repeated until `enough` seconds have passed."""
    calls, begin = 0, perf_counter()
    while True:
        call()
        calls += 1
        passed = perf_counter() - begin
        if passed >= enough:
            return passed / calls
