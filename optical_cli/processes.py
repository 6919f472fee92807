"""The processes that `torchrun` starts for one command, and the protocol of workers on other machines."""

import os
from collections.abc import Callable, Iterable, Iterator
from datetime import timedelta
from typing import Any, Protocol, TypeVar

T = TypeVar("T")
Item = TypeVar("Item")

PATIENCE = timedelta(days=7)
"""Time limit for one process to wait for another: the first may encode a whole bitext in the meantime."""


class Processes:
    """The processes of one command: a single one, unless `torchrun` or `accelerate launch` has started more.

    Attributes:
        rank: of this process, from 0; only the first prints and writes files.
    """

    def __init__(self) -> None:
        self.count = int(os.environ.get("WORLD_SIZE", "1"))
        self.rank = int(os.environ.get("RANK", "0"))

    @property
    def first(self) -> bool:
        """Whether this is the process that prints and writes files."""
        return self.rank == 0

    def agree(self, value: T) -> T:
        """Return the value of the first process; every process must call this."""
        if self.count == 1:
            return value
        values = [value]
        self._group().broadcast_object_list(values, src=0)
        return values[0]

    def decide(self, ask: Callable[[], T]) -> T:
        """Call `ask` in the first process only, and return its result in every process."""
        found: Any = ask() if self.first else None
        answer: T = self.agree(found)
        return answer

    def gather(self, value: T) -> list[T]:
        """Return the values of all processes, in every process."""
        if self.count == 1:
            return [value]
        values: list[Any] = [None] * self.count
        self._group().all_gather_object(values, value)
        return values

    def wait(self) -> None:
        """Wait until every process has called this."""
        self.gather(None)

    def _group(self) -> Any:
        import torch
        import torch.distributed

        if not torch.distributed.is_initialized():
            backend = "cpu:gloo,cuda:nccl" if torch.cuda.is_available() else "gloo"
            torch.distributed.init_process_group(backend, timeout=PATIENCE)
        return torch.distributed


class Workers(Protocol):
    """Processes on other machines that work for this one; arguments and results are copied.

    Each computes on as many threads as this process, so that results are bit-identical.
    """

    @property
    def count(self) -> int:
        """Number of items that are worked on at once."""
        ...

    def in_turn(self, work: Callable[[Item], T], items: Iterable[Item]) -> Iterator[T]:
        """Yield the result of each item, in the order of the items; few results are computed in advance.

        Args:
            work: a function of a module, or a `partial` of one; repeated for an item if its worker dies.
            items: taken one by one, as workers become free.

        Raises:
            Exception: of `work`, unchanged; or of the iterator of `items`, after the results of earlier items.
            ClusterError: an item was lost repeatedly.
        """
        ...

    def as_done(self, work: Callable[[Item], T], items: Iterable[Item]) -> Iterator[tuple[Item, Callable[[], T]]]:
        """Yield each item as soon as it is done, with a function that returns its result or raises its error.

        Items are taken one by one, as workers become free.
        """
        ...
