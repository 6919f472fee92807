"""The teacher's token embeddings of a bitext: encoded once, and read by trainings of every reg, seed and objective.

An encodings artifact holds a token store for each side, or one for both sides if the teacher encodes them alike
(`sides.json` names the store of each side), the ids of its tokens (`SIDE.ids.npy`), and a digest of each sentence
(`sentences.npy`).
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
"""Bytes kept of the SHA-256 of a sentence."""


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
        sentences: the sentences in the teacher's language.
        teacher: folder of the encoder.
        sides: sides to encode the sentences as.
        folder: folder of the artifact, empty.
        known_from: artifacts of the same teacher and setup; sentences that they contain are copied.
        setup: lengths, precision, batch size and device.
        progress: where progress is reported.

    Returns:
        counts for the manifest: `sentences`, `tokens`, and `reused` sentences, which were copied.
    """
    encoder = open_encoder(teacher, setup)
    alike = setup.query_length == setup.document_length and not sides_differ(encoder)
    stores: dict[Side, Side] = {side: sides[0] if alike else side for side in sides}
    tokens = reused = 0
    for side in dict.fromkeys(stores.values()):
        known = _KnownSentences(known_from, side)
        copies = [known.tokens_of(sentence) for sentence in sentences]
        missing = (sentence for sentence, copy in zip(sentences, copies, strict=True) if copy is None)
        encoded = chain.from_iterable(encode_stream(encoder, missing, side, setup.batch_size))
        with (
            TokenStoreWriter(folder, side) as store,
            progress.task(f"teacher encodes the bitext ({side})", len(sentences), "sentences") as advance,
        ):
            for copy in copies:
                store.append([next(encoded).numpy() if copy is None else copy])
                advance(1)
            tokens += store.tokens
        reused += sum(copy is not None for copy in copies)
        ids = scored_ids(encoder, sentences, side)
        if [len(of_text) for of_text in ids] == TokenStore.open(folder, side).lengths.tolist():
            np.save(_ids_file(folder, side), np.concatenate(ids), allow_pickle=False)  # pooled tokens have no ids
    (folder / SIDES_FILE).write_text(json.dumps(stores), encoding="utf-8")
    digests: npt.NDArray[np.uint8] = np.frombuffer(b"".join(map(_digest, sentences)), np.uint8).reshape(-1, DIGEST)
    np.save(folder / SENTENCES_FILE, digests, allow_pickle=False)
    return {"sentences": len(sentences), "tokens": tokens, "reused": reused}


class _KnownSentences:
    """Tokens of sentences in existing encodings, by sentence; the first folder with the sentence is read."""

    def __init__(self, folders: Sequence[Path], side: Side) -> None:
        self._stores = [_open(folder, side) for folder in folders]
        self._places: dict[bytes, tuple[int, int]] = {}
        for number, folder in enumerate(folders):
            for row, digest in enumerate(np.load(folder / SENTENCES_FILE, allow_pickle=False)):
                self._places.setdefault(digest.tobytes(), (number, row))

    def tokens_of(self, sentence: str) -> Float32 | None:
        """Return the tokens (tokens, dimensions) of a sentence; None if no folder has it."""
        place = self._places.get(_digest(sentence))
        return None if place is None else self._stores[place[0]][place[1]]


class TeacherTokens:
    """The teacher's token embeddings of one or more bitexts, from one encodings artifact for each.

    Rows count sentences through all bitexts: those of the second bitext follow those of the first.

    Attributes:
        alike: whether all sides have the same tokens.
    """

    def __init__(self, folders: Sequence[Path], sides: Sequence[Side]) -> None:
        self._stores = {side: [_open(folder, side) for folder in folders] for side in sides}
        self._folders = folders
        self._ids: dict[Side, list[Int32]] = {}
        counts = [len(store) for store in self._stores[sides[0]]]
        self._starts = np.concatenate([[0], np.cumsum(counts)])
        self.alike = all(len({_store_of(folder, side) for side in sides}) == 1 for folder in folders)

    def starts(self) -> Iterator[int]:
        """Yield the first row of each bitext."""
        return (int(start) for start in self._starts[:-1])

    def text(self, row: int, side: Side) -> torch.Tensor:
        """Return the tokens of a sentence, (tokens, dimensions) float32."""
        bitext, text = self._place(row)
        return torch.from_numpy(self._stores[side][bitext][text])

    def ids(self, row: int, side: Side) -> Int32:
        """Return the ids of the tokens of a sentence, (tokens,), in the teacher's tokenizer.

        Raises:
            ConfigError: the teacher pools its tokens, so that embeddings have no ids.
        """
        if side not in self._ids:
            self._ids[side] = [_open_ids(folder, side) for folder in self._folders]
        bitext, text = self._place(row)
        first, end = self._stores[side][bitext].offsets[text : text + 2]
        return self._ids[side][bitext][first:end]

    def batch(self, rows: Sequence[int], side: Side) -> tuple[torch.Tensor, torch.Tensor]:
        """Return the padded tokens (rows, longest, dimensions) float32 of a batch and their mask (rows, longest)."""
        return pad([self.text(row, side) for row in rows])

    def _place(self, row: int) -> tuple[int, int]:
        """Return the number of the bitext of a row, and the number of the sentence in that bitext."""
        bitext = int(np.searchsorted(self._starts, row, side="right")) - 1
        return bitext, row - int(self._starts[bitext])


def _store_of(folder: Path, side: Side) -> str:
    stores = json.loads((folder / SIDES_FILE).read_text(encoding="utf-8"))
    if side not in stores:
        raise DataError(f"{folder}: {side} side expected in {SIDES_FILE}, found {', '.join(stores) or 'none'}")
    return str(stores[side])


def _open(folder: Path, side: Side) -> TokenStore:
    return TokenStore.open(folder, _store_of(folder, side))


def _open_ids(folder: Path, side: Side) -> Int32:
    path = _ids_file(folder, _store_of(folder, side))
    if not path.exists():
        raise ConfigError(
            "transport.marginals: idf needs a token for each embedding, and the teacher pools its tokens; "
            "choose uniform, or another teacher"
        )
    found: Int32 = np.load(path, mmap_mode="r", allow_pickle=False)
    return found


def _ids_file(folder: Path, name: str) -> Path:
    return folder / f"{name}.ids.npy"


def _digest(sentence: str) -> bytes:
    return hashlib.sha256(sentence.encode()).digest()[:DIGEST]
