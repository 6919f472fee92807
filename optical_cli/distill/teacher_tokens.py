"""The teacher's tokens of a bitext: encoded once, read by every reg, seed and objective.

An encodings artifact holds a token store for each side, or one for both where the teacher treats them alike
(`sides.json` says which), the ids of its tokens (`SIDE.ids.npy`), and a digest of each sentence (`sentences.npy`).
"""

import hashlib
import json
from collections.abc import Iterator, Sequence
from itertools import chain
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch

from optical_cli.artifacts.token_store import Float32, TokenStore, TokenStoreWriter
from optical_cli.encoder.encode import Int32, encode_stream, open_encoder, pad, scored_ids, sides_differ
from optical_cli.encoder.setup import EncoderSetup, Side
from optical_cli.errors import ConfigError, DataError
from optical_cli.progress import Progress

SIDES_FILE = "sides.json"
SENTENCES_FILE = "sentences.npy"
DIGEST = 16
"""Bytes of the SHA-256 of a sentence."""


def encode_bitext(
    sentences: Sequence[str],
    teacher: Path,
    sides: Sequence[Side],
    folder: Path,
    *,
    known_from: Sequence[Path] = (),
    setup: EncoderSetup,
    progress: Progress,
) -> dict[str, int]:
    """Encode the teacher side of a bitext into an encodings artifact.

    Args:
        known_from: encodings of other sentences by the same teacher with the same setup; what they hold is copied.
        setup: its lengths are those of a sentence on either side.

    Returns:
        for the manifest: the number of sentences, of tokens and of copied sentences.
    """
    encoder = open_encoder(teacher, setup)
    alike = setup.query_length == setup.document_length and not sides_differ(encoder)
    stores: dict[Side, Side] = {side: sides[0] if alike else side for side in sides}
    tokens = reused = 0
    for side in dict.fromkeys(stores.values()):
        known = _KnownSentences(known_from, side)
        found = [known.tokens_of(sentence) for sentence in sentences]
        missing = (sentence for sentence, its in zip(sentences, found, strict=True) if its is None)
        fresh = chain.from_iterable(encode_stream(encoder, missing, side, setup.batch_size))
        with (
            TokenStoreWriter(folder, side) as store,
            progress.task(f"teacher encodes the bitext ({side})", len(sentences), "sentences") as advance,
        ):
            for its in found:
                store.append([next(fresh).numpy() if its is None else its])
                advance(1)
            tokens += store.tokens
        reused += sum(its is not None for its in found)
        ids = scored_ids(encoder, sentences, side)
        if [len(of_text) for of_text in ids] == TokenStore.open(folder, side).lengths.tolist():
            np.save(_ids_file(folder, side), np.concatenate(ids), allow_pickle=False)  # a pooled token has none
    (folder / SIDES_FILE).write_text(json.dumps(stores), encoding="utf-8")
    digests: npt.NDArray[np.uint8] = np.frombuffer(b"".join(map(_digest, sentences)), np.uint8).reshape(-1, DIGEST)
    np.save(folder / SENTENCES_FILE, digests, allow_pickle=False)
    return {"sentences": len(sentences), "tokens": tokens, "reused": reused}


class _KnownSentences:
    """The tokens of sentences in other encodings; the first folder that has a sentence gives it."""

    def __init__(self, folders: Sequence[Path], side: Side) -> None:
        self._stores = [_open(folder, side) for folder in folders]
        self._places: dict[bytes, tuple[int, int]] = {}
        for number, folder in enumerate(folders):
            for row, digest in enumerate(np.load(folder / SENTENCES_FILE, allow_pickle=False)):
                self._places.setdefault(digest.tobytes(), (number, row))

    def tokens_of(self, sentence: str) -> Float32 | None:
        """(tokens, dimensions); None if the sentence has not been encoded."""
        place = self._places.get(_digest(sentence))
        return None if place is None else self._stores[place[0]][place[1]]


class TeacherTokens:
    """The teacher's token embeddings of bitexts, an encodings artifact for each; their rows follow one another.

    Attributes:
        alike: whether all sides are the same tokens.
    """

    def __init__(self, folders: Sequence[Path], sides: Sequence[Side]) -> None:
        self._stores = {side: [_open(folder, side) for folder in folders] for side in sides}
        self._folders = folders
        self._ids: dict[Side, list[Int32]] = {}
        counts = [len(store) for store in self._stores[sides[0]]]
        self._starts = np.concatenate([[0], np.cumsum(counts)])
        self.alike = all(len({_store_of(folder, side) for side in sides}) == 1 for folder in folders)

    def starts(self) -> Iterator[int]:
        """The row at which each bitext begins."""
        return (int(start) for start in self._starts[:-1])

    def text(self, row: int, side: Side) -> torch.Tensor:
        """The tokens of a sentence, (tokens, dimensions) float32."""
        bitext, text = self._place(row)
        return torch.from_numpy(self._stores[side][bitext][text])

    def ids(self, row: int, side: Side) -> Int32:
        """The ids of the tokens of a sentence, (tokens,), by the teacher's tokenizer.

        Raises:
            ConfigError: the teacher pools tokens, so that its embeddings have no ids.
        """
        if side not in self._ids:
            self._ids[side] = [_open_ids(folder, side) for folder in self._folders]
        bitext, text = self._place(row)
        first, end = self._stores[side][bitext].offsets[text : text + 2]
        return self._ids[side][bitext][first:end]

    def batch(self, rows: Sequence[int], side: Side) -> tuple[torch.Tensor, torch.Tensor]:
        """Padded tokens (rows, longest, dimensions) float32 and their mask (rows, longest)."""
        return pad([self.text(row, side) for row in rows])

    def _place(self, row: int) -> tuple[int, int]:
        """The bitext of a row, and the number of the sentence in it."""
        bitext = int(np.searchsorted(self._starts, row, side="right")) - 1
        return bitext, row - int(self._starts[bitext])


def _store_of(folder: Path, side: Side) -> str:
    stores = json.loads((folder / SIDES_FILE).read_text(encoding="utf-8"))
    if side not in stores:
        raise DataError(f"{folder}: holds no {side} side")
    return str(stores[side])


def _open(folder: Path, side: Side) -> TokenStore:
    return TokenStore.open(folder, _store_of(folder, side))


def _open_ids(folder: Path, side: Side) -> Int32:
    path = _ids_file(folder, _store_of(folder, side))
    if not path.exists():
        raise ConfigError(
            "transport.marginals: idf needs a token behind every embedding, and the teacher pools its tokens; "
            "uniform expected, or another teacher"
        )
    found: Int32 = np.load(path, mmap_mode="r", allow_pickle=False)
    return found


def _ids_file(folder: Path, name: str) -> Path:
    return folder / f"{name}.ids.npy"


def _digest(sentence: str) -> bytes:
    return hashlib.sha256(sentence.encode()).digest()[:DIGEST]
