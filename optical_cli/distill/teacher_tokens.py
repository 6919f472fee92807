"""What the teacher says of a bitext: encoded once, read by every reg, seed and objective."""

from collections.abc import Iterator, Sequence
from itertools import chain
from pathlib import Path

import numpy as np
import torch

from optical_cli.artifacts.token_store import TokenStore, TokenStoreWriter
from optical_cli.distill.known_sentences import KnownSentences, save_sentences
from optical_cli.distill.sides import save_sides, store_of
from optical_cli.encoder.encode import Int32, encode_stream, open_encoder, pad, scored_ids, sides_differ
from optical_cli.encoder.setup import EncoderSetup, Side
from optical_cli.errors import ConfigError
from optical_cli.progress import Progress


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
    """Encode the teacher side of a bitext, once a side that the pairs require.

    A teacher that treats queries and documents alike is asked once for both.

    Args:
        sentences: in the teacher's language.
        teacher: its model folder.
        sides: `query`, `document` or both.
        folder: receives a token store a side, the id of every token in it, and which side reads which store.
        known_from: encodings of other sentences by the same teacher with the same setup; what they hold is copied.
        setup: how they are encoded; its lengths are those of a sentence on either side.

    Returns:
        counts of sentences, of tokens and of sentences that were copied, for the manifest.
    """
    encoder = open_encoder(teacher, setup)
    alike = setup.query_length == setup.document_length and not sides_differ(encoder)
    stores: dict[Side, Side] = {side: sides[0] if alike else side for side in sides}
    tokens = reused = 0
    for side in dict.fromkeys(stores.values()):
        known = KnownSentences(known_from, side)
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
        _save_ids(folder, side, scored_ids(encoder, sentences, side))
    save_sides(folder, stores)
    save_sentences(folder, sentences)
    return {"sentences": len(sentences), "tokens": tokens, "reused": reused}


def _save_ids(folder: Path, name: str, ids: Sequence[Int32]) -> None:
    """The id of every row of the store, unless the teacher pools tokens: then a row has none."""
    if [len(of_text) for of_text in ids] == TokenStore.open(folder, name).lengths.tolist():
        np.save(_ids_file(folder, name), np.concatenate(ids), allow_pickle=False)


class TeacherTokens:
    """The teacher's token embeddings of one or more bitexts, as batches.

    Args:
        folders: an encodings artifact a bitext; their rows follow one another.
        sides: the sides that will be asked for.
    """

    def __init__(self, folders: Sequence[Path], sides: Sequence[Side]) -> None:
        self._stores = {side: [_open(folder, side) for folder in folders] for side in sides}
        self._folders = folders
        self._ids: dict[Side, list[Int32]] = {}
        counts = [len(store) for store in self._stores[sides[0]]]
        self._starts = np.concatenate([[0], np.cumsum(counts)])
        self.alike = all(_same_store(folder, sides) for folder in folders)

    def starts(self) -> Iterator[int]:
        """The row at which each bitext begins."""
        return (int(start) for start in self._starts[:-1])

    def text(self, row: int, side: Side) -> torch.Tensor:
        """The tokens of one sentence, (tokens, dimensions) float32."""
        bitext, text = self._place(row)
        return torch.from_numpy(self._stores[side][bitext][text])

    def ids(self, row: int, side: Side) -> Int32:
        """The ids of the tokens of one sentence, (tokens,), by the teacher's tokenizer.

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
        """The bitext of a row, and which of its sentences it is."""
        bitext = int(np.searchsorted(self._starts, row, side="right")) - 1
        return bitext, row - int(self._starts[bitext])


def _open(folder: Path, side: Side) -> TokenStore:
    return TokenStore.open(folder, store_of(folder, side))


def _ids_file(folder: Path, name: str) -> Path:
    return folder / f"{name}.ids.npy"


def _open_ids(folder: Path, side: Side) -> Int32:
    path = _ids_file(folder, store_of(folder, side))
    if not path.exists():
        raise ConfigError(
            "transport.marginals: idf needs a token behind every embedding, and the teacher pools its tokens; "
            "uniform expected, or another teacher"
        )
    found: Int32 = np.load(path, mmap_mode="r", allow_pickle=False)
    return found


def _same_store(folder: Path, sides: Sequence[Side]) -> bool:
    return len({store_of(folder, side) for side in sides}) == 1
