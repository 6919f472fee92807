"""How many threads torch computes on: the same from the first to the last operation of a process."""

from functools import cache

import torch


def keep_threads() -> None:
    """Keep torch to the number of threads that it had when this was called first.

    Else other libraries set it: the first parallel code of numba, which ranx has, starts an OpenMP that it shares with
    torch, and takes all cores whatever OMP_NUM_THREADS says. Sums are then taken in another order, and a student would
    depend on what its process had done before.
    """
    torch.set_num_threads(_threads())


@cache
def _threads() -> int:
    return torch.get_num_threads()
