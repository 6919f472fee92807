"""Which pairs of a bitext are trained on and which are only watched."""

import random
from collections.abc import Sequence
from dataclasses import dataclass

from optical_cli.data.bitext import SentencePair
from optical_cli.errors import DataError

SPLIT_SEED = 13
"""Fixed: the seeds of an experiment vary the training, never its data."""


@dataclass(frozen=True)
class Split:
    """The pairs of a bitext that an experiment uses, in the order of their rows in the encodings."""

    train: tuple[SentencePair, ...]
    held_out: tuple[SentencePair, ...]

    @property
    def pairs(self) -> tuple[SentencePair, ...]:
        """Training pairs, then held-out ones."""
        return self.train + self.held_out


def split_bitext(pairs: Sequence[SentencePair], held_out: int, max_pairs: int | None, name: str) -> Split:
    """Draw the held-out pairs, then the training pairs from the rest, the same ones every time.

    No sentence stands on both sides: pairs that share either sentence with a held-out one are not trained on.

    Args:
        pairs: the bitext.
        held_out: pairs to keep from training.
        max_pairs: train on at most so many; None for all.
        name: of the bitext, for messages.

    Raises:
        DataError: nothing would be left to train on.
    """
    shuffled = list(pairs)
    random.Random(SPLIT_SEED).shuffle(shuffled)  # noqa: S311 - a sample, not a secret
    watched = shuffled[:held_out]
    seen = {text for pair in watched for text in (pair.teacher, pair.foreign)}
    rest = [pair for pair in shuffled[held_out:] if pair.teacher not in seen and pair.foreign not in seen]
    train = rest if max_pairs is None else rest[:max_pairs]
    if not train:
        raise DataError(
            f"{name}: {len(pairs)} pairs, and {held_out} of them held out: none is left to train on; "
            "lower bitext.*.held_out or give more pairs"
        )
    return Split(tuple(train), tuple(watched))
