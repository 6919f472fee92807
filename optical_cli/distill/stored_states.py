"""The states of a bitext that enter the trained layers of a student: what frozen layers compute is computed once."""

from collections.abc import Iterable, Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path

import torch

from optical_cli.distill.bitext_store import BitextStore, write_bitext_store
from optical_cli.encoder.encode import chunks, sides_differ
from optical_cli.encoder.layers import Features, UpperLayers
from optical_cli.encoder.load import load_encoder
from optical_cli.encoder.precision import Resolved
from optical_cli.encoder.setup import EncoderSetup, Side
from optical_cli.progress import Progress


def store_states(
    sentences: Sequence[str],
    start: Path,
    layers: int,
    sides: Sequence[Side],
    folder: Path,
    *,
    known_from: Sequence[Path] = (),
    setup: EncoderSetup,
    precision: Resolved,
    progress: Progress,
) -> dict[str, int]:
    """Write the states of foreign sentences that enter the upper layers of a student.

    Args:
        sentences: the sentences in the student's language.
        start: folder of the initial student.
        layers: number of upper layers.
        sides: sides to tokenize the sentences as.
        folder: folder of the artifact, empty.
        known_from: artifacts of the same lower layers and setup; sentences that they contain are copied.
        setup: lengths, batch size and device.
        precision: precision of the training, in which the lower layers run. States are stored as float16.
        progress: where progress is reported.

    Returns:
        counts for the manifest, of `write_bitext_store`.

    Raises:
        ConfigError: the student cannot be split, or a state is too large for float16.
    """
    lengths = {"query_length": setup.query_length, "document_length": setup.document_length}
    encoder = load_encoder(start, **lengths, device=setup.device)
    upper = UpperLayers(encoder, layers)
    alike = setup.query_length == setup.document_length and not sides_differ(encoder)

    def compute(texts: Iterable[str], side: Side) -> Iterator[list[torch.Tensor]]:
        for chunk in chunks(texts, setup.batch_size):
            order = sorted(range(len(chunk)), key=lambda text: -len(chunk[text]))
            found: dict[int, torch.Tensor] = {}
            for first in range(0, len(order), setup.batch_size):
                batch = order[first : first + setup.batch_size]
                states = upper.states([chunk[text] for text in batch], side, setup.lengths[side], precision)
                found.update(zip(batch, states, strict=True))
            yield [found[text] for text in range(len(chunk))]

    return write_bitext_store(
        sentences,
        {side: sides[0] if alike else side for side in sides},
        folder,
        compute,
        task=f"frozen layers read the bitext, below the upper {layers}",
        known_from=known_from,
        progress=progress,
    )


@dataclass(frozen=True)
class StoredStates:
    """The upper layers of a student, and the stored states of the bitexts that it is trained on."""

    upper: UpperLayers
    store: BitextStore

    def reading(self, rows: Sequence[int], side: Side, features: Features) -> AbstractContextManager[None]:
        """Run the student on the states of a batch, given the rows of its sentences and their tokens."""
        return self.upper.reading([self.store.text(row, side) for row in rows], features)
