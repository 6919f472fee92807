"""Who computes: the processes that `torchrun` started for one command, and workers on other machines."""

import os
from collections.abc import Callable, Iterable, Iterator
from datetime import timedelta
from typing import Any, Protocol, TypeVar

T = TypeVar("T")
Item = TypeVar("Item")

PATIENCE = timedelta(days=7)
"""How long one process waits for another: the first may encode a bitext meanwhile, and nobody else knows how long."""


class Processes:
    """What the processes of one command agree on: a single one, unless `torchrun` or `accelerate launch` started more.

    Attributes:
        count: how many there are.
        rank: of this one, from 0; the first speaks, and writes what is written.
    """

    def __init__(self) -> None:
        self.count = int(os.environ.get("WORLD_SIZE", "1"))
        self.rank = int(os.environ.get("RANK", "0"))

    @property
    def first(self) -> bool:
        """Whether this process speaks and writes."""
        return self.rank == 0

    def agree(self, value: T) -> T:
        """The first process's value, in every process; they all have to ask."""
        if self.count == 1:
            return value
        values = [value]
        self._group().broadcast_object_list(values, src=0)
        return values[0]

    def decide(self, ask: Callable[[], T]) -> T:
        """What the first process finds, in every process; the others do not look."""
        found: Any = ask() if self.first else None
        answer: T = self.agree(found)
        return answer

    def gather(self, value: T) -> list[T]:
        """The values of all processes, in every process."""
        if self.count == 1:
            return [value]
        values: list[Any] = [None] * self.count
        self._group().all_gather_object(values, value)
        return values

    def wait(self) -> None:
        """Until all processes are here."""
        self.gather(None)

    def _group(self) -> Any:
        import torch
        import torch.distributed

        if not torch.distributed.is_initialized():
            backend = "cpu:gloo,cuda:nccl" if torch.cuda.is_available() else "gloo"
            torch.distributed.init_process_group(backend, timeout=PATIENCE)
        return torch.distributed


class Workers(Protocol):
    """Processes elsewhere that work for this one. What they are given and what they give back is copied to them.

    They compute on as many threads as this process does, so that results are the same bits as here.
    """

    @property
    def count(self) -> int:
        """Pieces of work that are done at once."""
        ...

    def in_turn(self, work: Callable[[Item], T], items: Iterable[Item]) -> Iterator[T]:
        """The result of each item, in the order of the items; few are made before they are taken.

        Args:
            work: a function of a module, or a `partial` of one; a piece of it is done again if its worker dies.
            items: taken one by one, as workers come free.

        Raises:
            Exception: what the work raised, as it was raised; or taking an item, when those before it are through.
            ClusterError: a piece of work was lost again and again.
        """
        ...

    def as_done(self, work: Callable[[Item], T], items: Iterable[Item]) -> Iterator[tuple[Item, Callable[[], T]]]:
        """Each item as it is done, with a function that gives its result, or raises what `in_turn` would.

        Items are taken one by one, as workers come free.
        """
        ...
