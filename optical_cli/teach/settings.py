"""How a teacher is trained."""

import math
from dataclasses import dataclass

from optical_cli.config.settings import SEEDS
from optical_cli.encoder.precision import Resolved
from optical_cli.errors import ConfigError

DIMENSIONS = 128


@dataclass(frozen=True)
class TeachSettings:
    """How a teacher is trained.

    Attributes:
        dimensions: of a token embedding; None for 128, or for those of a backbone that is multi-vector already.
        epochs: passes over the examples.
        batch_size: queries a step; the passages of the others are further negatives of each.
        chunk: queries whose activations are in memory at once, if a batch does not fit (GradCache); None for all.
        learning_rate: the peak; it rises over `warmup` and falls linearly to zero.
        warmup: share of the steps over which it rises.
        weight_decay: AdamW's.
        scale: the factor of the scores in the softmax, 1 / temperature.
        query_length: tokens of a query, special tokens included; the rest is cut off.
        document_length: the same of a passage.
        seed: of the projection, the order and the dropout.
        precision: of the training.
        device: a torch device.
    """

    dimensions: int | None = None
    epochs: float = 1.0
    batch_size: int = 32
    chunk: int | None = None
    learning_rate: float = 2e-5
    warmup: float = 0.1
    weight_decay: float = 0.01
    scale: float = 1.0
    query_length: int = 64
    document_length: int = 256
    seed: int = 13
    precision: Resolved = "float32"
    device: str = "cpu"

    def __post_init__(self) -> None:
        """Refuse numbers that mean nothing.

        Raises:
            ConfigError: of all that are wrong, a line each, as the options of the command line are called.
        """
        counts = {
            "dimensions": self.dimensions,
            "batch-size": self.batch_size,
            "chunk": self.chunk,
            "query-length": self.query_length,
            "document-length": self.document_length,
        }
        faults = [f"--{name} {n}: at least 1 expected" for name, n in counts.items() if n is not None and n < 1]
        positive = {"epochs": self.epochs, "learning-rate": self.learning_rate, "scale": self.scale}
        for name, value in positive.items():
            if not (math.isfinite(value) and value > 0):
                faults.append(f"--{name} {value:g}: a number above 0 expected")
        if not 0 <= self.warmup < 1:
            faults.append(f"--warmup {self.warmup:g}: a share of the steps, from 0 to below 1, expected")
        if not (math.isfinite(self.weight_decay) and self.weight_decay >= 0):
            faults.append(f"--weight-decay {self.weight_decay:g}: 0 or more expected")
        if not 0 <= self.seed < SEEDS:
            faults.append(f"--seed {self.seed}: a whole number from 0 to {SEEDS - 1} expected")
        if self.batch_size == 1:
            faults.append("--batch-size 1: at least 2 expected, as the passages of others are a query's negatives")
        if faults:
            raise ConfigError("\n".join(faults))
