"""Work that others do: what a stage may ask of workers, who they are and how they are reached being left open."""

from collections.abc import Callable, Iterable, Iterator
from typing import Protocol, TypeVar

T = TypeVar("T")
Item = TypeVar("Item")


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
