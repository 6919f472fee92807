"""The teacher's token embeddings of a bitext, with the ids of the tokens (`SIDE.ids.npy`)."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch

from optical_cli.artifacts.token_store import TokenStore
from optical_cli.distill.bitext_store import BitextStore, store_of, write_bitext_store
from optical_cli.encoder.encode import Int32, encode_stream, pad, scored_ids, sides_differ
from optical_cli.encoder.open import open_encoder
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
        counts for the manifest, of `write_bitext_store`.
    """
    encoder = open_encoder(teacher, setup)
    alike = setup.query_length == setup.document_length and not sides_differ(encoder)
    stores: dict[Side, Side] = {side: sides[0] if alike else side for side in sides}
    counts = write_bitext_store(
        sentences,
        stores,
        folder,
        lambda texts, side: encode_stream(encoder, texts, side, setup.batch_size),
        task="teacher encodes the bitext",
        known_from=known_from,
        progress=progress,
    )
    for side in dict.fromkeys(stores.values()):
        ids = scored_ids(encoder, sentences, side)
        if [len(of_text) for of_text in ids] == TokenStore.open(folder, side).lengths.tolist():
            np.save(_ids_file(folder, side), np.concatenate(ids), allow_pickle=False)  # pooled tokens have no ids
    return counts


class TeacherTokens(BitextStore):
    """The teacher's token embeddings of one or more bitexts, from one encodings artifact for each."""

    def __init__(self, folders: Sequence[Path], sides: Sequence[Side]) -> None:
        super().__init__(folders, sides)
        self._ids: dict[Side, list[Int32]] = {}

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


def _open_ids(folder: Path, side: Side) -> Int32:
    path = _ids_file(folder, store_of(folder, side))
    if not path.exists():
        raise ConfigError(
            "transport.marginals: idf needs a token for each embedding, and the teacher pools its tokens; "
            "choose uniform, or another teacher"
        )
    found: Int32 = np.load(path, mmap_mode="r", allow_pickle=False)
    return found


def _ids_file(folder: Path, name: str) -> Path:
    return folder / f"{name}.ids.npy"
