"""How encoders are run; known without torch."""

from dataclasses import dataclass

from optical_cli.encoder.precision import Resolved
from optical_cli.encoder.side import Side

CHUNK_BATCHES = 32
"""Batches that are sorted by length together: enough to waste little padding, few enough to stream."""


@dataclass(frozen=True)
class EncoderSetup:
    """How texts become token embeddings.

    Attributes:
        query_length: tokens of a query, special tokens included; the rest is cut off.
        document_length: the same of a document.
        precision: of the weights while encoding.
        batch_size: texts a batch.
        device: a torch device.
    """

    query_length: int
    document_length: int
    precision: Resolved
    batch_size: int
    device: str

    @property
    def lengths(self) -> dict[Side, int]:
        """Tokens of a text on each side."""
        return {"query": self.query_length, "document": self.document_length}
