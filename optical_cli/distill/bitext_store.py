"""Token vectors of the sentences of a bitext on disk: computed once, and read by trainings of every reg and seed.

An artifact holds a token store for each side, or one for both sides if both have the same vectors (`sides.json` names
the store of each side), and a digest of each sentence (`sentences.npy`).
"""

import hashlib
import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import chain
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch

from optical_cli.artifacts.token_store import Float32, TokenStore, TokenStoreWriter
from optical_cli.encoder.setup import Side
from optical_cli.errors import DataError
from optical_cli.progress import Progress

SIDES_FILE = "sides.json"
SENTENCES_FILE = "sentences.npy"
DIGEST = 16
"""Bytes kept of the SHA-256 of a sentence."""

Compute = Callable[[Iterable[str], Side], Iterable[list[torch.Tensor]]]
"""Computes the vectors of each sentence as a side, (tokens, dimensions), a chunk of sentences at a time."""


def write_bitext_store(
    sentences: Sequence[str],
    stores: Mapping[Side, Side],
    folder: Path,
    compute: Compute,
    *,
    task: str,
    known_from: Sequence[Path] = (),
    progress: Progress,
) -> dict[str, int]:
    """Write the token vectors of sentences into an artifact.

    Args:
        sentences: the sentences of one language of the bitext.
        stores: the store of each side, named by a side.
        folder: folder of the artifact, empty.
        compute: computes the vectors of the sentences that no artifact of `known_from` has.
        task: what is done, for the progress.
        known_from: artifacts with the same vectors; sentences that they contain are copied.
        progress: where progress is reported.

    Returns:
        counts for the manifest: `sentences`, `tokens`, and `reused` sentences, which were copied.
    """
    tokens = reused = 0
    for side in dict.fromkeys(stores.values()):
        known = _KnownSentences(known_from, side)
        copies = [known.tokens_of(sentence) for sentence in sentences]
        missing = (sentence for sentence, copy in zip(sentences, copies, strict=True) if copy is None)
        computed = chain.from_iterable(compute(missing, side))
        with (
            TokenStoreWriter(folder, side) as store,
            progress.task(f"{task} ({side})", len(sentences), "sentences") as advance,
        ):
            for copy in copies:
                store.append([next(computed).numpy() if copy is None else copy])
                advance(1)
            tokens += store.tokens
        reused += sum(copy is not None for copy in copies)
    (folder / SIDES_FILE).write_text(json.dumps(stores), encoding="utf-8")
    digests: npt.NDArray[np.uint8] = np.frombuffer(b"".join(map(_digest, sentences)), np.uint8).reshape(-1, DIGEST)
    np.save(folder / SENTENCES_FILE, digests, allow_pickle=False)
    return {"sentences": len(sentences), "tokens": tokens, "reused": reused}


class _KnownSentences:
    """Tokens of sentences in existing artifacts, by sentence; the first folder with the sentence is read."""

    def __init__(self, folders: Sequence[Path], side: Side) -> None:
        self._stores = [open_store(folder, side) for folder in folders]
        self._places: dict[bytes, tuple[int, int]] = {}
        for number, folder in enumerate(folders):
            for row, digest in enumerate(np.load(folder / SENTENCES_FILE, allow_pickle=False)):
                self._places.setdefault(digest.tobytes(), (number, row))

    def tokens_of(self, sentence: str) -> Float32 | None:
        """Return the tokens (tokens, dimensions) of a sentence; None if no folder has it."""
        place = self._places.get(_digest(sentence))
        return None if place is None else self._stores[place[0]][place[1]]


class BitextStore:
    """The token vectors of one or more bitexts, from one artifact for each.

    Rows count sentences through all bitexts: those of the second bitext follow those of the first.

    Attributes:
        alike: whether all sides have the same vectors.
    """

    def __init__(self, folders: Sequence[Path], sides: Sequence[Side]) -> None:
        self._stores = {side: [open_store(folder, side) for folder in folders] for side in sides}
        self._folders = folders
        counts = [len(store) for store in self._stores[sides[0]]]
        self._starts = np.concatenate([[0], np.cumsum(counts)])
        self.alike = all(len({store_of(folder, side) for side in sides}) == 1 for folder in folders)

    def starts(self) -> Iterator[int]:
        """Yield the first row of each bitext."""
        return (int(start) for start in self._starts[:-1])

    def text(self, row: int, side: Side) -> torch.Tensor:
        """Return the vectors of a sentence, (tokens, dimensions) float32."""
        bitext, text = self._place(row)
        return torch.from_numpy(self._stores[side][bitext][text])

    def _place(self, row: int) -> tuple[int, int]:
        """Return the number of the bitext of a row, and the number of the sentence in that bitext."""
        bitext = int(np.searchsorted(self._starts, row, side="right")) - 1
        return bitext, row - int(self._starts[bitext])


def store_of(folder: Path, side: Side) -> str:
    """Return the name of the store of a side in an artifact; DataError if it has none."""
    stores = json.loads((folder / SIDES_FILE).read_text(encoding="utf-8"))
    if side not in stores:
        raise DataError(f"{folder}: {side} side expected in {SIDES_FILE}, found {', '.join(stores) or 'none'}")
    return str(stores[side])


def open_store(folder: Path, side: Side) -> TokenStore:
    """Open the store of a side in an artifact."""
    return TokenStore.open(folder, store_of(folder, side))


def _digest(sentence: str) -> bytes:
    return hashlib.sha256(sentence.encode()).digest()[:DIGEST]
