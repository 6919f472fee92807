"""Which sentences are trained on together: those of about one length, so that little is padded."""

import random
from collections.abc import Iterator, Sequence
from itertools import pairwise

from torch.utils.data import Sampler

SMALLEST_SHARE = 4
"""A last batch of less than a quarter of its neighbour joins it: its gradient would be noise at full learning rate."""


class LengthBatches(Sampler[list[int]]):
    """Batches of sentences of about one length, drawn anew and in a new order for each epoch.

    The sentences are sorted by length, those of one length at random, and cut into batches: how many batches an
    epoch has, and how long each is, does not depend on the draw. A batch is dealt out to the processes, and within a
    process to the parts whose gradients are accumulated.

    Args:
        lengths: (sentences,) tokens of each.
        size: sentences a batch.
        tokens: fill a batch up to so many tokens, padding included, instead; None for a fixed size.
        seed: of the draws.
        rank, processes: which share of each batch is ours.
        parts: in how many parts each process takes its share.
    """

    def __init__(
        self,
        lengths: Sequence[int],
        size: int,
        *,
        tokens: int | None = None,
        seed: int = 0,
        rank: int = 0,
        processes: int = 1,
        parts: int = 1,
    ) -> None:
        self._lengths = lengths
        self._seed = seed
        self._rank = rank
        self._processes = processes
        self._parts = parts
        self._epoch = 0
        self._cuts = _cuts(sorted(lengths, reverse=True), size, tokens, processes * parts)

    @property
    def batches(self) -> int:
        """Batches an epoch, of all processes and parts together: the steps of the optimizer."""
        return len(self._cuts) - 1

    def set_epoch(self, epoch: int) -> None:
        """Choose the epoch, from 0, whose batches come next."""
        self._epoch = epoch

    def __len__(self) -> int:
        """Batches that this process sees in an epoch."""
        return self.batches * self._parts

    def __iter__(self) -> Iterator[list[int]]:
        draw = random.Random(f"{self._seed} {self._epoch}")  # noqa: S311 - a sample, not a secret
        order = list(range(len(self._lengths)))
        draw.shuffle(order)
        order.sort(key=lambda sentence: -self._lengths[sentence])  # stable: those of one length stay shuffled
        batches = [order[start:end] for start, end in pairwise(self._cuts)]
        draw.shuffle(batches)
        for batch in batches:
            for part in range(self._parts):
                yield batch[part * self._processes + self._rank :: self._processes * self._parts]


def _cuts(lengths: Sequence[int], size: int, tokens: int | None, smallest: int) -> list[int]:
    """Where batches begin and end among lengths from the longest to the shortest; none has fewer than `smallest`."""
    cuts = [0]
    for sentence in range(len(lengths)):
        held = sentence - cuts[-1]
        longest = lengths[cuts[-1]]
        full = held >= size if tokens is None else (held + 1) * longest > tokens
        if full and held >= smallest:
            cuts.append(sentence)
    if len(cuts) > 1 and len(lengths) - cuts[-1] < max(smallest, (cuts[-1] - cuts[-2]) / SMALLEST_SHARE):
        cuts.pop()
    return [*cuts, len(lengths)]
