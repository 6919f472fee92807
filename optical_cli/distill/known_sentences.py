"""Sentences that the teacher has encoded before, for another bitext or for a shorter one."""

import hashlib
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt

from optical_cli.artifacts.token_store import Float32, TokenStore
from optical_cli.distill.sides import store_of
from optical_cli.encoder.setup import Side

SENTENCES_FILE = "sentences.npy"
DIGEST = 16  # bytes of SHA-256 that name a sentence


class KnownSentences:
    """The tokens of sentences that are in other encodings, by the same teacher in the same way.

    Args:
        folders: of encodings artifacts; the first that has a sentence gives it.
        side: as which the sentences were encoded.
    """

    def __init__(self, folders: Sequence[Path], side: Side) -> None:
        self._stores = [TokenStore.open(folder, store_of(folder, side)) for folder in folders]
        self._places: dict[bytes, tuple[int, int]] = {}
        for number, folder in enumerate(folders):
            for row, digest in enumerate(np.load(folder / SENTENCES_FILE, allow_pickle=False)):
                self._places.setdefault(digest.tobytes(), (number, row))

    def tokens_of(self, sentence: str) -> Float32 | None:
        """Its tokens, (tokens, dimensions); None if it has not been encoded."""
        place = self._places.get(_digest(sentence))
        return None if place is None else self._stores[place[0]][place[1]]


def save_sentences(folder: Path, sentences: Sequence[str]) -> None:
    """Write which sentence stands in which row of an encodings artifact."""
    digests: npt.NDArray[np.uint8] = np.frombuffer(b"".join(map(_digest, sentences)), np.uint8).reshape(-1, DIGEST)
    np.save(folder / SENTENCES_FILE, digests, allow_pickle=False)


def _digest(sentence: str) -> bytes:
    return hashlib.sha256(sentence.encode()).digest()[:DIGEST]
